import { parentPort, workerData } from 'node:worker_threads'
import type { HashKey } from './key-hash.ts'
import { sharedNowMs } from './limit-memory.ts'
import { type SeatMemory, Seats } from './seats.ts'
import { type RateMemory, TokenBuckets } from './token-buckets.ts'

/** Code of a thread that takes seats and tokens as fast as it can, until it is told to stop. */
export interface StressData {
  readonly worker: number
  readonly workers: number
  readonly hashKey: HashKey
  readonly limit: number
  readonly keys: number
  readonly rate: { readonly perSecond: number; readonly burstSeconds: number }
  readonly seats: SeatMemory
  readonly rates: RateMemory
  /** What it holds of each key, told by itself: [worker * keys + key]. */
  readonly held: Int32Array
  /** [0] stop, [1] more than the limit was seen, [2] tokens, [3] seats. */
  readonly tally: Int32Array
}

if (parentPort !== null) run(workerData as StressData)

function run(data: StressData): void {
  const { worker, workers, hashKey, limit, keys, held, tally } = data
  const seats = new Seats(limit, data.seats, hashKey, worker)
  const buckets = new TokenBuckets(data.rate, data.rates, hashKey, worker)
  const kept: { place: number; key: number }[] = []
  for (let round = worker; Atomics.load(tally, 0) === 0; round += 1) {
    if (buckets.take('all', sharedNowMs()) === 0) Atomics.add(tally, 2, 1)
    const key = (round * 7) % keys
    const place = seats.take(`user ${key}`)
    if (place !== -1) {
      Atomics.add(held, worker * keys + key, 1)
      let sum = 0
      for (let other = 0; other < workers; other += 1) sum += Atomics.load(held, other * keys + key)
      if (sum > limit) Atomics.add(tally, 1, 1)
      Atomics.add(tally, 3, 1)
      kept.push({ place, key })
    }
    // Leaves them in another order, sometimes several at once.
    while (kept.length > round % 5) leave(kept.splice(round % kept.length, 1)[0])
  }
  for (const one of kept) leave(one)

  function leave(one: { place: number; key: number } | undefined): void {
    if (one === undefined) return
    Atomics.sub(held, worker * keys + one.key, 1)
    seats.release(one.place)
  }
}
