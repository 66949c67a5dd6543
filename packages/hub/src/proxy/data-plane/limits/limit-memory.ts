import { randomBytes } from 'node:crypto'
import type { HashKey } from './key-hash.ts'
import type { LimitOptions } from './request-limits.ts'
import { createSeatMemory, type SeatMemory, Seats } from './seats.ts'
import { createRateMemory, type RateMemory, TokenBuckets } from './token-buckets.ts'

/** What the workers of an edge count together, as far as something is limited. */
export interface LimitMemory {
  readonly hashKey: HashKey
  readonly workers: number
  /** Connections and tunnels of each worker. */
  readonly open: SharedArrayBuffer
  readonly addressRate: RateMemory | undefined
  readonly routeRate: RateMemory | undefined
  /** Of connections, and of requests of trusted proxies. */
  readonly gateSeats: SeatMemory | undefined
  readonly addressSeats: SeatMemory | undefined
  readonly routeSeats: SeatMemory | undefined
}

export function createLimitMemory(options: LimitOptions, workers: number): LimitMemory {
  const bytes = randomBytes(8)
  const rate = (...perSecond: number[]): RateMemory | undefined =>
    perSecond.some((one) => one > 0) ? createRateMemory() : undefined
  const seats = (...limits: number[]): SeatMemory | undefined =>
    limits.some((one) => one > 0) ? createSeatMemory(workers) : undefined
  const { ofRoutes } = options
  return {
    hashKey: [bytes.readInt32LE(0), bytes.readInt32LE(4)],
    workers,
    open: new SharedArrayBuffer(workers * Int32Array.BYTES_PER_ELEMENT),
    addressRate: rate(options.maxRequestsPerSecondPerAddress),
    routeRate: rate(
      options.maxRequestsPerSecondPerRoute,
      ...ofRoutes.map((one) => one.maxRequestsPerSecond ?? 0),
    ),
    gateSeats: seats(options.maxConnectionsPerAddress),
    addressSeats: seats(options.maxConnectionsPerAddress),
    routeSeats: seats(
      options.maxConcurrentPerRoute,
      ...ofRoutes.map((one) => one.maxConcurrent ?? 0),
    ),
  }
}

/** What one worker counts with. */
export class SharedLimits {
  readonly workers: number
  readonly worker: number
  readonly open: Int32Array
  readonly addressRate: TokenBuckets | undefined
  readonly routeRate: TokenBuckets | undefined
  readonly gateSeats: Seats | undefined
  readonly addressSeats: Seats | undefined
  readonly routeSeats: Seats | undefined

  constructor(options: LimitOptions, memory: LimitMemory, worker: number) {
    const { hashKey } = memory
    const { burstSeconds } = options
    const rate = (perSecond: number, of: RateMemory | undefined): TokenBuckets | undefined =>
      of && new TokenBuckets({ perSecond, burstSeconds }, of, hashKey, worker)
    const seats = (limit: number, of: SeatMemory | undefined): Seats | undefined =>
      of && new Seats(limit, of, hashKey, worker)
    this.workers = memory.workers
    this.worker = worker
    this.open = new Int32Array(memory.open)
    this.addressRate = rate(options.maxRequestsPerSecondPerAddress, memory.addressRate)
    this.routeRate = rate(options.maxRequestsPerSecondPerRoute, memory.routeRate)
    this.gateSeats = seats(options.maxConnectionsPerAddress, memory.gateSeats)
    this.addressSeats = seats(options.maxConnectionsPerAddress, memory.addressSeats)
    this.routeSeats = seats(options.maxConcurrentPerRoute, memory.routeSeats)
  }

  /** Called in another thread, when a worker has ended: nothing is its any more. */
  giveBack(worker: number): void {
    Atomics.store(this.open, worker, 0)
    for (const one of [this.addressRate, this.routeRate]) one?.giveBack(worker)
    for (const one of [this.gateSeats, this.addressSeats, this.routeSeats]) one?.giveBack(worker)
  }
}

const [seconds, nanoseconds] = process.hrtime()
const offsetMs = seconds * 1000 + nanoseconds / 1e6 - performance.now()

/** Monotonic milliseconds, the same in all threads: `performance.now()` begins with its thread. */
export function sharedNowMs(): number {
  return performance.now() + offsetMs
}
