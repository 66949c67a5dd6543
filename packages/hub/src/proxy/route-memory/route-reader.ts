import { parseStoredObject } from '../../util/json.ts'
import type { JsonObject } from '../../util/json.ts'
import { routeOwners } from '../route.ts'
import type { Route, RouteEntry, RouteOwner } from '../route.ts'
import { findTarget } from '../target.ts'
import type { Target } from '../target.ts'
import { hashNext, hashOf, keyOf, RouteIndex } from './route-index.ts'
import type { RouteMemory } from './route-memory.ts'
import { effectiveEntry, type EntryText, readEntry, readPath, row } from './route-rows.ts'

/** Routes in use that a thread keeps as objects; the others are read when a request comes. */
const maxKnown = 10_000
const slash = 47
const lastAscii = 127

class KnownEntry implements RouteEntry {
  readonly targetUrl: string
  readonly target: Target | undefined
  readonly isHub: boolean
  readonly #text: string
  #data: JsonObject | undefined

  constructor({ targetUrl, data, isHub }: EntryText) {
    this.targetUrl = targetUrl
    this.target = findTarget(targetUrl)
    this.isHub = isHub
    this.#text = data
  }

  /** Few requests ask for it. */
  get data(): JsonObject {
    this.#data ??= parseStoredObject(this.#text) ?? {}
    return this.#data
  }
}

class KnownRoute implements Route {
  readonly path: string
  readonly owner: RouteOwner
  readonly entry: RouteEntry
  readonly ref: number
  /** Of its row: of the path's stay in the table, and of what is said there now. */
  readonly life: number
  readonly version: number

  constructor(
    at: Route & { readonly ref: number; readonly life: number; readonly version: number },
  ) {
    this.path = at.path
    this.owner = at.owner
    this.entry = at.entry
    this.ref = at.ref
    this.life = at.life
    this.version = at.version
  }
}

/** All threads have one clock: an instant so far ahead is of a time when it was wrong. */
export const clockSlackMs = 60_000

/**
 * Finds routes of requests and notes their activity, in any thread. Matching takes the longest
 * chain of segments that has a route, else the root. Source: contract proxy §3.
 */
export class RouteReader {
  protected readonly memory: RouteMemory
  protected readonly index: RouteIndex
  #known = new Map<number, KnownRoute>()
  /** Those that were known before: what is not asked for again is forgotten with them. */
  #older = new Map<number, KnownRoute>()

  constructor(memory: RouteMemory) {
    this.memory = memory
    this.index = new RouteIndex(memory)
  }

  /**
   * Route of a request. Hot path: row P13 of the bench.
   * @param decodedPath - path of the request, decoded once.
   * @param host - first segment with host routing; `/` stays the fallback of all hosts.
   */
  match(decodedPath: string, host?: string): Route | undefined {
    let from = 0
    let to = decodedPath.length
    while (from < to && decodedPath.charCodeAt(from) === slash) from += 1
    while (to > from && decodedPath.charCodeAt(to - 1) === slash) to -= 1
    if (host === undefined) return this.#longest(decodedPath, from, to)
    const key = from === to ? host : `${host}/${decodedPath.slice(from, to)}`
    return this.#longest(key, 0, key.length)
  }

  /** Notes activity on a route. Its instant moves backwards only when the clock was set back. */
  touch(route: Route, nowMs: number): void {
    const ref = this.#rowOf(route)
    if (ref === 0) return
    const { doubles } = this.memory
    const at = ref + row.activity
    const known = doubles[at] ?? 0
    if (known < nowMs || known > nowMs + clockSlackMs) doubles[at] = nowMs
  }

  /** Row of a path; 0 when there is none. */
  protected rowAt(path: string): number {
    const key = keyOf(path.slice(1))
    return this.index.find(key, 0, key.length, hashOf(this.memory, key))
  }

  /** One that was deleted and made again goes on under its path. */
  #rowOf(route: Route): number {
    if (route instanceof KnownRoute) {
      const life = Atomics.load(this.memory.ints, route.ref * 2 + row.life)
      if (life === route.life) return route.ref
    }
    return this.rowAt(route.path)
  }

  /** @param text - a key from `from` to `to`, whose bytes need not be those of UTF-8 yet. */
  #longest(text: string, from: number, to: number): Route | undefined {
    for (let i = from; i < to; i += 1) {
      if (text.charCodeAt(i) > lastAscii) {
        const key = keyOf(text.slice(from, to))
        return this.#longestOfKey(key, 0, key.length)
      }
    }
    return this.#longestOfKey(text, from, to)
  }

  #longestOfKey(key: string, from: number, to: number): Route | undefined {
    const { index, memory } = this
    for (;;) {
      const { depth, seed } = memory
      let hash = seed
      let best = 0
      let version = 0
      for (let i = from, segments = 0; from < to && segments < depth; i += 1) {
        const char = i < to ? key.charCodeAt(i) : slash
        if (char === slash) {
          const ref = index.find(key, from, i - from, hash)
          if (ref !== 0) {
            best = ref
            version = index.version
          }
          segments += 1
          if (i >= to) break
        }
        hash = hashNext(hash, char)
      }
      if (best === 0) {
        best = index.find('', 0, 0, seed)
        if (best === 0) return undefined
        version = index.version
      }
      const route = this.#routeAt(best, version)
      if (route !== undefined) return route
      // It changed in this instant.
    }
  }

  /** `undefined` when the row is no longer of that version. */
  #routeAt(ref: number, version: number): KnownRoute | undefined {
    const known = this.#known.get(ref)
    if (known?.version === version) return known
    const older = this.#older.get(ref)
    const route = older?.version === version ? older : this.#read(ref, version)
    if (route === undefined) return undefined
    if (this.#known.size >= maxKnown / 2) {
      this.#older = this.#known
      this.#known = new Map()
    }
    this.#known.set(ref, route)
    return route
  }

  #read(ref: number, version: number): KnownRoute | undefined {
    const { memory } = this
    const isCurrent = (): boolean => Atomics.load(memory.ints, ref * 2 + row.version) === version
    try {
      const life = Atomics.load(memory.ints, ref * 2 + row.life)
      const found = effectiveEntry(memory, ref)
      if (found === undefined) return undefined
      const path = readPath(memory, ref)
      const text = readEntry(memory, found.entry)
      if (!isCurrent()) return undefined
      const owner = routeOwners[found.owner] ?? 'default'
      return new KnownRoute({ path, owner, entry: new KnownEntry(text), ref, life, version })
    } catch (error) {
      // Lengths of what is being written there now.
      if (isCurrent()) throw error
      return undefined
    }
  }
}
