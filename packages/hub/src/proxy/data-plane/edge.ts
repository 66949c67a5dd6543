import { randomUUID } from 'node:crypto'
import type { Server } from 'node:http'
import { RoutingTable } from '../routing-table.ts'
import type { EdgeLog } from './context.ts'
import { type Front, type FrontSettings, openFront } from './front.ts'
import { canSharePorts, closeGently, ensureFree, type Listen, listen } from './listen.ts'
import { defaultTrustedProxies } from './peer-trust.ts'
import type { PublicServerOptions } from './public-server.ts'
import { EdgeCounts } from './metrics/counts.ts'
import type { Measurements } from './metrics/edge-metrics.ts'
import { createMetricsServer } from './metrics/metrics-server.ts'
import { createRestApi } from './rest-api.ts'
import { openStorage } from './storage/open-storage.ts'
import { createTableStore } from './storage/table-store.ts'
import { SnapshotWriter, loadSnapshotFile } from './snapshot-file.ts'
import type { TableHead } from './snapshot-format.ts'
import type { HubSubscription } from './subscription.ts'
import { type MainThreadTls, openMainThreadTls } from './tls/main-thread-tls.ts'
import { openTlsHelpers } from './tls/tls-setup.ts'
import type { ProtocolFlags, PublicTlsFlags, TlsFlags } from './tls/tls-setup.ts'
import { WorkerPool, type WorkerLimits } from './workers/worker-pool.ts'

export interface EdgeOptions extends Omit<PublicServerOptions, 'tls' | 'upstreamTls'> {
  readonly tls?: PublicTlsFlags
  readonly apiTls?: TlsFlags
  /** For https targets. */
  readonly clientTls?: TlsFlags
  readonly protocol?: ProtocolFlags
  readonly forward: FrontSettings['forward']
  /** Private ranges unless given. */
  readonly trustedProxies?: readonly string[]
  readonly publicListen: Listen
  readonly apiListen: Listen
  /** Where `/metrics` is served; nowhere unless given. */
  readonly metricsListen?: Listen
  /** Threads that forward; below two the main thread does, as where a port cannot be shared. */
  readonly workers?: number
  readonly workerLimits?: WorkerLimits
  /** No worker can be kept: nothing is served any more. */
  readonly onDead?: (error: Error) => void
  /** Listens beside another edge on the same ports, which is about to end. */
  readonly isSuccessor?: boolean
  /** For the REST API and for the hub; empty leaves the REST API open. */
  readonly token: string
  readonly defaultTarget?: string
  readonly hubUrls: readonly string[]
  /** Keeps the routes in place of memory; not with hubs. */
  readonly storage?: FrontSettings['storage']
  readonly snapshotFile?: string
  readonly log: EdgeLog
  /** Every request is a line of the log, of level debug. */
  readonly logsRequests?: boolean
  readonly activityIntervalMs?: number
  readonly silenceTimeoutMs?: number
}

export interface Edge {
  readonly edgeId: string
  readonly port: number
  readonly apiPort: number
  /** Port of the metrics, if they have one. */
  readonly metricsPort: number | undefined
  /** Port of the redirect to HTTPS, if there is one. */
  readonly redirectPort: number | undefined
  /** Resolves once all workers serve, or have failed and are tried again; the first serves before. */
  complete(): Promise<void>
  /** Reads the certificates of the public side again, changed or not. */
  reloadCertificates(): void
  /**
   * Stops accepting, lets requests finish within `drainMs` and tunnels within `webSocketsMs`, none
   * of their own unless given, then closes what is left.
   */
  close(drainMs: number, webSocketsMs?: number): Promise<void>
}

