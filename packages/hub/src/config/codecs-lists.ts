import {
  type Codec,
  type DecodeContext,
  isPlainObject,
  lastText,
  mismatch,
  type ValueOf,
  ValueMismatch,
  within,
} from './codec.ts'
import { text } from './codecs.ts'
import { parseLiteral } from './literal.ts'
import { type CamelCase, findNearestName, toCamelCase } from './names.ts'

/** Most entries of one list or object that is read: far beyond any real configuration. */
const maxEntries = 100_000

export function listOf<Item>(item: Codec<Item>): Codec<readonly Item[]> {
  return {
    describe: `list of ${item.describe}`,
    container: 'list',
    decode: (value, context) => Object.freeze(decodeItems(toItems(value, 'a list'), item, context)),
    fromTexts: (texts) => listFromTexts(texts, item),
  }
}

export const stringList = listOf(text)

/** Names without order; what is given twice counts once. */
export const stringSet: Codec<ReadonlySet<string>> = {
  describe: 'set of strings',
  container: 'set',
  decode: (value, context) => new Set(decodeItems(toItems(value, 'a set'), text, context)),
  fromTexts: (texts) => listFromTexts(texts, text),
}

/** Command and arguments; a single string is the command alone, as in JupyterHub (not split). */
export const command: Codec<readonly string[]> = {
  describe: 'command (string or list of strings)',
  container: 'list',
  decode(value, context) {
    if (typeof value === 'string') return Object.freeze([text.decode(value, context)])
    return Object.freeze(decodeItems(toItems(value, 'a command'), text, context))
  },
  fromTexts: (texts) => listFromTexts(texts, text),
}

/** Two numbers, the first not above the second. */
export function rangeOf(codec: Codec<number>): Codec<readonly [number, number]> {
  return {
    describe: `two of ${codec.describe}, lowest first`,
    decode(value, context) {
      const [low, high, ...rest] = decodeItems(toItems(value, 'two numbers'), codec, context)
      if (low === undefined || high === undefined || rest.length > 0 || low > high) {
        throw new ValueMismatch('expected two numbers, the lowest first.')
      }
      return Object.freeze([low, high] as const)
    },
    fromTexts: (texts) => listFromTexts(texts, codec),
  }
}

export function mapOf<Value>(item: Codec<Value>): Codec<Readonly<Record<string, Value>>> {
  return {
    describe: `object of ${item.describe}`,
    container: 'object',
    decode(value, context) {
      if (!isPlainObject(value)) return mismatch('an object', value)
      const entries = Object.entries(value)
      if (entries.length > maxEntries) throw new ValueMismatch('has too many entries.')
      return freezeEntries(
        entries.map(([key, entry]) => [key, within(`'${key}'`, () => item.decode(entry, context))]),
      )
    },
    fromTexts: objectFromTexts,
  }
}

export interface Field<Value> {
  readonly codec: Codec<Value>
  readonly required: boolean
}

export function required<Value>(codec: Codec<Value>): Field<Value> & { readonly required: true } {
  return { codec, required: true }
}

export function optional<Value>(codec: Codec<Value>): Field<Value> & { readonly required: false } {
  return { codec, required: false }
}

type Fields = Readonly<Record<string, Field<unknown>>>

/** Every key is there; optional ones that were left out are `undefined`. */
export type StructValue<F extends Fields> = {
  readonly [K in keyof F & string as CamelCase<K>]:
    | ValueOf<F[K]['codec']>
    | (F[K]['required'] extends true ? never : undefined)
}

interface StructOptions {
  /** Keys that JupyterHub reads and Orrery does not: a warning instead of an error. */
  readonly ignored?: readonly string[]
  /** What unknown keys do; `error` unless the original takes any key. */
  readonly unknown?: 'error' | 'warn'
}

