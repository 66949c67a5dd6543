import { parseArgs } from 'node:util'
import type { Setup } from './model.ts'

export interface Arguments {
  /** Only scenarios whose name holds this; without the requests from the OpenAPI document. */
  readonly only: string
  /** Checks the cases against the reference and compares nothing. */
  readonly isReferenceOnly: boolean
  /** Where the result is also written, for programs. */
  readonly json: string | undefined
  /** A hub that runs already, with the configuration that `--write-config` wrote to `folder`. */
  readonly url: string | undefined
  readonly folder: string
  /** Writes the configuration there and ends. */
  readonly writeConfig: string | undefined
  /** Of `--url` and `--write-config`. */
  readonly setup: Setup
  /** Makes requests from the OpenAPI document and nothing else. */
  readonly isSchemathesis: boolean
  /** Totals file of `npm test`; with it, a set-up that is out of reach is a skip. */
  readonly totals: string | undefined
}

/** @throws TypeError for what there is not */
export function readArguments(argv: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string', default: '' },
      'reference-only': { type: 'boolean', default: false },
      json: { type: 'string' },
      url: { type: 'string' },
      folder: { type: 'string', default: '.' },
      'write-config': { type: 'string' },
      setup: { type: 'string', default: 'main' },
      schemathesis: { type: 'boolean', default: false },
      totals: { type: 'string' },
    },
  })
  return {
    only: values.only,
    isReferenceOnly: values['reference-only'],
    json: values.json,
    url: values.url,
    folder: values.folder,
    writeConfig: values['write-config'],
    setup: values.setup === 'variant' ? 'variant' : 'main',
    isSchemathesis: values.schemathesis,
    totals: values.totals,
  }
}
