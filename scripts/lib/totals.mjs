/** @typedef {{ name: string, reason: string }} SkippedTest */
/** @typedef {{ passed: number, failed: number, skipped: number, skippedTests: SkippedTest[] }} Totals */

/** @returns {Totals} */
export function noTests() {
  return { passed: 0, failed: 0, skipped: 0, skippedTests: [] }
}

/**
 * @param {readonly Totals[]} all
 * @returns {Totals}
 */
export function addTotals(all) {
  return {
    passed: all.reduce((sum, { passed }) => sum + passed, 0),
    failed: all.reduce((sum, { failed }) => sum + failed, 0),
    skipped: all.reduce((sum, { skipped }) => sum + skipped, 0),
    skippedTests: all.flatMap(({ skippedTests }) => skippedTests),
  }
}

/** @param {Totals} totals */
export function totalsLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

/**
 * Skipped tests by reason, most frequent first.
 * @param {readonly SkippedTest[]} skippedTests
 * @returns {string[]} one line per reason
 */
export function skipReasons(skippedTests) {
  /** @type {Map<string, number>} */
  const counts = new Map()
  for (const { reason } of skippedTests) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `skipped ${count}: ${reason}`)
}

/**
 * Reads what the file written by `vitest-reporter.mjs` holds. A run that wrote none, or that failed without a
 * failed test, counts as one failure.
 * @param {unknown} report
 * @param {number} exitCode
 * @returns {Totals}
 */
export function vitestTotals(report, exitCode) {
  const totals = isTotals(report) ? report : noTests()
  return exitCode !== 0 || !isTotals(report) ? withFailure(totals) : totals
}

/**
 * Reads the TAP output of Node's test runner.
 * @param {string} tap
 * @param {number} exitCode
 * @returns {Totals}
 */
export function tapTotals(tap, exitCode) {
  const count = (/** @type {string} */ name) =>
    Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(tap)?.[1] ?? 0)
  const skips = tap.matchAll(/^\s*ok \d+ - (.*?) # (?:SKIP|TODO)(?: (.*))?$/gm)
  const totals = {
    passed: count('pass'),
    failed: count('fail') + count('cancelled'),
    skipped: count('skipped') + count('todo'),
    skippedTests: [...skips].map(([, name = '', reason = 'no reason given']) => ({ name, reason })),
  }
  return exitCode === 0 && totals.passed > 0 ? totals : withFailure(totals)
}

/**
 * @param {Totals} totals
 * @returns {Totals}
 */
function withFailure(totals) {
  return totals.failed > 0 ? totals : { ...totals, failed: 1 }
}

/**
 * @param {unknown} value
 * @returns {value is Totals}
 */
function isTotals(value) {
  return typeof value === 'object' && value !== null && 'passed' in value && 'skippedTests' in value
}
