import { isDeepStrictEqual } from 'node:util'
import type { JsonObject } from '../util/json.ts'
import { splitPath } from './routespec.ts'
import { findTarget } from './target.ts'
import type { Target } from './target.ts'

/**
 * Who made a route, in order of precedence: the REST API, the subscription to a hub, or the
 * `--default-target` flag. Each keeps its own entry under a path; the first one present counts.
 */
export const routeOwners = ['api', 'hub', 'default'] as const
export type RouteOwner = (typeof routeOwners)[number]

/** What one owner said about a path. */
export interface RouteEntry {
  /** The target as it was given, echoed in listings. */
  readonly targetUrl: string
  /**
   * Parsed target; `undefined` when requests cannot be sent there. Connections are kept for the
   * object, so it is a new one for each entry.
   */
  readonly target: Target | undefined
  /** Everything else that was said; comes back unchanged. */
  readonly data: JsonObject
}

/**
 * A path with at least one entry. The object stays the same when an entry is replaced, so that a
 * long connection goes on counting as activity of the route.
 */
export interface Route {
  /** Decoded path without final slash; `/` for the root. */
  readonly path: string
  readonly entry: RouteEntry
  readonly owner: RouteOwner
  readonly lastActivityMs: number
}

export interface NewRoute {
  readonly path: string
  readonly owner: RouteOwner
  readonly targetUrl: string
  readonly data: JsonObject
  /** Epoch milliseconds. */
  readonly lastActivityMs: number
}

/** A route as one owner made it, for listings and the file kept on disk. */
export type OwnedRoute = NewRoute

/** What happened to the table; applied in order to another one, it makes that equal. */
export type RouteChange =
  | { readonly kind: 'set'; readonly route: NewRoute }
  | { readonly kind: 'delete'; readonly path: string; readonly owner: RouteOwner }

export interface RoutingTableOptions {
  readonly onChange?: (change: RouteChange) => void
  /** Remember which routes were used, for {@link RoutingTable.takeTouched}. */
  readonly tracksActivity?: boolean
}

interface Node {
  readonly children: Map<string, Node>
  route?: MutableRoute
}

const slash = 47

class MutableRoute implements Route {
  readonly path: string
  readonly entries: Partial<Record<RouteOwner, RouteEntry>> = {}
  owner: RouteOwner = 'default'
  lastActivityMs = 0
  /** Of the first owner that has one. Looked up at every request, so kept. */
  #entry: RouteEntry | undefined

  constructor(path: string) {
    this.path = path
  }

  get isGone(): boolean {
    return this.#entry === undefined
  }

  get entry(): RouteEntry {
    if (this.#entry === undefined) throw new TypeError(`route ${this.path} was deleted`)
    return this.#entry
  }

  put(owner: RouteOwner, entry: RouteEntry | undefined): void {
    if (entry === undefined) delete this.entries[owner]
    else this.entries[owner] = entry
    this.owner = routeOwners.find((one) => this.entries[one] !== undefined) ?? 'default'
    this.#entry = this.entries[this.owner]
  }
}

/**
 * All routes of a proxy: a tree of path segments. Matching takes the longest chain of segments
 * that has a route, else the root. Segments are `Map` keys, so `__proto__` is an ordinary name.
 * Source: contract proxy §3.
 */
export class RoutingTable {
  readonly #root: Node = { children: new Map() }
  readonly #routes = new Map<string, MutableRoute>()
  readonly #onChange: ((change: RouteChange) => void) | undefined
  readonly #touched: Set<MutableRoute> | undefined

  constructor(options: RoutingTableOptions = {}) {
    this.#onChange = options.onChange
    this.#touched = options.tracksActivity === true ? new Set() : undefined
  }

  get size(): number {
    return this.#routes.size
  }

  /** Adds or replaces an owner's entry under a clean path (see `cleanRoutePath`). */
  set(route: NewRoute): void {
    const { path, owner, targetUrl, data } = route
    let known = this.#routes.get(path)
    if (known === undefined) {
      known = new MutableRoute(path)
      this.#routes.set(path, known)
      this.#plant(known)
    }
    const before = known.entries[owner]
    const isSame = before?.targetUrl === targetUrl && isDeepStrictEqual(before.data, data)
    // What was said again keeps its connections; what changed never gets those of another.
    known.put(owner, isSame ? before : { targetUrl, target: findTarget(targetUrl), data })
    known.lastActivityMs = Math.max(known.lastActivityMs, route.lastActivityMs)
    this.#onChange?.({ kind: 'set', route })
  }

