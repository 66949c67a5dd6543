import type { StepResult } from './session.ts'

/** One thing in which two answers to the same step are not the same. */
export interface Difference {
  /** `status`, `header location`, `cookie _xsrf on /hub/`, `body /0/name`. */
  readonly field: string
  readonly reference: string
  readonly other: string
}

const absent = '(absent)'

export function compareSteps(reference: StepResult, other: StepResult): Difference[] {
  const a = reference.capture
  const b = other.capture
  if ('failure' in a || 'failure' in b) {
    const show = (value: typeof a) => ('failure' in value ? value.failure : String(value.status))
    return [{ field: 'answer', reference: show(a), other: show(b) }]
  }
  return [
    ...compareValue('status', a.status, b.status),
    ...compareRecord('header', a.headers, b.headers),
    ...compareRecord('cookie', a.cookies, b.cookies),
    ...compareJson('body ', a.body, b.body),
  ]
}

function compareValue(field: string, a: unknown, b: unknown): Difference[] {
  if (JSON.stringify(a) === JSON.stringify(b)) return []
  const [reference, other] = [show(a), show(b)]
  // The text "1" and the number 1 would look the same.
  if (reference !== other) return [{ field, reference, other }]
  return [{ field, reference: `${typeof a} ${reference}`, other: `${typeof b} ${other}` }]
}

function compareRecord(
  kind: string,
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): Difference[] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()
  return names.flatMap((name) => compareValue(`${kind} ${name}`, a[name], b[name]))
}

function compareJson(path: string, a: unknown, b: unknown): Difference[] {
  if (isTextList(a) && isTextList(b)) return compareLists(path, a, b)
  if (isObject(a) && isObject(b) && Array.isArray(a) === Array.isArray(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])]
    return keys.flatMap((key) => compareJson(`${path}/${key}`, a[key], b[key]))
  }
  return compareValue(path, a, b)
}

/** What only one of them has; in the same order otherwise, or the lists are shown whole. */
function compareLists(field: string, a: readonly string[], b: readonly string[]): Difference[] {
  const [onlyA, onlyB] = [
    a.filter((item) => !b.includes(item)),
    b.filter((item) => !a.includes(item)),
  ]
  if (onlyA.length + onlyB.length === 0) return compareValue(field, a, b)
  return [{ field, reference: `only ${show(onlyA)}`, other: `only ${show(onlyB)}` }]
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function show(value: unknown): string {
  return value === undefined ? absent : typeof value === 'string' ? value : JSON.stringify(value)
}
