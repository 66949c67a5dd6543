import { randomInt } from 'node:crypto'

/**
 * The routes of an edge, in memory that its threads share: the main thread writes, every worker
 * reads, and nothing is sent between them. Blocks are counted in units of eight bytes, and a
 * *reference* is the number of a block's first unit; 0 is none.
 *
 * Readers wait for nobody. What they can reach is published by one atomic store once it is
 * complete; what is taken away stays as it is for a while (see `BlockAllocator`), and a row that
 * changed while it was read is noticed by its version.
 */

export const unitBytes = 8
/** Parts of the index, each with a table of its own that grows by itself: by the hash's high byte. */
export const partCount = 256

const seedAt = 0
const depthAt = 1
const partsAt = 2
/** Units before the first block. */
export const headerUnits = (partsAt + partCount) / 2
const firstBytes = 256 * 1024
const largestStepBytes = 16 * 1024 * 1024
/** Address space, not memory: taken as routes come. Millions of routes. */
export const defaultMaxBytes = 1024 * 1024 * 1024

/** No room for another route. */
export class RouteMemoryFullError extends Error {
  constructor(maxBytes: number) {
    super(`the routing table is full: it takes ${maxBytes} bytes at the most`)
    this.name = 'RouteMemoryFullError'
  }
}

/** A thread's view of the shared memory. */
export class RouteMemory {
  readonly buffer: SharedArrayBuffer
  /** Views of fixed length: those that grow with the buffer are slower. */
  ints: Int32Array
  doubles: Float64Array
  bytes: Buffer
  /** How many units the views show. */
  units: number

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.units = Math.floor(buffer.byteLength / unitBytes)
    this.ints = new Int32Array(buffer, 0, this.units * 2)
    this.doubles = new Float64Array(buffer, 0, this.units)
    this.bytes = Buffer.from(buffer, 0, this.units * unitBytes)
  }

  static create(maxBytes = defaultMaxBytes): RouteMemory {
    const maxByteLength = Math.max(maxBytes, headerUnits * unitBytes)
    const first = Math.min(firstBytes, maxByteLength)
    const memory = new RouteMemory(new SharedArrayBuffer(first, { maxByteLength }))
    // Nobody can choose names that share a place.
    memory.ints[seedAt] = randomInt(2 ** 31)
    return memory
  }

  /** What another thread created. */
  static attach(buffer: SharedArrayBuffer): RouteMemory {
    return new RouteMemory(buffer)
  }

  get seed(): number {
    return this.ints[seedAt] ?? 0
  }

  /** Segments of the route that has most. */
  get depth(): number {
    return Atomics.load(this.ints, depthAt)
  }

  set depth(segments: number) {
    Atomics.store(this.ints, depthAt, segments)
  }

  /** The table of a part of the index. */
  part(number: number): number {
    return Atomics.load(this.ints, partsAt + number)
  }

  setPart(number: number, table: number): void {
    Atomics.store(this.ints, partsAt + number, table)
  }

  /** Makes sure that a block which somebody published is in view. */
  reach(reference: number): number {
    if (reference >= this.units) this.#view()
    return reference
  }

  /** Has at least so many more units, which begin where the old ones ended. */
  grow(units: number): void {
    const { byteLength, maxByteLength } = this.buffer
    const step = Math.max(Math.min(byteLength, largestStepBytes), units * unitBytes)
    const wanted = Math.min(byteLength + step, maxByteLength)
    if (wanted < byteLength + units * unitBytes) throw new RouteMemoryFullError(maxByteLength)
    this.buffer.grow(wanted)
    this.#view()
  }

  #view(): void {
    const { buffer } = this
    this.units = Math.floor(buffer.byteLength / unitBytes)
    this.ints = new Int32Array(buffer, 0, this.units * 2)
    this.doubles = new Float64Array(buffer, 0, this.units)
    this.bytes = Buffer.from(buffer, 0, this.units * unitBytes)
  }
}
