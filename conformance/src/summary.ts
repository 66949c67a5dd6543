import { readFileSync } from 'node:fs'
import { paths } from './paths.ts'
import { formatAccepted, listUndocumented, listUnused, type Report } from './report.ts'
import type { PassResult } from './schemathesis.ts'

/** The end of a run. */
export interface Summary {
  /** Equal answers, and runs of schemathesis that found nothing. */
  readonly passed: number
  readonly failed: number
  readonly skippedTests: readonly { readonly name: string; readonly reason: string }[]
  /** For people. */
  readonly lines: readonly string[]
  /** For programs. */
  readonly details?: unknown
}

interface SummaryInput {
  readonly reports: readonly Report[]
  readonly passes: readonly PassResult[]
  /** Only a whole run can tell that an accepted difference is over. */
  readonly isEverything: boolean
}

export function summarise({ reports, passes, isEverything }: SummaryInput): Summary {
  const comparisons = reports.flatMap((report) => report.comparisons)
  const wrongCases = reports.flatMap((report) => report.wrongCases)
  const unused = isEverything ? listUnused(reports) : []
  const undocumented = listUndocumented(readFileSync(paths.differences, 'utf8'))
  const equal = comparisons.filter(({ unexplained }) => unexplained.length === 0)
  const explained = equal.filter((entry) => entry.explained.length > 0)
  const good = passes.filter(({ isGood }) => isGood)
  const bad = passes.filter(({ isGood }) => !isGood)
  const failed =
    comparisons.length - equal.length + [...wrongCases, ...unused, ...undocumented, ...bad].length
  return {
    passed: equal.length + good.length,
    failed,
    skippedTests: [],
    details: { comparisons, wrongCases, unused, undocumented, passes },
    lines: [
      ...unused.map(({ cases, field, reason }) => {
        return `  ACCEPTED FOR NOTHING ${cases}, ${field}: ${reason}`
      }),
      ...undocumented.map((source) => `  NOT WRITTEN DOWN ${source}`),
      ...formatAccepted(comparisons),
      ...bad.flatMap(({ name, output }) => [`  SCHEMATHESIS ${name}`, output]),
      ...good.map(({ name, output }) => `  schemathesis, ${name}: ${countCases(output)}`),
      ...(comparisons.length === 0
        ? []
        : [
            `${equal.length} of ${comparisons.length} equal (${explained.length} with accepted differences)`,
          ]),
    ],
  }
}

function countCases(output: string): string {
  return /(\d+ generated, .*)$/m.exec(output)?.[1] ?? 'no count'
}
