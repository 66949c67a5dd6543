import { type HashKey, KeyHash } from './key-hash.ts'

/** Places for keys that hash alike. */
export const ways = 16
/** Looks at a lock before the thread sleeps: whoever holds it is done in less than a microsecond. */
const spins = 200
const sleepMs = 1
/** The holder has ended or was put aside: what cannot be counted is refused. */
const patienceMs = 100

const hash = new KeyHash()

/**
 * Finds the slot of a key in memory that threads share. A key belongs to one bucket of
 * {@link ways} slots, which one thread at a time has to itself; two keys of one hash would share a
 * slot, which among 64 secret bits does not happen. A slot of both hashes 0 was never used.
 */
export class KeyTable {
  readonly #hashKey: HashKey
  /** A lock for each bucket: 0, or the worker that has it, plus one. Then the keys, two words each. */
  readonly #words: Int32Array
  readonly #buckets: number
  readonly #holder: number
  #low = 0
  #high = 0

  /** @param worker - index of the one that uses it. */
  constructor(memory: SharedArrayBuffer, hashKey: HashKey, worker: number) {
    this.#words = new Int32Array(memory)
    this.#hashKey = hashKey
    this.#buckets = this.#words.length / (1 + 2 * ways)
    this.#holder = worker + 1
  }

  static createMemory(buckets: number): SharedArrayBuffer {
    return new SharedArrayBuffer(buckets * (1 + 2 * ways) * Int32Array.BYTES_PER_ELEMENT)
  }

  /** @returns first slot of the key's bucket, which is this thread's until {@link leave}; or -1 */
  enter(key: string): number {
    hash.hash(this.#hashKey, key)
    this.#low = hash.low
    this.#high = hash.high
    const bucket = (hash.low >>> 0) % this.#buckets
    return this.#lock(bucket) ? bucket * ways : -1
  }

  leave(base: number): void {
    Atomics.store(this.#words, base / ways, 0)
  }

  /** @returns the slot of the key that was entered with; or -1 */
  find(base: number): number {
    const words = this.#words
    for (let slot = base; slot < base + ways; slot += 1) {
      const at = this.#buckets + 2 * slot
      if (words[at] === this.#low && words[at + 1] === this.#high) return slot
    }
    return -1
  }

  /** Gives a slot of the bucket to the key that was entered with. */
  assign(slot: number): void {
    const at = this.#buckets + 2 * slot
    this.#words[at] = this.#low
    this.#words[at + 1] = this.#high
  }

  /** A worker has ended: what it had to itself is free. */
  unlock(worker: number): void {
    for (let bucket = 0; bucket < this.#buckets; bucket += 1) {
      Atomics.compareExchange(this.#words, bucket, worker + 1, 0)
    }
  }

  #lock(bucket: number): boolean {
    let giveUpAt = 0
    for (let tries = 0; ; tries += 1) {
      const holder = Atomics.compareExchange(this.#words, bucket, 0, this.#holder)
      if (holder === 0) return true
      if (tries < spins) continue
      const now = performance.now()
      if (giveUpAt === 0) giveUpAt = now + patienceMs
      else if (now > giveUpAt) return false
      Atomics.wait(this.#words, bucket, holder, sleepMs)
    }
  }
}
