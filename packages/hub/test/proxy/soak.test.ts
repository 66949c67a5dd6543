import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { describe, isFlat, soak } from '../../../../bench/src/soak.ts'

test('after aborts, restarts, dead servers and abandoned WebSockets nothing is kept', async ({
  skip,
}) => {
  if (!existsSync('/proc/self/fd')) return skip('no /proc on this machine')
  const report = await soak({ seconds: 30 })
  const rest = `${describe(report.before)}, then ${describe(report.after)}`
  expect(report.unexpected).toEqual([])
  expect(Object.values(report.counts).every((count) => count > 3)).toBe(true)
  expect(isFlat(report), rest).toBe(true)
}, 180_000)
