import type { HashKey } from './key-hash.ts'
import { KeyTable, ways } from './key-table.ts'

/** Memory of rates, which the workers of an edge share. */
export interface RateMemory {
  readonly keys: SharedArrayBuffer
  /** For each slot, when its bucket of tokens will be full. */
  readonly fullAt: SharedArrayBuffer
}

const buckets = 1024
/** Keys that are remembered at most; of those that meet, the one that is next to full is forgotten. */
export const maxRateKeys = buckets * ways

export function createRateMemory(): RateMemory {
  return {
    keys: KeyTable.createMemory(buckets),
    fullAt: new SharedArrayBuffer(maxRateKeys * Float64Array.BYTES_PER_ELEMENT),
  }
}

/** A rate, and how much of it may be used at once. */
export interface BucketRule {
  readonly msPerToken: number
  /** To fill all but one token of an empty bucket. */
  readonly toleranceMs: number
}

/** @param burstSeconds - so much of the rate may be used at once, one token at the least. */
export function bucketRule(perSecond: number, burstSeconds: number): BucketRule {
  const capacity = Math.max(1, perSecond * burstSeconds)
  const msPerToken = 1000 / perSecond
  // What sums of fractions lose must not cost a token.
  return { msPerToken, toleranceMs: (capacity - 1) * msPerToken + 1e-6 }
}

/**
 * A rate for each of many keys, in all workers together: a bucket of tokens that fills at the rate,
 * and from which each use takes one. What is kept is one number, the time at which it is full
 * again. A bucket that is not known is full, so what is forgotten is forgiven; memory stays bounded
 * however many keys there are. Source: the generic cell rate algorithm, ITU-T I.371.
 */
export class TokenBuckets {
  readonly #rule: BucketRule
  readonly #table: KeyTable
  readonly #fullAt: Float64Array

  constructor(
    rate: { readonly perSecond: number; readonly burstSeconds: number },
    memory: RateMemory,
    hashKey: HashKey,
    worker: number,
  ) {
    this.#rule = bucketRule(rate.perSecond, rate.burstSeconds)
    this.#table = new KeyTable(memory.keys, hashKey, worker)
    this.#fullAt = new Float64Array(memory.fullAt)
  }

  /**
   * @param now - by a clock that all workers share, in milliseconds.
   * @param rule - of the key, if it has one of its own; the same at every call.
   * @returns 0 when there was a token, else the milliseconds until there is one
   */
  take(key: string, now: number, rule = this.#rule): number {
    const base = this.#table.enter(key)
    if (base === -1) return Math.ceil(rule.msPerToken)
    const wait = this.#take(base, now, rule)
    this.#table.leave(base)
    return wait
  }

  /** A worker has ended. */
  giveBack(worker: number): void {
    this.#table.unlock(worker)
  }

  #take(base: number, now: number, { msPerToken, toleranceMs }: BucketRule): number {
    const fullAt = this.#fullAt
    let slot = this.#table.find(base)
    if (slot === -1) {
      slot = this.#nextToFull(base)
      fullAt[slot] = now
      this.#table.assign(slot)
    }
    const from = Math.max(now, fullAt[slot] ?? 0)
    const waitMs = from - now - toleranceMs
    if (waitMs > 0) return Math.ceil(waitMs)
    fullAt[slot] = from + msPerToken
    return 0
  }

  #nextToFull(base: number): number {
    const fullAt = this.#fullAt
    let found = base
    for (let slot = base + 1; slot < base + ways; slot += 1) {
      if ((fullAt[slot] ?? 0) < (fullAt[found] ?? 0)) found = slot
    }
    return found
  }
}
