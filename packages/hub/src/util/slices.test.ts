import { expect, test } from 'vitest'
import { Slices } from './slices.ts'

test('work in slices lets others have their turn all the while', async () => {
  let turns = 0
  let isOver = false
  const others = (): void => {
    turns += 1
    if (!isOver) setImmediate(others)
  }
  setImmediate(others)
  const slices = new Slices()
  const endsAt = performance.now() + 50
  let taken = 0
  while (performance.now() < endsAt) {
    if (!slices.isOver) continue
    await slices.next()
    taken += 1
  }
  isOver = true
  expect(taken).toBeGreaterThan(0)
  expect(turns).toBeGreaterThanOrEqual(taken)
})
