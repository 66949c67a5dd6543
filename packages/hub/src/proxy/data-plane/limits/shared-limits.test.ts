import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyHash } from './key-hash.ts'
import { sharedNowMs } from './limit-memory.ts'
import type { StressData } from './limit-stress-test-kit.ts'
import { createSeatMemory, Seats } from './seats.ts'
import { createRateMemory, maxRateKeys, TokenBuckets } from './token-buckets.ts'

const hashKey = [1, 2] as const

/** As several workers see them. */
function bucketsOf(workers: number, perSecond: number, burstSeconds: number): TokenBuckets[] {
  const memory = createRateMemory()
  return Array.from(
    { length: workers },
    (_, worker) => new TokenBuckets({ perSecond, burstSeconds }, memory, hashKey, worker),
  )
}

function seatsOf(workers: number, limit: number): Seats[] {
  const memory = createSeatMemory(workers)
  return Array.from({ length: workers }, (_, worker) => new Seats(limit, memory, hashKey, worker))
}

const [buckets2] = [bucketsOf(1, 2, 3)[0] as TokenBuckets]

test('a bucket grants its burst at once, then the rate', () => {
  const taken = Array.from({ length: 8 }, () => buckets2.take('a', 1000))
  expect(taken.filter((wait) => wait === 0)).toHaveLength(6)
  expect(taken.at(-1)).toBe(500)
  expect(buckets2.take('b', 1000)).toBe(0)
  expect(buckets2.take('a', 1499)).toBeGreaterThan(0)
  expect(buckets2.take('a', 1500)).toBe(0)
  expect(buckets2.take('a', 1500)).toBe(500)
})

test('rates are those of a plain bucket, whichever worker is asked', () => {
  const uses = fc.array(fc.record({ gap: fc.nat(400), key: fc.nat(3), worker: fc.nat(2) }), {
    minLength: 1,
    maxLength: 200,
  })
  const property = fc.property(fc.integer({ min: 1, max: 20 }), uses, (rate, list) => {
    const burst = 2
    const workers = bucketsOf(3, rate, burst)
    const plain = new Map<number, { tokens: number; at: number }>()
    let now = 1e9
    for (const { gap, key, worker } of list) {
      now += gap
      const known = plain.get(key) ?? { tokens: rate * burst, at: now }
      const tokens = Math.min(rate * burst, known.tokens + ((now - known.at) / 1000) * rate)
      const isGranted = tokens > 1 - 1e-6
      plain.set(key, { tokens: isGranted ? tokens - 1 : tokens, at: now })
      expect(workers[worker]?.take(`user ${key}`, now) === 0).toBe(isGranted)
    }
  })
  fc.assert(property, { numRuns: 200 })
})

test('seats are those of a plain count, whichever worker is asked and whichever ends', () => {
  const steps = fc.array(
    fc.record({
      kind: fc.constantFrom('take', 'take', 'leave', 'end'),
      key: fc.nat(4),
      worker: fc.nat(2),
    }),
    { maxLength: 120 },
  )
  const property = fc.property(fc.integer({ min: 1, max: 5 }), steps, (limit, list) => {
    const workers = seatsOf(3, limit)
    const plain: { key: number; worker: number; place: number }[] = []
    for (const { kind, key, worker } of list) {
      const seats = workers[worker] as Seats
      if (kind === 'take') {
        const place = seats.take(`user ${key}`)
        const isFree = plain.filter((one) => one.key === key).length < limit
        expect(place !== -1).toBe(isFree)
        if (isFree) plain.push({ key, worker, place })
      } else if (kind === 'leave') {
        const at = plain.findIndex((one) => one.key === key && one.worker === worker)
        if (at !== -1) seats.release(plain.splice(at, 1)[0]?.place ?? -1)
      } else {
        ;(workers[(worker + 1) % 3] as Seats).giveBack(worker)
        for (let i = plain.length - 1; i >= 0; i -= 1)
          if (plain[i]?.worker === worker) plain.splice(i, 1)
      }
      expect(seats.count()).toBe(plain.length)
    }
  })
  fc.assert(property, { numRuns: 60 })
})

