import type { JsonObject } from '../../../util/json.ts'
import { splitPath } from '../../routespec.ts'

/** Paths of routes and their data as JSON, in parts: others have their turn between two. */
export type RouteTexts = Iterable<readonly (readonly [path: string, json: string])[]>

/** What the REST API reads and changes: data of routes, with `target` and `last_activity`. */
export interface RouteStore {
  /** @param beforeMs - only routes whose last activity was before, if given. */
  list(beforeMs?: number): Promise<RouteTexts>
  /** @param path - clean: leading `/`, none at the end. */
  find(path: string): Promise<JsonObject | undefined>
  /** Resolves once the route is in force. Rejects with `RouteMemoryFullError` when it has no room. */
  add(path: string, data: JsonObject & { readonly target: string }): Promise<void>
  /** @returns false when there was none */
  remove(path: string): Promise<boolean>
  /** How many there are. */
  count(): Promise<number>
}

/** The host of a route, which its data tells when routes begin with hosts. */
export function hostOf(path: string, hostRouting: boolean): { readonly host?: string } {
  const host = hostRouting ? splitPath(path)[0] : undefined
  return host === undefined ? {} : { host }
}