  /** Removes an owner's entry; false when there was none. */
  delete(path: string, owner: RouteOwner): boolean {
    const route = this.#routes.get(path)
    if (route?.entries[owner] === undefined) return false
    route.put(owner, undefined)
    if (route.isGone) {
      this.#routes.delete(path)
      prune(this.#root, splitPath(path))
    }
    this.#onChange?.({ kind: 'delete', path, owner })
    return true
  }

  /** Makes the given routes all that an owner has; routes of others are not touched. */
  replaceAll(owner: RouteOwner, routes: readonly NewRoute[]): void {
    const wanted = new Set(routes.map((route) => route.path))
    for (const path of this.#routes.keys()) if (!wanted.has(path)) this.delete(path, owner)
    for (const route of routes) this.set(route)
  }

  find(path: string): Route | undefined {
    return this.#routes.get(path)
  }

  /** The routes in force, one for each path. */
  list(): IterableIterator<Route> {
    return this.#routes.values()
  }

  /** Every owner's entries. */
  *listOwned(): IterableIterator<OwnedRoute> {
    for (const { path, entries, lastActivityMs } of this.#routes.values()) {
      for (const owner of routeOwners) {
        const entry = entries[owner]
        if (entry === undefined) continue
        yield { path, owner, targetUrl: entry.targetUrl, data: entry.data, lastActivityMs }
      }
    }
  }

  /**
   * Route of a request.
   * @param decodedPath - path of the request, decoded once.
   * @param host - first segment with host routing; `/` stays the fallback of all hosts.
   */
  match(decodedPath: string, host?: string): Route | undefined {
    let node: Node | undefined = this.#root
    let best = node.route
    if (host !== undefined) {
      node = node.children.get(host)
      best = node?.route ?? best
    }
    if (node === undefined) return best
    // As `splitPath`, without its array: this runs for every request.
    let start = 0
    let end = decodedPath.length
    while (start < end && decodedPath.charCodeAt(start) === slash) start += 1
    while (end > start && decodedPath.charCodeAt(end - 1) === slash) end -= 1
    while (start < end) {
      const next = decodedPath.indexOf('/', start)
      const stop = next === -1 || next > end ? end : next
      node = node.children.get(decodedPath.slice(start, stop))
      if (node === undefined) break
      best = node.route ?? best
      start = stop + 1
    }
    return best
  }

  /** Notes activity on a route; instants never move backwards. */
  touch(route: Route, nowMs: number): void {
    // One that was deleted and made again goes on under its path.
    const known =
      route instanceof MutableRoute && !route.isGone ? route : this.#routes.get(route.path)
    if (known === undefined || known.lastActivityMs >= nowMs) return
    known.lastActivityMs = nowMs
    this.#touched?.add(known)
  }

  /** Routes used since the last call, with the instant of the last use. */
  takeTouched(): [path: string, lastActivityMs: number][] {
    const touched = [...(this.#touched ?? [])]
    this.#touched?.clear()
    return touched.map(({ path, lastActivityMs }) => [path, lastActivityMs])
  }

  #plant(route: MutableRoute): void {
    let node = this.#root
    for (const segment of splitPath(route.path)) {
      let child = node.children.get(segment)
      if (child === undefined) {
        child = { children: new Map() }
        node.children.set(segment, child)
      }
      node = child
    }
    node.route = route
  }
}

/** Takes the route off its node and drops branches that lead nowhere. */
function prune(root: Node, segments: readonly string[]): void {
  const chain: Node[] = [root]
  for (const segment of segments) {
    const next = chain.at(-1)?.children.get(segment)
    if (next === undefined) return
    chain.push(next)
  }
  const leaf = chain.at(-1)
  if (leaf !== undefined) delete leaf.route
  for (let depth = chain.length - 1; depth > 0; depth -= 1) {
    const node = chain[depth]
    if (node === undefined || node.route !== undefined || node.children.size > 0) return
    chain[depth - 1]?.children.delete(segments[depth - 1] ?? '')
  }
}
