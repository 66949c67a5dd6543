import type { EdgeRoute } from '../edge-protocol.ts'

/** A route as a proxy lists it. */
export interface ListedRoute {
  /** Decoded path as in `findRoutePath`; how the proxy spells it may differ from the routespec. */
  readonly path: string
  readonly target: string
  /** Made by a hub, so that a hub may withdraw it; routes of others are left alone. */
  readonly isOurs: boolean
  /** Epoch milliseconds; absent where the proxy keeps no count. */
  readonly lastActivityMs?: number
}

/**
 * A proxy that is told its routes one by one, and has no subscription to the hub as the edge has.
 * Calls may overlap, but never for one routespec. Each fails with a `ProxyError`.
 */
export interface ProxyAdapter {
  /** Idempotent: an existing route is replaced; requests in flight keep their target. */
  addRoute(route: EdgeRoute, signal: AbortSignal): Promise<void>
  /** Idempotent: withdrawing a route that is not there succeeds. */
  deleteRoute(routespec: string, signal: AbortSignal): Promise<void>
  listRoutes(signal: AbortSignal): Promise<readonly ListedRoute[]>
  /** Whether the proxy still has a route, at a cost that does not grow with the number of routes. */
  hasRoute(routespec: string, signal: AbortSignal): Promise<boolean>
  close(): Promise<void>
}

/** A proxy that gave no answer or not the one that was needed. */
export class ProxyError extends Error {
  /** The proxy answers, but refuses our token: waiting will not mend it. */
  readonly isRefused: boolean

  constructor(message: string, options: ErrorOptions & { isRefused?: boolean } = {}) {
    super(message, options)
    this.name = 'ProxyError'
    this.isRefused = options.isRefused === true
  }
}
