import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes the totals of a vitest run to the file that ORRERY_TEST_REPORT names. vitest's own JSON reporter leaves out
 * why a test was skipped, and counts neither a file that does not load nor an error outside any test.
 */
export default class TotalsReporter {
  /**
   * @param {ReadonlyArray<import('vitest/node').TestModule>} modules
   * @param {ReadonlyArray<unknown>} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const totals = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    /** @type {import('./totals.mjs').SkippedTest[]} */
    const skippedTests = []
    for (const module of modules) {
      const failedBefore = totals.failed
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (result.state === 'passed') totals.passed += 1
        else if (result.state === 'skipped') {
          totals.skipped += 1
          skippedTests.push({ name: test.fullName, reason: result.note ?? 'no reason given' })
        } else totals.failed += 1
      }
      if (module.state() !== 'passed' && module.state() !== 'skipped') {
        totals.failed = Math.max(totals.failed, failedBefore + 1)
      }
    }
    const path = process.env.ORRERY_TEST_REPORT
    if (path === undefined) throw new Error('ORRERY_TEST_REPORT is not set')
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, JSON.stringify({ ...totals, skippedTests }))
  }
}
