import { HubError } from '../domain/errors.ts'

/** A value with everything that it was computed from. */
export interface Dependent<T> {
  readonly value: T
  /** Names of what the value depends on; a change of any of them ends it. */
  readonly dependsOn: readonly string[]
  /** Last instant (ms) at which the value holds; `Infinity` for no end of its own. */
  readonly validUntil: number
}

interface Source {
  alive: boolean
}

interface Entry<T> {
  readonly dependent: Dependent<T>
  readonly sources: readonly Source[]
  /** When the entry was last moved to the young end (ms). */
  touchedAt: number
}

/** A read under way, and what changed since it began. */
interface Read<T> {
  readonly promise: Promise<Dependent<T> | undefined>
  readonly heard: Set<string>
  heardAll: boolean
}

/** How many entries a source list may outgrow the cache by before everything is forgotten. */
const sourcesPerEntry = 8
/** Reads whose sources change that often in a row give up. */
const maxAttempts = 5
/** Moving an entry on each hit would cost more than the hit. */
const touchIntervalMs = 10_000

/**
 * Remembers what was read from the store until something that it depends on changes. A change
 * that arrives while a read is under way makes that read start again, so what is given out is
 * never older than the last change heard of. Missing values are not remembered.
 */
export class DependentCache<T> {
  readonly #maxEntries: number
  readonly #now: () => number
  /** Oldest first. */
  readonly #entries = new Map<string, Entry<T>>()
  readonly #sources = new Map<string, Source>()
  readonly #reads = new Map<string, Read<T>>()
  /** Reads that later ones may no longer join, yet which still have to hear of changes. */
  readonly #activeReads = new Set<Read<T>>()

  constructor(options: { maxEntries: number; now: () => number }) {
    this.#maxEntries = options.maxEntries
    this.#now = options.now
  }

  get size(): number {
    return this.#entries.size
  }

  /**
   * The value of `key`, from memory or by `read`. Concurrent callers share a read unless something
   * changed since it began. Fails with `store_busy` when its sources keep changing.
   */
  async get(
    key: string,
    read: () => Promise<Dependent<T> | undefined>,
  ): Promise<Dependent<T> | undefined> {
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      const known = this.peek(key)
      if (known !== undefined) return known
      const current = this.#reads.get(key) ?? this.#begin(key, read)
      const dependent = await current.promise
      if (dependent === undefined || !isStale(current, dependent)) return dependent
    }
    throw new HubError('store_busy')
  }

  /** The value of `key` if it is in memory and still holds. */
  peek(key: string): Dependent<T> | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    const now = this.#now()
    if (now > entry.dependent.validUntil || entry.sources.some((source) => !source.alive)) {
      this.#entries.delete(key)
      return undefined
    }
    if (now - entry.touchedAt > touchIntervalMs) {
      entry.touchedAt = now
      this.#entries.delete(key)
      this.#entries.set(key, entry)
    }
    return entry.dependent
  }

  /** Ends every value that depends on one of the names. */
  invalidate(names: readonly string[]): void {
    for (const name of names) {
      const source = this.#sources.get(name)
      if (source === undefined) continue
      source.alive = false
      this.#sources.delete(name)
    }
    for (const read of this.#activeReads) for (const name of names) read.heard.add(name)
    this.#reads.clear()
  }

  clear(): void {
    this.#entries.clear()
    for (const source of this.#sources.values()) source.alive = false
    this.#sources.clear()
    for (const read of this.#activeReads) read.heardAll = true
    this.#reads.clear()
  }

  #begin(key: string, read: () => Promise<Dependent<T> | undefined>): Read<T> {
    const current: Read<T> = {
      heard: new Set(),
      heardAll: false,
      promise: read()
        .then((dependent) => {
          if (dependent !== undefined && !isStale(current, dependent)) this.#put(key, dependent)
          return dependent
        })
        .finally(() => {
          this.#activeReads.delete(current)
          if (this.#reads.get(key) === current) this.#reads.delete(key)
        }),
    }
    this.#activeReads.add(current)
    this.#reads.set(key, current)
    return current
  }

  #put(key: string, dependent: Dependent<T>): void {
    if (this.#sources.size > this.#maxEntries * sourcesPerEntry) this.clear()
    const sources = dependent.dependsOn.map((name) => this.#sourceOf(name))
    this.#entries.delete(key)
    this.#entries.set(key, { dependent, sources, touchedAt: this.#now() })
    const oldest = this.#entries.keys().next().value
    if (this.#entries.size > this.#maxEntries && oldest !== undefined) this.#entries.delete(oldest)
  }

  #sourceOf(name: string): Source {
    const known = this.#sources.get(name)
    if (known !== undefined) return known
    const source = { alive: true }
    this.#sources.set(name, source)
    return source
  }
}

function isStale(read: Pick<Read<unknown>, 'heard' | 'heardAll'>, dependent: Dependent<unknown>) {
  return read.heardAll || dependent.dependsOn.some((name) => read.heard.has(name))
}
