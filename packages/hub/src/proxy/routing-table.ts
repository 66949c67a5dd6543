import { BlockAllocator } from './route-memory/block-allocator.ts'
import { hashOf, keyOf, RouteIndexWriter } from './route-memory/route-index.ts'
import { partCount, RouteMemory, unitBytes } from './route-memory/route-memory.ts'
import { clockSlackMs, RouteReader } from './route-memory/route-reader.ts'
import {
  effectiveEntry,
  type EntryText,
  giveEntryBack,
  giveRowBack,
  readEntry,
  readPath,
  row,
  takeEntry,
  takeRow,
} from './route-memory/route-rows.ts'
import { routeOwners } from './route.ts'
import type { NewRoute, RouteOwner, StoredRoute, UnreportedActivity } from './route.ts'
import { routespecOf } from './routespec.ts'
import type { JsonObject } from '../util/json.ts'

const routesPerStep = 100

/** Takes the place of all routes of an owner. */
export interface Replacement {
  /** @throws RouteMemoryFullError */
  set(route: NewRoute): void
  /** Deletes what was not set, step by step. */
  finish(): Generator<void>
}

/**
 * All routes of a proxy, in memory that threads share: one of these writes, a `RouteReader` on its
 * buffer reads in each other thread. A change is in force for all of them when the call returns.
 */
export class RoutingTable extends RouteReader {
  readonly #blocks: BlockAllocator
  readonly #rows: RouteIndexWriter
  /** Routes by their number of segments. */
  readonly #depths: number[] = []
  #size = 0
  #lastVersion = 0
  #lastMark = 0

  constructor(options: { readonly maxBytes?: number } = {}) {
    super(RouteMemory.create(options.maxBytes))
    this.#blocks = new BlockAllocator(this.memory)
    this.#rows = new RouteIndexWriter(this.memory, this.#blocks)
  }

  /** For readers in other threads. */
  get buffer(): SharedArrayBuffer {
    return this.memory.buffer
  }

  get size(): number {
    return this.#size
  }

  /** Of all routes and what finds them. */
  get usedBytes(): number {
    return this.#blocks.usedUnits * unitBytes
  }

  /**
   * Adds or replaces an owner's entry under a clean path (see `cleanRoutePath`).
   * @throws RouteMemoryFullError
   */
  set(route: NewRoute): void {
    this.#set(route)
  }

