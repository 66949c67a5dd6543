/** What a codec may tell besides its result. */
export interface DecodeContext {
  /** Reports something that is ignored, without refusing the value. */
  warn(message: string): void
}

/** Whether edits such as `append` and `update` make sense for a value, and on what they start. */
export type Container = 'list' | 'set' | 'object'

/**
 * Reads one kind of option. `decode` takes a plain value as a configuration file gives it (Python
 * sets arrive as `Set`, bytes as `Uint8Array`) and returns what the hub works with.
 */
export interface Codec<Value> {
  /** For messages and reference pages: `integer`, `list of strings`. */
  readonly describe: string
  readonly container?: Container
  /** @throws ValueMismatch for a value of another shape */
  decode(value: unknown, context: DecodeContext): Value
  /**
   * What was typed on the command line, as a value for {@link Codec.decode}; one text for every
   * time the option was given, at least one.
   */
  fromTexts(texts: readonly string[]): unknown
}

export type ValueOf<C> = C extends Codec<infer Value> ? Value : never

/** A value that an option cannot take. `message` reads after "Spawner.port: ". */
export class ValueMismatch extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ValueMismatch'
  }
}

/** Something a configuration file computed that has no form as data: a function, class or object. */
export class Unsupported {
  /** What it is, for messages: `function pre_spawn_hook`. */
  readonly description: string
  /** Import path when it is a class, so that the known ones can be recognised. */
  readonly className: string | undefined

  constructor(description: string, className?: string) {
    this.description = description
    this.className = className
  }
}

/** Fails with what was expected and what came instead, the value itself left out: it may be secret. */
export function mismatch(expected: string, value: unknown): never {
  if (value instanceof Unsupported) {
    throw new ValueMismatch(
      `a ${value.description} cannot be used here: Orrery takes plain values (${expected}) only.`,
    )
  }
  throw new ValueMismatch(`expected ${expected}, got ${describeKind(value)}.`)
}

/** Adds where inside a nested value the mismatch is. */
export function within<Result>(place: string, read: () => Result): Result {
  try {
    return read()
  } catch (error) {
    if (error instanceof ValueMismatch) throw new ValueMismatch(`${place}: ${error.message}`)
    throw error
  }
}

export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

export function describeKind(value: unknown): string {
  if (value === null || value === undefined) return 'nothing (None, null)'
  if (value instanceof Unsupported) return value.description
  if (value instanceof Uint8Array) return 'bytes'
  if (value instanceof Set) return 'a set'
  if (Array.isArray(value)) return 'a list'
  switch (typeof value) {
    case 'number':
      return Number.isInteger(value) ? 'an integer' : 'a number'
    case 'string':
      return 'a string'
    case 'boolean':
      return 'a boolean'
    case 'function':
      return `function ${value.name}`.trimEnd()
    default:
      return 'an object'
  }
}

/** The last of several texts: where an option takes one value, the last one given counts. */
export function lastText(texts: readonly string[]): string {
  return texts.at(-1) ?? ''
}
