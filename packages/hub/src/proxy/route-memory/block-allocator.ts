import { headerUnits, type RouteMemory } from './route-memory.ts'

/** Readers are in a block for microseconds: one that was given back is not used again for so long. */
const graceMs = 1000
/** Unless changes come so fast that this much would lie idle. */
const maxIdleUnits = 1024 * 1024

/** Sizes up to here are kept apart exactly, those above in steps of an eighth. */
const exactUnits = 64

/** Gives out blocks of the shared memory and takes them back. The thread that writes has one. */
export class BlockAllocator {
  readonly #memory: RouteMemory
  /** First free block by size; each holds the next one in its third number. */
  readonly #free = new Map<number, number>()
  #next: number = headerUnits
  /** Given back lately, and before that: reference and size, in turn. */
  #resting: number[] = []
  #rested: number[] = []
  #restingUnits = 0
  #turnedAtMs = performance.now()
  #usedUnits = 0

  constructor(memory: RouteMemory) {
    this.#memory = memory
  }

  /** Units of all blocks that are given out. */
  get usedUnits(): number {
    return this.#usedUnits
  }

  /** @throws RouteMemoryFullError */
  take(units: number): number {
    const size = sizeOf(units)
    const block = this.#takeFree(size) ?? this.#takeNew(size)
    this.#usedUnits += size
    return block
  }

  /** Nobody can reach the block any more; who is reading it may finish. */
  giveBack(block: number, units: number): void {
    const size = sizeOf(units)
    this.#usedUnits -= size
    this.#restingUnits += size
    this.#resting.push(block, size)
    const now = performance.now()
    if (now - this.#turnedAtMs < graceMs && this.#restingUnits < maxIdleUnits) return
    this.#turnedAtMs = now
    this.#release(this.#rested)
    this.#rested = this.#resting
    this.#resting = []
    this.#restingUnits = 0
  }

  #takeFree(size: number): number | undefined {
    const block = this.#free.get(size)
    if (block === undefined) return undefined
    const next = this.#memory.ints[block * 2 + 2] ?? 0
    if (next === 0) this.#free.delete(size)
    else this.#free.set(size, next)
    return block
  }

  /** A block lies in what one growth added, so that a reader sees all of it or nothing. */
  #takeNew(size: number): number {
    if (this.#next + size > this.#memory.units) {
      const begin = this.#memory.units
      this.#memory.grow(size)
      this.#next = begin
    }
    const block = this.#next
    this.#next += size
    return block
  }

  #release(blocks: readonly number[]): void {
    for (let i = 0; i < blocks.length; i += 2) {
      const [block = 0, size = 0] = [blocks[i], blocks[i + 1]]
      this.#memory.ints[block * 2 + 2] = this.#free.get(size) ?? 0
      this.#free.set(size, block)
    }
  }
}

function sizeOf(units: number): number {
  if (units <= exactUnits) return Math.max(2, units)
  const step = 2 ** (Math.floor(Math.log2(units)) - 3)
  return Math.ceil(units / step) * step
}
