import { expect, test } from 'vitest'
import { Turns } from './turns.ts'

const tooMany = () => new RangeError('too many')

test('work of one key follows in order, failures included; other keys do not wait', async () => {
  const turns = new Turns({ maxWaiting: 5 })
  const order: string[] = []
  const gate = Promise.withResolvers<void>()
  const first = turns.run('a', () => gate.promise.then(() => order.push('a1')), tooMany)
  const second = turns.run('a', () => Promise.reject(new TypeError('a2')), tooMany)
  const third = turns.run('a', async () => order.push('a3'), tooMany)
  await turns.run('b', async () => order.push('b'), tooMany)
  gate.resolve()
  await expect(second).rejects.toThrow('a2')
  await Promise.all([first, third])
  expect(order).toEqual(['b', 'a1', 'a3'])
})

test('a full queue refuses, and is empty again afterwards', async () => {
  const turns = new Turns({ maxWaiting: 1 })
  const gate = Promise.withResolvers<void>()
  const running = [1, 2].map(() => turns.run('a', () => gate.promise, tooMany))
  await expect(turns.run('a', async () => 1, tooMany)).rejects.toThrow('too many')
  gate.resolve()
  await Promise.all(running)
  expect(await turns.run('a', async () => 2, tooMany)).toBe(2)
})
