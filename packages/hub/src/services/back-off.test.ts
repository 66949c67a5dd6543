import { expect, test } from 'vitest'
import { BackOff } from './back-off.ts'

test('pauses double up to a minute, and begin anew after a good run', () => {
  const backOff = new BackOff(() => 0.5)
  const pauses = Array.from({ length: 8 }, () => backOff.next(500) / 1000)
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
  expect(backOff.next(60_000)).toBe(1_000)
  expect(backOff.next(0)).toBe(2_000)
})

test('pauses vary by a quarter, so that services do not start in step', () => {
  expect(new BackOff(() => 0).next(0)).toBe(750)
  expect(new BackOff(() => 1).next(0)).toBe(1_250)
})
