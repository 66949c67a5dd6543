import { Slices } from '../../util/slices.ts'
import type { EdgeRoute } from '../edge-protocol.ts'
import { RouteMemoryFullError } from '../route-memory/route-memory.ts'
import type { NewRoute } from '../route.ts'
import { findRoutePath } from '../routespec.ts'
import type { Replacement, RoutingTable } from '../routing-table.ts'
import type { EdgeLog } from './context.ts'

/** What hubs say of routes, put into the table. */
export class HubRoutes {
  readonly #table: RoutingTable
  readonly #log: EdgeLog
  readonly #slices = new Slices()
  #replacement: Replacement | undefined
  #leftOut = 0

  constructor(options: { readonly table: RoutingTable; readonly log: EdgeLog }) {
    this.#table = options.table
    this.#log = options.log
  }

  set(one: EdgeRoute): void {
    const route = this.#toRoute(one)
    if (route !== undefined && !fits(() => this.#table.set(route))) this.#noteLeftOut(1)
  }

  delete(routespec: string): void {
    const path = findRoutePath(routespec)
    if (path !== undefined) this.#table.delete(path, 'hub')
  }

  /** A table comes that takes the place of all that is there; one that is on its way does not. */
  begin(): void {
    this.#replacement = this.#table.replacing('hub')
    this.#leftOut = 0
  }

  /** The next routes of the table, in slices: requests have their turn meanwhile. */
  async add(routes: readonly EdgeRoute[]): Promise<void> {
    for (const one of routes) {
      const route = this.#toRoute(one)
      if (route !== undefined && !fits(() => this.#replacement?.set(route))) this.#leftOut += 1
      if (this.#slices.isOver) await this.#slices.next()
    }
  }

  /** What the table did not have is deleted, in slices. */
  async finish(): Promise<void> {
    for (const _ of this.#replacement?.finish() ?? []) {
      if (this.#slices.isOver) await this.#slices.next()
    }
    this.#replacement = undefined
    if (this.#leftOut > 0) this.#noteLeftOut(this.#leftOut)
  }

  #noteLeftOut(count: number): void {
    this.#log(
      'error',
      `no room in the routing table: routes of the hub that are left out: ${count}`,
    )
  }

  #toRoute({ routespec, target, data }: EdgeRoute): NewRoute | undefined {
    const path = findRoutePath(routespec)
    if (path === undefined) {
      this.#log('error', 'the hub sent a routespec that cannot be used')
      return undefined
    }
    // What is merely published again was not used.
    const lastActivityMs = this.#table.has(path) ? 0 : Date.now()
    return { path, owner: 'hub', targetUrl: target, data, lastActivityMs, routespec }
  }
}

/** A full table is no reason to stop following: requests without a route find their way by the hub. */
function fits(change: () => void): boolean {
  try {
    change()
    return true
  } catch (error) {
    if (error instanceof RouteMemoryFullError) return false
    throw error
  }
}
