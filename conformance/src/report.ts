import { type Accepted, accepted } from './accepted.ts'
import { compareSteps, type Difference } from './compare.ts'
import type { Scenario } from './model.ts'
import type { Run } from './runner.ts'
import type { StepResult } from './session.ts'

/** The comparison of one step. */
export interface Comparison {
  readonly name: string
  readonly unexplained: readonly Difference[]
  readonly explained: readonly { readonly difference: Difference; readonly by: Accepted }[]
}

export interface Report {
  readonly comparisons: readonly Comparison[]
  /** Steps whose expected status the reference does not give: wrong cases. */
  readonly wrongCases: readonly string[]
}

export function compareRuns(scenarios: readonly Scenario[], reference: Run, other: Run): Report {
  const wrongCases = listWrongCases(scenarios, reference)
  const comparisons = scenarios.flatMap(({ name }) => {
    const theirs = reference.get(name) ?? []
    const ours = other.get(name) ?? []
    return theirs.flatMap((step, index) => compareOne(name, step, ours[index]))
  })
  return { comparisons, wrongCases }
}

/** What the reference answered otherwise than the case says. */
export function listWrongCases(scenarios: readonly Scenario[], reference: Run): string[] {
  return scenarios.flatMap(({ name }) =>
    (reference.get(name) ?? [])
      .filter(({ isExpected }) => !isExpected)
      .map((step) => `${name} › ${step.name}: expected ${step.expect}, got ${describe(step)}`),
  )
}

function describe({ capture }: StepResult): string {
  if ('failure' in capture) return capture.failure
  return `${capture.status} ${JSON.stringify(capture.body).slice(0, 300)}`
}

function compareOne(scenario: string, theirs: StepResult, ours: StepResult | undefined) {
  const name = `${scenario} › ${theirs.name}`
  if (ours === undefined) return []
  if (!theirs.isCompared) {
    if (ours.isExpected) return []
    const difference = { field: 'preparation', reference: describe(theirs), other: describe(ours) }
    return [{ name, unexplained: [difference], explained: [] }]
  }
  const unexplained: Difference[] = []
  const explained: Comparison['explained'][number][] = []
  for (const difference of compareSteps(theirs, ours)) {
    const by = accepted.find((entry) => matches(entry, name, difference))
    if (by === undefined) unexplained.push(difference)
    else explained.push({ difference, by })
  }
  return [{ name, unexplained, explained }]
}

function matches(entry: Accepted, name: string, difference: Difference): boolean {
  return (
    glob(entry.cases).test(name) &&
    glob(entry.field).test(difference.field) &&
    (entry.reference === undefined || glob(entry.reference).test(difference.reference)) &&
    (entry.other === undefined || glob(entry.other).test(difference.other))
  )
}

const globs = new Map<string, RegExp>()

function glob(pattern: string): RegExp {
  const known = globs.get(pattern)
  if (known !== undefined) return known
  const escaped = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[\\s\\S]*')
  const made = new RegExp(`^${escaped}$`)
  globs.set(pattern, made)
  return made
}

/** Accepted differences that nothing has shown: they are over, or never were. */
export function listUnused(reports: readonly Report[]): Accepted[] {
  const used = new Set(
    reports.flatMap(({ comparisons }) =>
      comparisons.flatMap(({ explained }) => explained.map(({ by }) => by)),
    ),
  )
  return accepted.filter((entry) => !used.has(entry))
}

/** Accepted differences that docs/reference/differences.md says nothing about. */
export function listUndocumented(page: string): string[] {
  const subjects = new Set(
    [...page.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) => {
      const subject = cell.trim()
      return /^D\d/.test(subject) ? subject.split(', ') : [subject]
    }),
  )
  const sources = new Set(accepted.map(({ source }) => source))
  return [...sources].filter((source) => !subjects.has(source.replace('differences: ', '')))
}

/** What is not as it should be, for people. */
export function formatProblems({ comparisons, wrongCases }: Report): string[] {
  const different = comparisons.filter(({ unexplained }) => unexplained.length > 0)
  return [
    ...different.flatMap(({ name, unexplained }) => [
      `  DIFFERENT ${name}`,
      ...unexplained.map(
        ({ field, reference, other }) =>
          `      ${field}: reference ${shorten(reference)}, here ${shorten(other)}`,
      ),
    ]),
    ...wrongCases.map((text) => `  WRONG CASE ${text}`),
  ]
}

const maxShown = 300

function shorten(text: string): string {
  return text.length > maxShown ? `${text.slice(0, maxShown)}…` : text
}

/** The reasons of accepted differences, with the number of steps that show them. */
export function formatAccepted(comparisons: readonly Comparison[]): string[] {
  const counts = new Map<string, number>()
  for (const { explained } of comparisons) {
    const reasons = explained.map(({ by }) => `${by.reason} (${by.source})`)
    for (const reason of new Set(reasons)) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  }
  return [...counts].map(([reason, count]) => `  accepted in ${count}: ${reason}`)
}
