import { afterEach, expect, test, vi } from 'vitest'
import { Deadlines, nowMs } from './deadlines.ts'

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

test('a deadline strikes once; time in which the process stood still does not count', () => {
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] })
  const deadlines = new Deadlines(100)
  const strikes: number[] = []
  deadlines.add({ deadlineMs: nowMs() + 500, onDeadline: () => void strikes.push(nowMs()) })
  deadlines.add({ deadlineMs: 0, onDeadline: () => void strikes.push(0) })
  vi.advanceTimersByTime(200)
  // A minute without a look: timers that are due in it run once, after it.
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + 60_000)
  vi.advanceTimersByTime(200)
  expect(strikes).toEqual([])
  vi.advanceTimersByTime(1000)
  expect(strikes).toHaveLength(1)
  deadlines.close()
})
