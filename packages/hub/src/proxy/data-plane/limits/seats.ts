import type { HashKey } from './key-hash.ts'
import { KeyTable, ways } from './key-table.ts'

/** Memory of seats, which the workers of an edge share. */
export interface SeatMemory {
  readonly keys: SharedArrayBuffer
  /** For each slot, how many each worker has. */
  readonly taken: SharedArrayBuffer
  readonly workers: number
}

/** So many keys have seats at a time, about: each that holds one is a connection or a request. */
const buckets = 8192

export function createSeatMemory(workers: number): SeatMemory {
  const counts = buckets * ways * workers
  return {
    keys: KeyTable.createMemory(buckets),
    taken: new SharedArrayBuffer(counts * Int32Array.BYTES_PER_ELEMENT),
    workers,
  }
}

/**
 * How many of something each key has, in all workers together. What a worker has is written by it
 * alone, and the sum is all there is: nothing can disagree with it when a worker ends midway.
 */
export class Seats {
  readonly #limit: number
  readonly #table: KeyTable
  readonly #taken: Int32Array
  readonly #workers: number
  readonly #worker: number

  constructor(limit: number, memory: SeatMemory, hashKey: HashKey, worker: number) {
    this.#limit = limit
    this.#table = new KeyTable(memory.keys, hashKey, worker)
    this.#taken = new Int32Array(memory.taken)
    this.#workers = memory.workers
    this.#worker = worker
  }

  /**
   * @param limit - of the key, if it has one of its own.
   * @returns the seat; or -1 when the key has as many as it may, or cannot be counted
   */
  take(key: string, limit = this.#limit): number {
    const base = this.#table.enter(key)
    if (base === -1) return -1
    const slot = this.#take(base, limit)
    this.#table.leave(base)
    return slot
  }

  release(slot: number): void {
    Atomics.sub(this.#taken, slot * this.#workers + this.#worker, 1)
  }

  /** A worker has ended, and with it what it had. */
  giveBack(worker: number): void {
    for (let at = worker; at < this.#taken.length; at += this.#workers) {
      Atomics.store(this.#taken, at, 0)
    }
    this.#table.unlock(worker)
  }

  /** Seats that are taken, of all keys and workers. */
  count(): number {
    return this.#taken.reduce((sum, taken) => sum + taken, 0)
  }

  #take(base: number, limit: number): number {
    let slot = this.#table.find(base)
    if (slot === -1) {
      slot = this.#findFree(base)
      if (slot === -1) return -1
      this.#table.assign(slot)
    }
    if (this.#sum(slot) >= limit) return -1
    Atomics.add(this.#taken, slot * this.#workers + this.#worker, 1)
    return slot
  }

  #findFree(base: number): number {
    for (let slot = base; slot < base + ways; slot += 1) if (this.#sum(slot) === 0) return slot
    return -1
  }

  #sum(slot: number): number {
    const from = slot * this.#workers
    let sum = 0
    for (let at = from; at < from + this.#workers; at += 1) sum += Atomics.load(this.#taken, at)
    return sum
  }
}
