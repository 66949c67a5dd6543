import type { ClientError, Result } from '@orrery/client'
import { type Column, formatFields, formatTable, printable } from './table.ts'
import type { Terminal } from './terminal.ts'

/** What went wrong, with what it was about. */
export interface Problem {
  /** Such as the name of a user; `undefined` when the whole command failed. */
  readonly subject?: string
  readonly error: ClientError | { readonly kind: 'failed'; readonly message: string }
}

/** What a command has to say: for people as text, for programs always as {@link toJson}. */
export interface Outcome {
  readonly data: unknown
  /** For lists: how many there are in all, where that is known. */
  readonly total?: number | undefined
  readonly problems: readonly Problem[]
  /** `undefined` prints nothing. */
  readonly text: (terminal: Terminal) => string | undefined
}

export function listOutcome<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  options: { readonly total?: number | undefined } = {},
): Outcome {
  return {
    data: items,
    total: options.total,
    problems: [],
    text: (terminal) => formatTable(items, columns, (text) => terminal.heading(text)),
  }
}

export function oneOutcome<T>(item: T, columns: readonly Column<T>[]): Outcome {
  return { data: item, problems: [], text: () => formatFields(item, columns) }
}

export function failedOutcome(error: Problem['error']): Outcome {
  return { data: null, problems: [{ error }], text: () => undefined }
}

/** The outcome of a call, shown when it succeeded. */
export function resultOutcome<T>(result: Result<T>, show: (value: T) => Outcome): Outcome {
  return result.ok ? show(result.value) : failedOutcome(result.error)
}

/**
 * Does the same to each subject, to some at a time where each takes long; one that fails does not
 * keep the rest. The outcome has them in the order in which they were named.
 */
export async function eachOutcome(
  subjects: readonly string[],
  act: (subject: string) => Promise<Result<string>>,
  { atOnce = 1 }: { readonly atOnce?: number } = {},
): Promise<Outcome> {
  const results = new Map<number, Result<string>>()
  const waiting = [...subjects.entries()]
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, subject] = next
      const result = await act(subject)
      results.set(index, result)
      if (!result.ok && result.error.kind === 'aborted') waiting.length = 0
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  const done: { subject: string; result: string }[] = []
  const problems: Problem[] = []
  for (const [index, subject] of subjects.entries()) {
    const result = results.get(index)
    if (result?.ok === true) done.push({ subject, result: result.value })
    if (result?.ok === false) problems.push({ subject, error: result.error })
  }
  return doneOutcome(done, problems)
}

export function doneOutcome(
  done: readonly { readonly subject: string; readonly result: string }[],
  problems: readonly Problem[] = [],
): Outcome {
  const lines = done.map(({ subject, result }) => `${printable(subject)}: ${result}`)
  return { data: done, problems, text: () => (lines.length === 0 ? undefined : lines.join('\n')) }
}

/** A result with the word that people read for it. */
export function say(result: Result<unknown>, word: string): Result<string> {
  return result.ok ? { ...result, value: word } : result
}

/** `ada`, `ada and bob`, `120 users`. */
export function describeMany(names: readonly string[], noun: string): string {
  return names.length <= 3 ? names.map(printable).join(' and ') : `${names.length} ${noun}`
}

/**
 * The one shape of `--json`: `ok`, `data` (a list, an object, or null), `errors`, and `total` with
 * lists that know it.
 */
export function toJson({ data, total, problems }: Outcome): string {
  const errors = problems.map(({ subject, error }) => ({
    subject: subject ?? null,
    kind: error.kind,
    status: 'status' in error ? error.status : null,
    message: error.message,
  }))
  const document = { ok: errors.length === 0, data, ...(total !== undefined && { total }), errors }
  return JSON.stringify(document, null, 2)
}

export function describeProblem({ subject, error }: Problem): string {
  const message = printable(error.message)
  return subject === undefined ? message : `${printable(subject)}: ${message}`
}