/** An object with known keys, `snake_case` outside and camelCase inside. */
export function struct<const F extends Fields>(
  fields: F,
  options: StructOptions = {},
): Codec<StructValue<F>> {
  return {
    describe: 'object',
    container: 'object',
    decode(value, context) {
      if (!isPlainObject(value)) return mismatch('an object', value)
      checkKeys(Object.keys(value), { known: Object.keys(fields), ...options }, context)
      const entries = Object.entries(fields).map(([key, field]): [string, unknown] => [
        toCamelCase(key),
        decodeField({ key, field, value: value[key] }, context),
      ])
      // The entries were made from the same table as the type.
      return freezeEntries(entries) as StructValue<F>
    },
    fromTexts: objectFromTexts,
  }
}

/** Anything JSON can hold, frozen. */
export const jsonValue: Codec<unknown> = {
  describe: 'JSON value',
  decode: (value) => toJsonValue(value, 0),
  fromTexts: (texts) => parseLiteral(lastText(texts))?.value ?? lastText(texts),
}

/** An object whose values are left as they are. */
export const jsonObject = mapOf(jsonValue)

function decodeField(
  { key, field, value }: { key: string; field: Field<unknown>; value: unknown },
  context: DecodeContext,
): unknown {
  if (value === undefined || (value === null && !field.required)) {
    if (field.required) throw new ValueMismatch(`'${key}' is missing.`)
    return undefined
  }
  return within(`'${key}'`, () => field.codec.decode(value, context))
}

function checkKeys(
  keys: readonly string[],
  { known, ignored = [], unknown = 'error' }: StructOptions & { readonly known: readonly string[] },
  context: DecodeContext,
): void {
  for (const key of keys) {
    if (known.includes(key)) continue
    if (ignored.includes(key) || unknown === 'warn') {
      context.warn(`'${key}' is not supported yet and was ignored.`)
      continue
    }
    const nearest = findNearestName(key, [...known, ...ignored])
    const hint =
      nearest === undefined ? `Known: ${known.join(', ')}.` : `Did you mean '${nearest}'?`
    throw new ValueMismatch(`unknown key '${key}'. ${hint}`)
  }
}

function toItems(value: unknown, expected: string): readonly unknown[] {
  if (value instanceof Set) return [...value]
  if (Array.isArray(value)) return value as readonly unknown[]
  return mismatch(expected, value)
}

function decodeItems<Item>(
  items: readonly unknown[],
  item: Codec<Item>,
  context: DecodeContext,
): Item[] {
  if (items.length > maxEntries) throw new ValueMismatch('has too many entries.')
  return items.map((entry, index) => within(`item ${index + 1}`, () => item.decode(entry, context)))
}

/** `--X.list=a --X.list=b` and `--X.list="['a', 'b']"` are the same list. */
function listFromTexts(texts: readonly string[], item: Codec<unknown>): unknown {
  const only = texts.length === 1 ? parseLiteral(lastText(texts))?.value : undefined
  if (Array.isArray(only) || only instanceof Set) return only
  return texts.map((entry) => item.fromTexts([entry]))
}

/** `--X.object="{'a': 1}"` and `--X.object=a=1 --X.object=b=2`. */
function objectFromTexts(texts: readonly string[]): unknown {
  const literal = parseLiteral(lastText(texts))?.value
  if (isPlainObject(literal)) return literal
  return Object.fromEntries(
    texts.map((pair) => {
      const split = pair.indexOf('=')
      if (split < 1) throw new ValueMismatch(`expected key=value, got '${pair}'.`)
      return [pair.slice(0, split), pair.slice(split + 1)]
    }),
  )
}

function toJsonValue(value: unknown, depth: number): unknown {
  if (depth > 50) throw new ValueMismatch('is nested too deeply.')
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (value instanceof Set) return toJsonValue([...value], depth)
  if (Array.isArray(value)) {
    return Object.freeze(value.map((item) => toJsonValue(item, depth + 1)))
  }
  if (!isPlainObject(value)) return mismatch('a plain value', value)
  return freezeEntries(
    Object.entries(value).map(([key, item]) => [key, toJsonValue(item, depth + 1)]),
  )
}

/** Own properties only, so that a key named `__proto__` stays a key. */
function freezeEntries<Value>(
  entries: readonly (readonly [string, Value])[],
): Readonly<Record<string, Value>> {
  return Object.freeze(Object.fromEntries(entries))
}
