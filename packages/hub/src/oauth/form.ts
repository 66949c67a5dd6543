/** Fields of a query or a form in the order sent; a name may occur several times. */
export interface FormFields {
  /** The first value; `undefined` when the field is absent. */
  get(name: string): string | undefined
  getAll(name: string): readonly string[]
  /** First value as it stood in the input, still percent-encoded. */
  getRaw(name: string): string | undefined
}

/** No request of the protocol comes near it. */
const maxFields = 1000

/**
 * Reads `application/x-www-form-urlencoded` text.
 * @returns `undefined` for malformed text: a broken percent escape, bytes that are no UTF-8, or
 *   more than 1000 fields
 */
export function parseForm(text: string): FormFields | undefined {
  const pairs = text === '' ? [] : text.split('&', maxFields + 1)
  if (pairs.length > maxFields) return undefined
  const values = new Map<string, string[]>()
  const raw = new Map<string, string>()
  for (const pair of pairs) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals === -1 ? pair : pair.slice(0, equals))
    const rawValue = equals === -1 ? '' : pair.slice(equals + 1)
    const value = decode(rawValue)
    if (name === undefined || value === undefined) return undefined
    const list = values.get(name)
    if (list === undefined) {
      values.set(name, [value])
      raw.set(name, rawValue)
    } else {
      list.push(value)
    }
  }
  return fieldsOf(values, raw)
}

function fieldsOf(
  values: ReadonlyMap<string, string[]>,
  raw: ReadonlyMap<string, string>,
): FormFields {
  return {
    get: (name) => values.get(name)?.[0],
    getAll: (name) => values.get(name) ?? [],
    getRaw: (name) => raw.get(name),
  }
}

/** `+` is a space here, unlike in `decodeURIComponent`. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/** One field as it goes into a query: percent-encoded, a space as `+`. */
export function encodeField(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+')
}
