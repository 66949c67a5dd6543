import type { JsonObject } from '../../../util/json.ts'
import { splitPath } from '../../routespec.ts'

/** What the REST API reads and changes: data of routes, with `target` and `last_activity`. */
export interface RouteStore {
  list(): Promise<[path: string, data: JsonObject][]>
  /** @param path - clean: leading `/`, none at the end. */
  find(path: string): Promise<JsonObject | undefined>
  /** Resolves once the route is in force. */
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
