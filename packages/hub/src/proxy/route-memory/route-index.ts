import type { BlockAllocator } from './block-allocator.ts'
import { partCount, type RouteMemory, unitBytes } from './route-memory.ts'
import { row } from './route-rows.ts'

/**
 * Rows by the hash of their path. Each part of the index is a table of open addressing: its
 * capacity, how many of its places are or were used, then the places. A reader sees a place before
 * or after a change; a table that was replaced stays as it was. Keys are paths without leading
 * slash, one character for each byte of their UTF-8.
 */

const gone = -1
const leastCapacity = 8

/** Continues the hash of a key by one character; the first one continues the memory's seed. */
export function hashNext(hash: number, char: number): number {
  const mixed = Math.imul(hash ^ char, 0x9e3779b1)
  return mixed ^ (mixed >>> 15)
}

export function hashOf(memory: RouteMemory, key: string): number {
  let hash = memory.seed
  for (let i = 0; i < key.length; i += 1) hash = hashNext(hash, key.charCodeAt(i))
  return hash | 0
}

/** One character for each byte: what is not ASCII as the bytes of its UTF-8. */
export function keyOf(text: string): string {
  // oxlint-disable-next-line no-control-regex -- all of ASCII
  return /^[\0-\x7f]*$/.test(text) ? text : Buffer.from(text).toString('latin1')
}

/** Finds rows. Any thread may. */
export class RouteIndex {
  readonly memory: RouteMemory
  /** Version of the row that {@link find} returned, which was true of its path. */
  version = 0

  constructor(memory: RouteMemory) {
    this.memory = memory
  }

  /** Row of the key that is `text` from `from` on, `length` long; 0 when there is none. */
  find(text: string, from: number, length: number, hash: number): number {
    const { memory } = this
    const table = memory.reach(memory.part(hash >>> 24))
    if (table === 0) return 0
    const places = table * 2 + 2
    const mask = (memory.ints[table * 2] ?? 1) - 1
    // There is always a free place.
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const ref = Atomics.load(memory.ints, places + place)
      if (ref === 0) return 0
      if (ref !== gone && this.#isRowOf(ref, text, from, length, hash)) return ref
    }
  }

  #isRowOf(ref: number, text: string, from: number, length: number, hash: number): boolean {
    const { memory } = this
    memory.reach(ref)
    const at = ref * 2
    for (;;) {
      const { ints, bytes } = memory
      const version = Atomics.load(ints, at + row.version)
      if (version === 0 || ints[at + row.hash] !== hash) return false
      if (ints[at + row.length] !== length) return false
      const begin = ref * unitBytes + row.bytes
      let i = 0
      while (i < length && bytes[begin + i] === text.charCodeAt(from + i)) i += 1
      if (Atomics.load(ints, at + row.version) !== version) continue
      this.version = version
      return i === length
    }
  }
}

/** Adds rows and takes them out. The thread that writes has one. */
export class RouteIndexWriter {
  readonly #memory: RouteMemory
  readonly #blocks: BlockAllocator
  readonly #counts = new Int32Array(partCount)

  constructor(memory: RouteMemory, blocks: BlockAllocator) {
    this.#memory = memory
    this.#blocks = blocks
  }

  /** Adds a row whose key has none; others see it from now on. */
  add(ref: number, hash: number): void {
    const part = hash >>> 24
    const table = this.#withRoom(part)
    const { ints } = this.#memory
    const places = table * 2 + 2
    const mask = (ints[table * 2] ?? 1) - 1
    let place = hash & mask
    while ((ints[places + place] ?? 0) > 0) place = (place + 1) & mask
    if (ints[places + place] === 0) ints[table * 2 + 1] = (ints[table * 2 + 1] ?? 0) + 1
    Atomics.store(ints, places + place, ref)
    this.#counts[part] = (this.#counts[part] ?? 0) + 1
  }

  remove(ref: number, hash: number): void {
    const part = hash >>> 24
    const table = this.#memory.part(part)
    const { ints } = this.#memory
    const places = table * 2 + 2
    const mask = (ints[table * 2] ?? 1) - 1
    let place = hash & mask
    while (ints[places + place] !== ref) place = (place + 1) & mask
    Atomics.store(ints, places + place, gone)
    this.#counts[part] = (this.#counts[part] ?? 0) - 1
    // Nothing is behind the last of a run: it is free again, and what is gone before it.
    if (ints[places + ((place + 1) & mask)] !== 0) return
    for (; ints[places + place] === gone; place = (place - 1) & mask) {
      Atomics.store(ints, places + place, 0)
      ints[table * 2 + 1] = (ints[table * 2 + 1] ?? 0) - 1
    }
  }

  /** Rows of a part, as of now. */
  list(part: number): number[] {
    const table = this.#memory.part(part)
    if (table === 0) return []
    const { ints } = this.#memory
    const capacity = ints[table * 2] ?? 0
    const places = ints.subarray(table * 2 + 2, table * 2 + 2 + capacity)
    return Array.from(places.filter((ref) => ref > 0))
  }

  /** The part's table, replaced by a larger or a cleaner one when three quarters are used. */
  #withRoom(part: number): number {
    const old = this.#memory.part(part)
    const capacity = old === 0 ? 0 : (this.#memory.ints[old * 2] ?? 0)
    const used = old === 0 ? 0 : (this.#memory.ints[old * 2 + 1] ?? 0)
    if ((used + 1) * 4 <= capacity * 3) return old
    const count = this.#counts[part] ?? 0
    let wanted = leastCapacity
    while (wanted < (count + 1) * 2) wanted *= 2
    const table = this.#blocks.take(tableUnits(wanted))
    const { ints } = this.#memory
    const begin = table * 2
    ints.fill(0, begin, begin + wanted + 2)
    ints[begin] = wanted
    ints[begin + 1] = count
    for (const ref of this.list(part)) {
      let place = (ints[ref * 2 + row.hash] ?? 0) & (wanted - 1)
      while (ints[begin + 2 + place] !== 0) place = (place + 1) & (wanted - 1)
      ints[begin + 2 + place] = ref
    }
    this.#memory.setPart(part, table)
    if (old !== 0) this.#blocks.giveBack(old, tableUnits(capacity))
    return table
  }
}

function tableUnits(capacity: number): number {
  return capacity / 2 + 1
}
