import {
  type Codec,
  describeKind,
  lastText,
  mismatch,
  Unsupported,
  ValueMismatch,
} from './codec.ts'
import { parseLiteral } from './literal.ts'

export const boolean: Codec<boolean> = {
  describe: 'boolean',
  decode: (value) => (typeof value === 'boolean' ? value : mismatch('true or false', value)),
  fromTexts(texts) {
    const text = lastText(texts).toLowerCase()
    if (text === 'true' || text === '1') return true
    if (text === 'false' || text === '0') return false
    throw new ValueMismatch('expected true or false (or 1, 0).')
  },
}

interface Range {
  readonly min?: number
  readonly max?: number
}

export function integer(range: Range = {}): Codec<number> {
  return {
    describe: `integer${describeRange(range)}`,
    decode(value) {
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
        return mismatch('an integer', value)
      }
      return inRange(value, range)
    },
    fromTexts: numberFromTexts,
  }
}

export function float(range: Range = {}): Codec<number> {
  return {
    describe: `number${describeRange(range)}`,
    decode(value) {
      if (typeof value !== 'number' || !Number.isFinite(value)) return mismatch('a number', value)
      return inRange(value, range)
    },
    fromTexts: numberFromTexts,
  }
}

/** A TCP port; 0 where the system is to choose one. */
export const port = integer({ min: 0, max: 65_535 })

/** Any text. NUL is refused: no path, address or environment variable can hold it. */
export const text: Codec<string> = {
  describe: 'string',
  decode(value) {
    if (typeof value !== 'string') return mismatch('a string', value)
    if (value.includes('\0')) throw new ValueMismatch('contains a NUL character.')
    return value
  },
  fromTexts: lastText,
}

/** One of the given words, in any case. */
export function oneOf<const Words extends readonly string[]>(
  ...values: Words
): Codec<Words[number]> {
  const list = values.map((value) => `'${value}'`).join(', ')
  return {
    describe: `one of ${list}`,
    decode(value) {
      if (typeof value !== 'string') return mismatch(`one of ${list}`, value)
      const found = values.find((word) => word.toLowerCase() === value.toLowerCase())
      if (found === undefined) throw new ValueMismatch(`expected one of ${list}, got '${value}'.`)
      return found
    },
    fromTexts: lastText,
  }
}

/** The value, or `undefined` for `None` and `null`. */
export function nullable<Value>(codec: Codec<Value>): Codec<Value | undefined> {
  return {
    ...codec,
    describe: `${codec.describe}, or None`,
    decode: (value, context) =>
      value === null || value === undefined ? undefined : codec.decode(value, context),
    fromTexts: (texts) => (lastText(texts) === 'None' ? null : codec.fromTexts(texts)),
  }
}

/** A regular expression in the syntax that JavaScript and Python share; `undefined` when empty. */
export const pattern: Codec<RegExp | undefined> = {
  describe: 'regular expression',
  decode(value, context) {
    const source = text.decode(value, context)
    if (source === '') return undefined
    try {
      return new RegExp(source.replaceAll('(?P<', '(?<'), 'u')
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new ValueMismatch(`not a regular expression that Orrery understands: ${reason}.`)
    }
  },
  fromTexts: lastText,
}

/** Text that came from a function would differ per user; only fixed text is taken. */
export function fixedText(purpose: string): Codec<string> {
  return {
    ...text,
    decode(value, context) {
      if (value instanceof Unsupported || typeof value === 'function') {
        throw new ValueMismatch(
          `a ${describeKind(value)} cannot be used here: Orrery takes ${purpose} as fixed text.`,
        )
      }
      return text.decode(value, context)
    },
  }
}

function numberFromTexts(texts: readonly string[]): unknown {
  const value = parseLiteral(lastText(texts))?.value
  if (typeof value === 'number') return value
  throw new ValueMismatch(`expected a number, got '${lastText(texts)}'.`)
}

function inRange(value: number, range: Range): number {
  const low = range.min !== undefined && value < range.min
  const high = range.max !== undefined && value > range.max
  if (low || high) throw new ValueMismatch(`${value} is out of range${describeRange(range)}.`)
  return value
}

function describeRange({ min, max }: Range): string {
  if (min !== undefined && max !== undefined) return ` (${min} to ${max})`
  if (min !== undefined) return ` (at least ${min})`
  return max === undefined ? '' : ` (at most ${max})`
}
