import { type Place, serverRoutespec } from '../domain/urls.ts'
import { loadRoutes, putRoute, removeRoute } from '../storage/routes.ts'
import { listServersIn } from '../storage/servers.ts'
import type { Store } from '../storage/store.ts'

export interface StaticRoutes {
  /** The hub's own. */
  readonly hub: { readonly routespec: string; readonly target: string }
  /** Targets by routespec (`Proxy.extra_routes`). */
  readonly extra: ReadonlyMap<string, string>
}

/**
 * Brings the routing table up to the configuration: the hub's route, the operator's own, and those
 * of servers that run, under today's names. Routes of services are not touched. Idempotent; other
 * hubs may be at work, whose servers' routes stay.
 */
export async function settleRoutes(
  store: Store,
  routes: StaticRoutes,
  place: Place,
): Promise<void> {
  await store.write(async (tx) => {
    // Before the servers: a route that is seen belongs to a server that was active by then.
    const known = (await loadRoutes(tx.db)).routes
    const servers = await listServersIn(tx.db, ['spawning', 'ready', 'stopping'])
    const ofServers = new Set(
      servers.map((server) => serverRoutespec(place, server.username, server.name)),
    )
    for (const { routespec, data } of known) {
      const isLeftOver =
        (data['hub'] === true && routespec !== routes.hub.routespec) ||
        (data['extra'] === true && !routes.extra.has(routespec)) ||
        (typeof data['user'] === 'string' && !ofServers.has(routespec))
      if (isLeftOver) await removeRoute(tx, routespec)
    }
    await putRoute(tx, { ...routes.hub, data: { hub: true } })
    for (const [routespec, target] of routes.extra) {
      await putRoute(tx, { routespec, target, data: { extra: true } })
    }
    const present = new Map(known.map((route) => [route.routespec, route.target]))
    for (const { username, name, state } of servers) {
      if (state.kind !== 'ready') continue
      const routespec = serverRoutespec(place, username, name)
      const target = state.target.origin
      if (present.get(routespec) === target) continue
      await putRoute(tx, { routespec, target, data: { user: username, server_name: name } })
    }
  })
}
