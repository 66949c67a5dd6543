import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { soak } from '../../../../bench/src/soak.ts'

// Beside other tests: it waits more than it works.
test('two minutes of aborts, dead servers, killed workers and lost clients leave nothing behind', async ({
  skip,
}) => {
  if (!existsSync('/proc/self/fd')) return skip('no /proc on this machine')
  let series = ''
  const report = await soak({ seconds: 110, print: (text) => (series += text) })
  const bad = report.findings.filter(({ isGood }) => !isGood).map(({ text }) => text)
  expect(bad, series).toEqual([])
  expect(Object.entries(report.counts).filter(([, count]) => count < 3)).toEqual([])
  expect(Object.keys(report.counts)).toContain('worker that is killed')
}, 300_000)
