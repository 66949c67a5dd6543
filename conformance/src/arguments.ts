import { parseArgs } from 'node:util'

export interface Arguments {
  /** Only scenarios whose name holds this. */
  readonly only: string
  /** Checks the cases against the reference and compares nothing. */
  readonly isReferenceOnly: boolean
  /** Where the result is also written, for programs. */
  readonly json: string | undefined
  /** A hub that already runs, with the configuration that `--write-config` wrote. */
  readonly url: string | undefined
  /** Folder of the hub behind `--url`. */
  readonly writeConfig: string | undefined
  /** Only tries the OpenAPI document. */
  readonly isSchemathesis: boolean
  /** Totals file of `npm test`; with it, a set-up that cannot be made is a skip. */
  readonly totals: string | undefined
}

export function readArguments(argv: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string', default: '' },
      'reference-only': { type: 'boolean', default: false },
      json: { type: 'string' },
      url: { type: 'string' },
      'write-config': { type: 'string' },
      schemathesis: { type: 'boolean', default: false },
      totals: { type: 'string' },
    },
  })
  return {
    only: values.only,
    isReferenceOnly: values['reference-only'],
    json: values.json,
    url: values.url,
    writeConfig: values['write-config'],
    isSchemathesis: values.schemathesis,
    totals: values.totals,
  }
}
