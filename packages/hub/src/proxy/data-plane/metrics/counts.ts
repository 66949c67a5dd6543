import { bucketCount, bucketOf } from './duration-buckets.ts'

/** Limits that refuse connections and requests; labels of a metric. */
export const limitNames = [
  'connections',
  'connections_per_address',
  'requests_per_address',
  'requests_per_route',
  'concurrent_per_route',
  'body_size',
  'body_rate',
  'head_time',
] as const
export type LimitName = (typeof limitNames)[number]

/** Why a target did not answer, or not to the end; labels of a metric. */
export const upstreamFailures = [
  'refused',
  'reset',
  'unreachable',
  'timeout',
  'tls',
  'malformed',
  'other',
] as const
export type UpstreamFailure = (typeof upstreamFailures)[number]

/** Work whose duration is summed up. */
export const timedNames = ['findTarget', 'activity'] as const
export type TimedName = (typeof timedNames)[number]

const plainNames = ['web', 'webSocket', 'apiGet', 'apiAdd', 'apiDelete'] as const
const gaugeNames = ['connections', 'tunnels', 'upstreamConnections'] as const
const statusKinds = ['proxied', 'api'] as const

export type CountName = (typeof plainNames)[number]
export type GaugeName = (typeof gaugeNames)[number]
export type StatusKind = (typeof statusKinds)[number]

/** Count and seconds come before the buckets. */
const timedSlots = 2 + bucketCount
const statusSlots = 1000

let slots = 0
const take = (count: number): number => (slots += count) - count
const at = <N extends string>(names: readonly N[], width = 1): Readonly<Record<N, number>> =>
  Object.fromEntries(names.map((name) => [name, take(width)])) as Record<N, number> // all names are there
const gaugeSlots = at(gaugeNames)
const gaugeEnd = slots
const plainSlots = at(plainNames)
const limitSlots = at(limitNames)
const failureSlots = at(upstreamFailures)
const timedStart = at(timedNames, timedSlots)
const statusStart = at(statusKinds, statusSlots)

/**
 * What one thread counts, in memory that the main thread reads and that outlives the thread. Only
 * one thread writes, so that a count is a plain addition: hot path, rows P9 and P11 of the bench.
 */
export class EdgeCounts {
  /** Given to a thread, it goes on counting there. */
  readonly memory: SharedArrayBuffer
  readonly #values: Float64Array

  constructor(memory = new SharedArrayBuffer(slots * Float64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#values = new Float64Array(memory)
  }

  count(name: CountName): void {
    this.#add(plainSlots[name], 1)
  }

  refused(limit: LimitName): void {
    this.#add(limitSlots[limit], 1)
  }

  upstreamFailed(why: UpstreamFailure): void {
    this.#add(failureSlots[why], 1)
  }

  answered(kind: StatusKind, status: number): void {
    this.#add(statusStart[kind] + status, 1)
  }

  set(name: GaugeName, value: number): void {
    this.#values[gaugeSlots[name]] = value
  }

  took(name: TimedName, ms: number): void {
    const start = timedStart[name]
    this.#add(start, 1)
    this.#add(start + 1, ms / 1000)
    this.#add(start + 2 + bucketOf(ms), 1)
  }

  valueOf(name: CountName | GaugeName): number {
    const slot = name in gaugeSlots ? gaugeSlots[name as GaugeName] : plainSlots[name as CountName]
    return this.#values[slot] ?? 0
  }

  refusals(limit: LimitName): number {
    return this.#values[limitSlots[limit]] ?? 0
  }

  upstreamFailures(why: UpstreamFailure): number {
    return this.#values[failureSlots[why]] ?? 0
  }

  /** Each status that was answered, and how often. */
  statuses(kind: StatusKind): [status: number, count: number][] {
    const start = statusStart[kind]
    return [...this.#values.subarray(start, start + statusSlots).entries()].filter(
      ([, count]) => count > 0,
    )
  }

  timed(name: TimedName): { count: number; seconds: number; buckets: Float64Array } {
    const start = timedStart[name]
    return {
      count: this.#values[start] ?? 0,
      seconds: this.#values[start + 1] ?? 0,
      buckets: this.#values.subarray(start + 2, start + timedSlots),
    }
  }

  /** Adds what another counted. @param isOver - its thread has ended: nothing of it is open. */
  absorb(other: EdgeCounts, isOver = false): void {
    for (let slot = isOver ? gaugeEnd : 0; slot < slots; slot += 1) {
      this.#add(slot, other.#values[slot] ?? 0)
    }
  }

  #add(slot: number, amount: number): void {
    this.#values[slot] = (this.#values[slot] ?? 0) + amount
  }
}
