import type { EdgeHub } from '../api/edge/edge-hub.ts'
import type { ProxySecret } from '../api/edge/proxy-secret.ts'
import type { ProxyChange, ProxyControl } from '../api/proxy/control.ts'
import type { Metrics } from '../observability/metrics.ts'
import { HubError } from '../domain/errors.ts'
import type { Place } from '../domain/urls.ts'
import type { ServerCertificate } from '../plugin-api/spawner.ts'
import { createRestClient } from '../proxy/adapters/configurable-http-proxy/rest-client.ts'
import { ProxyError } from '../proxy/adapters/proxy-adapter.ts'
import type { RouteDriver } from '../proxy/adapters/route-driver.ts'
import { routeService } from '../services/register-service.ts'
import { type StaticRoutes, settleRoutes } from '../startup/routes.ts'
import { loadRouteSeq } from '../storage/routes.ts'
import { listServices } from '../storage/services.ts'
import type { Store } from '../storage/store.ts'

/** How long the edges are waited for; one that is away reads the table when it is back. */
const appliedTimeoutMs = 2_000

export interface ProxyControlParts {
  readonly store: Store
  readonly edgeHub: EdgeHub
  readonly secret: ProxySecret
  readonly routes: StaticRoutes
  readonly place: Place
  readonly observe?: Metrics['observe']
  /** How a driven proxy is reached, until told otherwise. */
  readonly address: { readonly apiUrl: string; readonly authToken: string }
  /** For an address by HTTPS. */
  readonly tls?: ServerCertificate
}

/** What the API may ask of the proxy: edges that follow, or a proxy that the hub drives. */
export class HubProxyControl implements ProxyControl {
  readonly #parts: ProxyControlParts
  #address: ProxyControlParts['address']
  #driver: RouteDriver | undefined

  constructor(parts: ProxyControlParts) {
    this.#parts = parts
    this.#address = parts.address
  }

  /** The driver starts after the hub, whose table it follows. */
  attach(driver: RouteDriver): void {
    this.#driver = driver
  }

  async check(): Promise<void> {
    const since = performance.now()
    await this.#check()
    this.#parts.observe?.('check_routes_duration_seconds', {}, (performance.now() - since) / 1000)
  }

  async #check(): Promise<void> {
    const { store, edgeHub, routes, place } = this.#parts
    await settleRoutes(store, routes, place)
    const services = await listServices(store.db, { kind: 'all' })
    await store.write(async (tx) => {
      for (const service of services) await routeService(tx, service, place)
    })
    const since = performance.now()
    const seq = await loadRouteSeq(store.db)
    this.#parts.observe?.('proxy_poll_duration_seconds', {}, (performance.now() - since) / 1000)
    await edgeHub.untilApplied(seq, appliedTimeoutMs)
    try {
      await this.#driver?.check()
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error
      throw new HubError('proxy_unreachable', { message: error.message, cause: error })
    }
  }

  async change(change: ProxyChange): Promise<void> {
    const { apiUrl, authToken } = { ...this.#address, ...change }
    if (this.#driver === undefined) {
      if (change.authToken !== undefined) this.#parts.secret.add(change.authToken)
      return
    }
    this.#address = { apiUrl, authToken }
    await this.#driver.replaceAdapter(
      createRestClient({
        apiUrl,
        authToken,
        ...(this.#parts.tls !== undefined && { tls: this.#parts.tls }),
      }),
    )
  }
}
