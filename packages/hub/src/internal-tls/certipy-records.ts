import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { isJsonObject, type Json, type JsonObject } from '../util/json.ts'
import type { ExternalAuthority } from './authorities.ts'

/**
 * What certipy keeps in `certipy.json` of the pairs in its folder.
 * Source: certipy 0.2, `CertStore`.
 * @param folder - as configured: certipy's paths are relative when that is.
 */
export function componentRecords(
  folder: string,
  content: {
    readonly authorities: readonly {
      readonly name: string
      readonly external: ExternalAuthority | undefined
    }[]
    /** Their authorities by name. */
    readonly components: Readonly<Record<string, string>>
  },
): JsonObject {
  const { authorities, components } = content
  const pathsOf = (name: string) => ({
    key: join(folder, name, `${name}.key`),
    cert: join(folder, name, `${name}.crt`),
  })
  const signeesOf = (authority: string) => {
    const signed = Object.entries(components).filter(([, signer]) => signer === authority)
    return signed.length === 0 ? null : Object.fromEntries(signed.map(([name]) => [name, 1]))
  }
  return {
    ...Object.fromEntries(
      authorities.map(({ name, external }) => [
        name,
        {
          serial: 0,
          is_ca: true,
          parent_ca: '',
          signees: signeesOf(name),
          files: { ...(external === undefined ? { ...pathsOf(name), ca: '' } : external) },
        },
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(components).map(([name, signer]) => [
        name,
        {
          serial: 0,
          is_ca: false,
          parent_ca: signer,
          signees: null,
          files: { ...pathsOf(name), ca: pathsOf(signer).cert },
        },
      ]),
    ),
  }
}

/**
 * Records of others stay, and ours with the notes that certipy made in them while the paths are the
 * same; a file that holds none counts as empty.
 */
export function mergeRecords(before: string | undefined, ours: JsonObject): string {
  const records: Record<string, Json | undefined> = { ...parse(before) }
  for (const [name, record] of Object.entries(ours)) {
    if (!isDeepStrictEqual(filesIn(records[name]), filesIn(record))) records[name] = record
  }
  return JSON.stringify(records, null, 4)
}

function filesIn(record: Json | undefined): Json | undefined {
  return isJsonObject(record) ? record['files'] : undefined
}

function parse(text: string | undefined): JsonObject {
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    return isJsonObject(value) ? value : {}
  } catch {
    return {}
  }
}
