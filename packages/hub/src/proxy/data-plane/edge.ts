import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { lstat, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { RoutingTable } from '../routing-table.ts'
import type { EdgeLog, ForwardOptions } from './context.ts'
import { PublicServer } from './public-server.ts'
import type { PublicServerOptions } from './public-server.ts'
import { createRestApi } from './rest-api.ts'
import { SnapshotWriter, loadSnapshotFile } from './snapshot-file.ts'
import type { Position } from './snapshot-file.ts'
import { HubSubscription } from './subscription.ts'
import { openPublicTls, readTls } from './tls/tls-setup.ts'
import type { ProtocolFlags, PublicTlsFlags, TlsFlags } from './tls/tls-setup.ts'

export interface Listen {
  /** `undefined` is all interfaces. */
  readonly ip: string | undefined
  readonly port: number
  /** A Unix socket in place of both. */
  readonly socketPath?: string
}

export interface EdgeOptions extends Omit<PublicServerOptions, 'tls' | 'upstreamTls'> {
  readonly tls?: PublicTlsFlags
  readonly apiTls?: TlsFlags
  /** For https targets. */
  readonly clientTls?: TlsFlags
  readonly protocol?: ProtocolFlags
  readonly forward: ForwardOptions
  readonly publicListen: Listen
  readonly apiListen: Listen
  /** For the REST API and for the hub; empty leaves the REST API open. */
  readonly token: string
  readonly defaultTarget?: string
  readonly hubUrls: readonly string[]
  readonly snapshotFile?: string
  readonly log: EdgeLog
  readonly activityIntervalMs?: number
  readonly silenceTimeoutMs?: number
}

export interface Edge {
  readonly edgeId: string
  readonly port: number
  readonly apiPort: number
  /** Port of the redirect to HTTPS, if there is one. */
  readonly redirectPort: number | undefined
  /** Stops accepting, lets requests finish within `drainMs`, then closes what is left. */
  close(drainMs: number): Promise<void>
}

/** Starts the data plane. Rejects with the listener's error when an address cannot be bound. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { log, snapshotFile } = options
  const edgeId = randomUUID()
  const table = new RoutingTable()
  const position = await restore(table, options)
  let subscription: HubSubscription | undefined
  const writer =
    snapshotFile === undefined
      ? undefined
      : new SnapshotWriter({
          path: snapshotFile,
          table,
          position: () => subscription?.position,
          log,
        })
  const onChange = (): void => writer?.schedule()
  const context = { table, options: options.forward, log }
  const { tls, apiTls, clientTls, protocol = { settings: {} }, ...fronting } = options
  const publicTls = tls && (await openPublicTls(tls, log))
  const front = new PublicServer(context, {
    ...fronting,
    ...(publicTls !== undefined && { tls: publicTls.front }),
    ...(clientTls !== undefined && { upstreamTls: await readTls(clientTls, protocol) }),
  })
  const api = createRestApi(context, {
    token: options.token,
    onChange,
    ...(apiTls !== undefined && { tls: await readTls(apiTls, protocol) }),
  })
  const closeFront = async (drainMs: number): Promise<void> => {
    await front.close(drainMs)
    await publicTls?.close()
  }
  let port: number
  let apiPort: number
  try {
    port = await listen(front.listener, options.publicListen)
    apiPort = await listen(api, options.apiListen)
  } catch (error) {
    await closeFront(0)
    throw error
  }
  if (options.hubUrls.length > 0) {
    subscription = new HubSubscription({ ...options, edgeId, table, position, onChange })
    subscription.start()
  }
  return {
    edgeId,
    port,
    apiPort,
    redirectPort: publicTls?.redirectPort,
    async close(drainMs) {
      const closed = once(api, 'close')
      api.close()
      api.closeAllConnections()
      await closeFront(drainMs)
      await closed
      await subscription?.close()
      await writer?.close()
    },
  }
}

async function restore(table: RoutingTable, options: EdgeOptions): Promise<Position | undefined> {
  const { defaultTarget, snapshotFile } = options
  if (defaultTarget !== undefined) {
    const lastActivityMs = Date.now()
    table.set({ path: '/', owner: 'default', targetUrl: defaultTarget, data: {}, lastActivityMs })
  }
  if (snapshotFile === undefined) return undefined
  const stored = await loadSnapshotFile(snapshotFile)
  for (const route of stored?.routes ?? []) table.set(route)
  return stored?.position
}

/** @returns the port; 0 for a Unix socket */
async function listen(server: Server, { ip, port, socketPath }: Listen): Promise<number> {
  if (socketPath !== undefined) await listenOnSocket(server, socketPath)
  else {
    server.listen({ port, ...(ip === undefined ? {} : { host: ip }) })
    await once(server, 'listening')
  }
  const address = server.address() as AddressInfo | string
  return typeof address === 'string' ? 0 : address.port
}

/** A socket that nobody listens on any more is replaced. */
async function listenOnSocket(server: Server, path: string): Promise<void> {
  const isSocket = (await lstat(path).catch(() => undefined))?.isSocket() === true
  const isLeftOver = await new Promise<boolean>((resolve) => {
    if (!isSocket) return resolve(false)
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
  if (isLeftOver) await rm(path, { force: true })
  server.listen(path)
  await once(server, 'listening')
}