/** Starts the data plane. Rejects with the listener's error when an address cannot be bound. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { log, snapshotFile } = options
  const edgeId = randomUUID()
  const isShared = await canSharePorts()
  const table = new RoutingTable()
  const { position, startedAtMs } = await restore(table, options)
  let subscription: HubSubscription | undefined
  const writer =
    snapshotFile === undefined
      ? undefined
      : new SnapshotWriter({
          path: snapshotFile,
          table,
          position: () => subscription?.position,
          startedAtMs,
          log,
        })
  const counts = new EdgeCounts()
  let front: Front | undefined
  const open = async (at: Listen): Promise<Listen> => {
    if (options.isSuccessor !== true) await ensureFree(at)
    return { ...at, isShared, takesOver: options.isSuccessor === true }
  }
  const helpers =
    options.tls &&
    (await openTlsHelpers(options.tls, {
      log,
      open,
      onIssued: () => front?.reloadCertificates(),
      onTicketKeys: (keys) => front?.useTicketKeys(keys),
    }))
  const servers: Server[] = []
  let sides: MainThreadTls | undefined
  const closeFront = async (requestsMs: number, webSocketsMs: number): Promise<void> => {
    await front?.close({ requestsMs, webSocketsMs })
    await helpers?.close()
    sides?.close()
  }
  try {
    sides = await openMainThreadTls(options)
    const settings = frontSettings(options, helpers?.frontFlags)
    const { workers = 1, publicListen } = options
    const storage = await openStorage(settings, { log, counts })
    if (workers > 1 && isShared && publicListen.socketPath === undefined) {
      const { workerLimits, onDead = () => undefined } = options
      front = new WorkerPool({
        count: workers,
        settings,
        table,
        log,
        onDead,
        ...(workerLimits !== undefined && { limits: workerLimits }),
      })
    } else front = await openFront(settings, { table, log, counts, ...storage })
    const forwarding = front
    const isPooled = forwarding instanceof WorkerPool
    const listening = front.listen(await open(publicListen))
    // Looked at below, once what can be done meanwhile is done.
    listening.catch(() => undefined)
    const onChange = (): void => writer?.schedule()
    const { hostRouting } = options.forward
    const store = storage.pluginStore ?? createTableStore({ table, hostRouting, counts, onChange })
    if (storage.pluginStore !== undefined && options.defaultTarget !== undefined)
      await storage.pluginStore.add('/', { target: options.defaultTarget })
    const api = createRestApi({
      token: options.token,
      store,
      counts,
      log,
      ...(sides.api !== undefined && { tls: sides.api }),
    })
    const port = await listening
    const measure = async (): Promise<Measurements> => {
      const sum = new EdgeCounts()
      await forwarding.countInto(sum)
      // Of one thread, it is the same that the front counts in.
      if (isPooled) sum.absorb(counts)
      const { workers: running, restarts } = forwarding
      const routes = await store.count().catch(() => Number.NaN) // it was logged
      return { counts: sum, routes, workers: running, workerRestarts: restarts }
    }
    const metrics = options.metricsListen && (await createMetricsServer(measure, log))
    if (metrics) servers.push(metrics)
    const metricsPort =
      options.metricsListen && metrics && (await listen(metrics, await open(options.metricsListen)))
    // Last, since a hub takes an API that answers for an edge that is up.
    servers.push(api)
    const apiPort = await listen(api, await open(options.apiListen))
    if (options.hubUrls.length > 0) {
      const { HubSubscription } = await import('./subscription.ts')
      const tls = sides.hub
      subscription = new HubSubscription({ ...options, edgeId, table, position, onChange, tls })
      subscription.start()
    }
    return {
      edgeId,
      port,
      apiPort,
      metricsPort,
      redirectPort: helpers?.redirectPort,
      complete: () => forwarding.complete(),
      reloadCertificates: () => forwarding.reloadCertificates(),
      async close(drainMs, webSocketsMs = 0) {
        const closed = closeGently(servers)
        // The file is the successor's from here on.
        await writer?.close()
        await closeFront(drainMs, webSocketsMs)
        await closed
        await subscription?.close()
      },
    }
  } catch (error) {
    await closeGently(servers)
    await closeFront(0, 0)
    throw error
  }
}

function frontSettings(options: EdgeOptions, tls: FrontSettings['tls']): FrontSettings {
  const { forward, trustedProxies = defaultTrustedProxies, clientTls } = options
  const { keepAliveTimeoutMs, timeoutMs, headTimeoutMs, connectTimeoutMs, isProxied } = options
  const { limits, webSocketPingMs, bodyWindowMs, stallMs, http2IdleMs } = options
  return {
    forward,
    trustedProxies,
    ...(options.storage !== undefined && { storage: options.storage }),
    hasMetrics: options.metricsListen !== undefined,
    logsRequests: options.logsRequests === true,
    server: {
      keepAliveTimeoutMs,
      timeoutMs,
      ...(headTimeoutMs !== undefined && { headTimeoutMs }),
      ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
      ...(isProxied !== undefined && { isProxied }),
      ...(limits !== undefined && { limits }),
      ...(webSocketPingMs !== undefined && { webSocketPingMs }),
      ...(bodyWindowMs !== undefined && { bodyWindowMs }),
      ...(stallMs !== undefined && { stallMs }),
      ...(http2IdleMs !== undefined && { http2IdleMs }),
    },
    protocol: options.protocol ?? { settings: {} },
    ...(tls !== undefined && { tls }),
    ...(clientTls !== undefined && { clientTls }),
  }
}

async function restore(table: RoutingTable, options: EdgeOptions): Promise<TableHead> {
  const { defaultTarget, snapshotFile, log } = options
  if (defaultTarget !== undefined) {
    const lastActivityMs = Date.now()
    table.set({ path: '/', owner: 'default', targetUrl: defaultTarget, data: {}, lastActivityMs })
  }
  const stored = snapshotFile === undefined ? undefined : await loadSnapshotFile(snapshotFile, log)
  // Whatever the clock says, later than the edge before.
  const startedAtMs = Math.max(Date.now(), (stored?.startedAtMs ?? 0) + 1)
  if (stored === undefined) return { position: undefined, startedAtMs }
  for (const route of stored.routes) table.set(route)
  log('info', `routes as of the last run: ${stored.count}`)
  return { position: stored.position, startedAtMs }
}
