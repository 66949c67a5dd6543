/** Keys that are remembered at most; those that were not used for longest are forgotten. */
const maxKeys = 10_000

interface Bucket {
  tokens: number
  atMs: number
}

/**
 * A rate for each of many keys: a bucket of tokens that fills at the rate, and from which each use
 * takes one. A bucket that is not known is full, so what is forgotten is forgiven; memory stays
 * bounded however many keys there are.
 */
export class TokenBuckets {
  readonly #perSecond: number
  readonly #capacity: number
  /** In order of their last use. */
  readonly #buckets = new Map<string, Bucket>()

  /** @param burstSeconds - so much of the rate may be used at once, one token at the least. */
  constructor(perSecond: number, burstSeconds: number) {
    this.#perSecond = perSecond
    this.#capacity = Math.max(1, perSecond * burstSeconds)
  }

  get size(): number {
    return this.#buckets.size
  }

  /** @returns 0 when there was a token, else the milliseconds until there is one. */
  take(key: string, nowMs: number): number {
    const bucket = this.#buckets.get(key) ?? { tokens: this.#capacity, atMs: nowMs }
    const fresh = ((nowMs - bucket.atMs) / 1000) * this.#perSecond
    bucket.tokens = Math.min(this.#capacity, bucket.tokens + fresh)
    bucket.atMs = nowMs
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > maxKeys) this.#forgetOldest()
    if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) / this.#perSecond) * 1000)
    bucket.tokens -= 1
    return 0
  }

  #forgetOldest(): void {
    const oldest = this.#buckets.keys().next()
    if (oldest.done !== true) this.#buckets.delete(oldest.value)
  }
}