  /** Removes an owner's entry; false when there was none. */
  delete(path: string, owner: RouteOwner): boolean {
    const ref = this.rowAt(path)
    if (ref === 0 || this.#entryOf(ref, owner) === 0) return false
    this.#deleteEntry(ref, owner)
    return true
  }

  /**
   * Makes the given routes all that an owner has; routes of others are not touched.
   * @throws RouteMemoryFullError
   */
  replaceAll(owner: RouteOwner, routes: Iterable<NewRoute>): void {
    const replacement = this.replacing(owner)
    for (const route of routes) replacement.set(route)
    for (const _ of replacement.finish());
  }

  /**
   * {@link replaceAll} in steps: between any two of them others may have a turn, but change
   * nothing of this owner's. Given up, it leaves what is there and what was set.
   */
  replacing(owner: RouteOwner): Replacement {
    this.#lastMark += 1
    const mark = this.#lastMark
    return {
      set: (route) => this.#set(route, mark),
      finish: () => this.#sweep(owner, mark),
    }
  }

  /** Deletes an owner's routes that do not have the mark, step by step. */
  *#sweep(owner: RouteOwner, mark: number): Generator<void> {
    for (const refs of this.#living()) {
      for (const ref of refs) {
        const isNamed = this.memory.ints[ref * 2 + row.mark] === mark
        if (!isNamed && this.#entryOf(ref, owner) !== 0) this.#deleteEntry(ref, owner)
      }
      yield
    }
  }

  has(path: string): boolean {
    return this.rowAt(path) !== 0
  }

  /** The route in force under a path. */
  find(path: string): StoredRoute | undefined {
    const ref = this.rowAt(path)
    return ref === 0 ? undefined : this.#inForce(ref)
  }

  /**
   * The routes in force, one for each path, some at a time: in between others may have a turn.
   * What changes meanwhile is in or not.
   * @param beforeMs - only those whose last activity was before.
   */
  *list(beforeMs = Number.POSITIVE_INFINITY): Generator<readonly StoredRoute[]> {
    for (const refs of this.#living()) {
      yield refs
        .filter((ref) => this.#activityOf(ref) < beforeMs)
        .flatMap((ref) => this.#inForce(ref) ?? [])
    }
  }

  /** Every owner's entries, as {@link list}. */
  *listOwned(): Generator<readonly StoredRoute[]> {
    for (const refs of this.#living()) {
      yield refs.flatMap((ref) =>
        routeOwners.flatMap((owner) => {
          const entry = this.#entryOf(ref, owner)
          return entry === 0 ? [] : [this.#stored(ref, owner, entry)]
        }),
      )
    }
  }

  /** Routes of the hub that were used since {@link markReported}, as {@link list}. */
  *listUnreported(): Generator<readonly UnreportedActivity[]> {
    for (const refs of this.#living()) yield refs.flatMap((ref) => this.#unreported(ref) ?? [])
  }

  markReported({ path, atMs }: UnreportedActivity): void {
    const ref = this.rowAt(path)
    if (ref !== 0) this.memory.doubles[ref + row.reported] = atMs
  }

  /** @param mark - of the snapshot that names it. */
  #set(route: NewRoute, mark?: number): void {
    const { path, owner, lastActivityMs } = route
    const known = this.rowAt(path)
    const old = known === 0 ? 0 : this.#entryOf(known, owner)
    const text = textOf(route)
    let ref = known
    if (old === 0 || !isSame(readEntry(this.memory, old), text)) {
      const entry = takeEntry(this.memory, this.#blocks, text)
      if (known === 0) ref = this.#plant(path, owner, entry)
      else this.#replace(known, owner, entry)
    }
    const { doubles, ints } = this.memory
    const activityMs = Math.max(this.#activityOf(ref), lastActivityMs)
    doubles[ref + row.activity] = activityMs
    // A route that is merely published has had no activity to report.
    if (owner === 'hub' && old === 0) doubles[ref + row.reported] = activityMs
    if (mark !== undefined) ints[ref * 2 + row.mark] = mark
  }

  #plant(path: string, owner: RouteOwner, entry: number): number {
    const key = keyOf(path.slice(1))
    const hash = hashOf(this.memory, key)
    let ref = 0
    try {
      ref = takeRow(this.memory, this.#blocks, { key, hash })
      const { ints } = this.memory
      ints[ref * 2 + row.entries + routeOwners.indexOf(owner)] = entry
      ints[ref * 2 + row.life] = this.#nextVersion()
      ints[ref * 2 + row.version] = this.#nextVersion()
      this.#countDepth(key, 1)
      this.#rows.add(ref, hash)
    } catch (error) {
      if (ref !== 0) {
        this.#countDepth(key, -1)
        giveRowBack(this.memory, this.#blocks, ref)
      }
      giveEntryBack(this.memory, this.#blocks, entry)
      throw error
    }
    this.#size += 1
    return ref
  }

  #replace(ref: number, owner: RouteOwner, entry: number): void {
    const { ints } = this.memory
    const old = this.#entryOf(ref, owner)
    Atomics.store(ints, ref * 2 + row.entries + routeOwners.indexOf(owner), entry)
    Atomics.store(ints, ref * 2 + row.version, this.#nextVersion())
    if (old !== 0) giveEntryBack(this.memory, this.#blocks, old)
  }

  #deleteEntry(ref: number, owner: RouteOwner): void {
    const old = this.#entryOf(ref, owner)
    if (routeOwners.some((one) => one !== owner && this.#entryOf(ref, one) !== 0)) {
      this.#replace(ref, owner, 0)
      return
    }
    this.#countDepth(keyOf(readPath(this.memory, ref).slice(1)), -1)
    this.#rows.remove(ref, this.memory.ints[ref * 2 + row.hash] ?? 0)
    giveRowBack(this.memory, this.#blocks, ref)
    giveEntryBack(this.memory, this.#blocks, old)
    this.#size -= 1
  }

  /** Requests are not looked up by more segments than the deepest route has. */
  #countDepth(key: string, change: 1 | -1): void {
    const depth = key === '' ? 0 : key.split('/').length
    while (this.#depths.length <= depth) this.#depths.push(0)
    this.#depths[depth] = (this.#depths[depth] ?? 0) + change
    while (this.#depths.at(-1) === 0) this.#depths.pop()
    this.memory.depth = Math.max(0, this.#depths.length - 1)
  }

  #inForce(ref: number): StoredRoute | undefined {
    const found = effectiveEntry(this.memory, ref)
    if (found === undefined) return undefined
    return this.#stored(ref, routeOwners[found.owner] ?? 'default', found.entry)
  }

  #stored(ref: number, owner: RouteOwner, entry: number): StoredRoute {
    const { targetUrl, data, routespec } = readEntry(this.memory, entry)
    return {
      path: readPath(this.memory, ref),
      owner,
      targetUrl,
      dataText: data,
      lastActivityMs: this.#activityOf(ref),
      ...(routespec !== '' && { routespec }),
    }
  }

  #unreported(ref: number): UnreportedActivity | undefined {
    const atMs = this.#activityOf(ref)
    const entry = this.#entryOf(ref, 'hub')
    if (entry === 0) return undefined
    const reportedMs = this.memory.doubles[ref + row.reported] ?? 0
    const isClockBack = reportedMs > atMs + clockSlackMs
    if (reportedMs >= atMs && !isClockBack) return undefined
    const path = readPath(this.memory, ref)
    const { routespec } = readEntry(this.memory, entry)
    return { path, atMs, routespec: routespec === '' ? routespecOf(path) : routespec }
  }

  /** All rows, some at a time: those that are gone by then are left out, whatever has their place. */
  *#living(): Generator<readonly number[]> {
    const lifeOf = (ref: number): number => this.memory.ints[ref * 2 + row.life] ?? 0
    for (let part = 0; part < partCount; part += 1) {
      const refs = this.#rows.list(part)
      const lives = refs.map(lifeOf)
      for (let at = 0; at < refs.length; at += routesPerStep) {
        const still = new Set(at === 0 ? refs : this.#rows.list(part))
        const to = at + routesPerStep
        yield refs.slice(at, to).filter((ref, i) => still.has(ref) && lifeOf(ref) === lives[at + i])
      }
    }
  }

  #entryOf(ref: number, owner: RouteOwner): number {
    return this.memory.ints[ref * 2 + row.entries + routeOwners.indexOf(owner)] ?? 0
  }

  #activityOf(ref: number): number {
    return this.memory.doubles[ref + row.activity] ?? 0
  }

  /** Never 0, which is a row that is gone. */
  #nextVersion(): number {
    this.#lastVersion = (this.#lastVersion + 1) | 0 || 1
    return this.#lastVersion
  }
}

function textOf({ path, targetUrl, data, routespec }: NewRoute): EntryText {
  const isPlain = routespec === undefined || routespec === routespecOf(path)
  return {
    targetUrl,
    data: JSON.stringify(withoutReserved(data)),
    routespec: isPlain ? '' : routespec,
    isHub: data['hub'] === true,
  }
}

/** What listings say of every route is not part of its data. */
function withoutReserved(data: JsonObject): JsonObject {
  if (!Object.hasOwn(data, 'target') && !Object.hasOwn(data, 'last_activity')) return data
  const { target: _target, last_activity: _lastActivity, ...rest } = data
  return rest
}

function isSame(one: EntryText, other: EntryText): boolean {
  return (
    one.targetUrl === other.targetUrl &&
    one.data === other.data &&
    one.routespec === other.routespec &&
    one.isHub === other.isHub
  )
}
