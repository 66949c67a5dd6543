import { expect, test } from 'vitest'
import { DependentCache } from './dependent-cache.ts'

function create(maxEntries = 10) {
  const clock = { now: 0 }
  return { clock, cache: new DependentCache<number>({ maxEntries, now: () => clock.now }) }
}

/** A read that answers with how often it was made, when told to. */
function countingRead(dependsOn: string[] = ['a'], validUntil = Infinity) {
  let reads = 0
  const read = async () => ({ value: (reads += 1), dependsOn, validUntil })
  return { read, count: () => reads }
}

test('a value is read once until something that it depends on changes', async () => {
  const { cache } = create()
  const { read } = countingRead(['a', 'b'])
  const value = async () => (await cache.get('key', read))?.value
  expect([await value(), await value()]).toEqual([1, 1])
  cache.invalidate(['c'])
  expect(await value()).toBe(1)
  cache.invalidate(['b'])
  expect(await value()).toBe(2)
  cache.clear()
  expect(await value()).toBe(3)
})

test('a value ends at its instant', async () => {
  const { cache, clock } = create()
  const { read } = countingRead(['a'], 5)
  await cache.get('key', read)
  clock.now = 5
  expect(cache.peek('key')?.value).toBe(1)
  clock.now = 6
  expect(cache.peek('key')).toBeUndefined()
})

test('a change during a read keeps its result from everyone', async () => {
  const { cache } = create()
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let reads = 0
  const read = async () => {
    const value = (reads += 1)
    await gates[value - 1]?.promise
    return { value, dependsOn: ['a'], validUntil: Infinity }
  }
  const early = cache.get('key', read)
  cache.invalidate(['a'])
  const late = cache.get('key', read)
  gates[1]?.resolve()
  expect((await late)?.value).toBe(2)
  gates[0]?.resolve()
  expect((await early)?.value).toBe(2)
  expect(reads).toBe(2)
})

test('sources that never rest make the read fail instead of going on for ever', async () => {
  const { cache } = create()
  const read = async () => {
    await Promise.resolve() // until the cache knows of the read
    cache.invalidate(['a'])
    return { value: 1, dependsOn: ['a'], validUntil: Infinity }
  }
  await expect(cache.get('key', read)).rejects.toMatchObject({ code: 'store_busy' })
})

test('concurrent callers share a read, and missing values are read again', async () => {
  const { cache } = create()
  const { read, count } = countingRead()
  await Promise.all([cache.get('key', read), cache.get('key', read)])
  expect(count()).toBe(1)
  let misses = 0
  const miss = async () => {
    misses += 1
    return undefined
  }
  await cache.get('other', miss)
  await cache.get('other', miss)
  expect(misses).toBe(2)
})

test('above its size the oldest entries go, the used ones stay', async () => {
  const { cache, clock } = create(2)
  const { read } = countingRead()
  await cache.get('first', read)
  await cache.get('second', read)
  clock.now = 20_000
  cache.peek('first')
  await cache.get('third', read)
  expect(cache.size).toBe(2)
  expect(cache.peek('first')?.value).toBe(1)
  expect(cache.peek('second')).toBeUndefined()
})