test('a hundred thousand keys take no more memory, and who has most to wait for is not forgotten', () => {
  const [buckets] = bucketsOf(1, 1, 10) as [TokenBuckets]
  for (let i = 0; i < 10; i += 1) buckets.take('busy', 0)
  for (let i = 0; i < 6 * maxRateKeys; i += 1) buckets.take(`address ${i}`, 0)
  expect(buckets.take('busy', 0)).toBeGreaterThan(0)
})

test('seats of a hundred thousand keys, one after the other, are places to be used again', () => {
  const [seats] = seatsOf(1, 1) as [Seats]
  for (let i = 0; i < 100_000; i += 1) {
    const place = seats.take(`address ${i}`)
    if (place === -1) throw new Error(`no seat for ${i}`)
    seats.release(place)
  }
  expect(seats.count()).toBe(0)
})

test('texts that differ in little have different hashes, and each its own whatever came before', () => {
  const hash = new KeyHash()
  const of = (text: string): string => {
    hash.hash(hashKey, text)
    return `${hash.low} ${hash.high}`
  }
  const texts = [
    '',
    '\0',
    '\0\0',
    'a',
    'b',
    'ab',
    'ba',
    'a\0',
    'ab\0',
    'user ada',
    'user adb',
    'ä',
    '\u01e4',
  ]
  const hashes = texts.map(of)
  expect(new Set(hashes).size).toBe(texts.length)
  expect(texts.toReversed().map(of).toReversed()).toEqual(hashes)
  hash.hash([1, 3], 'a')
  expect(`${hash.low} ${hash.high}`).not.toBe(of('a'))
})

test('threads that take as fast as they can never have more than the limit, and what is left of one that is killed is given back', async () => {
  const [workers, keys, limit] = [3, 5, 4]
  const rate = { perSecond: 500, burstSeconds: 0.2 }
  const ints = (count: number): Int32Array => new Int32Array(new SharedArrayBuffer(count * 4))
  const shared = {
    workers,
    keys,
    limit,
    hashKey,
    rate,
    seats: createSeatMemory(workers),
    rates: createRateMemory(),
    held: ints(workers * keys),
    tally: ints(4),
  }
  const { held, tally } = shared
  const seats = new Seats(limit, shared.seats, hashKey, 0)
  const buckets = new TokenBuckets(rate, shared.rates, hashKey, 0)
  const start = (worker: number): Worker =>
    new Worker(new URL('./limit-stress-test-kit.ts', import.meta.url), {
      workerData: { ...shared, worker } satisfies StressData,
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
  const startedAt = sharedNowMs()
  const threads = Array.from({ length: workers }, (_, worker) => start(worker))
  for (let kills = 0; kills < 8; kills += 1) {
    const worker = kills % workers
    const before = Atomics.load(tally, 3)
    while (Atomics.load(tally, 3) < before + 2000) await sleep(5)
    await threads[worker]?.terminate()
    for (let key = 0; key < keys; key += 1) Atomics.store(held, worker * keys + key, 0)
    seats.giveBack(worker)
    buckets.giveBack(worker)
    threads[worker] = start(worker)
  }
  const before = Atomics.load(tally, 2)
  while (Atomics.load(tally, 2) === before) await sleep(5)
  Atomics.store(tally, 0, 1)
  await Promise.all(threads.map((thread) => once(thread, 'exit')))
  const seconds = (sharedNowMs() - startedAt) / 1000
  expect(tally[1]).toBe(0)
  expect(seats.count()).toBe(0)
  const granted = tally[2] ?? 0
  expect(granted).toBeLessThanOrEqual(rate.perSecond * (seconds + rate.burstSeconds) + 1)
  expect(granted).toBeGreaterThan(0)
}, 60_000)
