import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addTotals, noTests, skipReasons, tapTotals, totalsLine, vitestTotals } from './totals.mjs'

const some = {
  passed: 3,
  failed: 0,
  skipped: 1,
  skippedTests: [{ name: 'a', reason: 'no Chromium' }],
}

void test('totals add up and print as one line', () => {
  const sum = addTotals([some, { ...noTests(), failed: 2 }, some])
  assert.equal(totalsLine(sum), '6 passed, 2 failed, 2 skipped')
  assert.deepEqual(skipReasons(sum.skippedTests), ['skipped 2: no Chromium'])
})

void test('a run without a report counts as a failure', () => {
  assert.equal(vitestTotals(undefined, 0).failed, 1)
})

void test('a run that fails without a failed test counts as a failure', () => {
  assert.equal(vitestTotals(some, 1).failed, 1)
  assert.equal(vitestTotals(some, 0).failed, 0)
})

void test('TAP totals and skip reasons are read', () => {
  const tap =
    'ok 1 - a\nok 2 - b # SKIP no engine\nok 3 - c # SKIP\n# pass 1\n# fail 0\n# cancelled 0\n# skipped 2\n# todo 0\n'
  const totals = tapTotals(tap, 0)
  assert.equal(totalsLine(totals), '1 passed, 0 failed, 2 skipped')
  assert.deepEqual(
    totals.skippedTests.map(({ reason }) => reason),
    ['no engine', 'no reason given'],
  )
})

void test('a TAP run that found no test is a failure', () => {
  assert.equal(tapTotals('# pass 0\n# fail 0\n', 0).failed, 1)
})
