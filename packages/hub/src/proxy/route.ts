import type { JsonObject } from '../util/json.ts'
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
  /** The data says that the hub is there. */
  readonly isHub: boolean
}

/** A route as it was when a request found it. */
export interface Route {
  /** Decoded path without final slash; `/` for the root. */
  readonly path: string
  readonly entry: RouteEntry
  readonly owner: RouteOwner
}

export interface NewRoute {
  readonly path: string
  readonly owner: RouteOwner
  readonly targetUrl: string
  readonly data: JsonObject
  /** Epoch milliseconds. */
  readonly lastActivityMs: number
  /** As the hub wrote it, if it did. */
  readonly routespec?: string
}

/** A route as one owner made it, for listings and the file kept on disk. */
export interface StoredRoute {
  readonly path: string
  readonly owner: RouteOwner
  readonly targetUrl: string
  /** A JSON object. */
  readonly dataText: string
  readonly lastActivityMs: number
  /** Where it cannot be told from the path. */
  readonly routespec?: string
}

/** Activity that the hub has not been told of. */
export interface UnreportedActivity {
  readonly path: string
  readonly routespec: string
  readonly atMs: number
}
