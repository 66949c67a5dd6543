import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import { RoutingTable } from '../routing-table.ts'
import type { EdgeLog, ForwardOptions } from './context.ts'
import { PublicServer } from './public-server.ts'
import type { PublicServerOptions } from './public-server.ts'
import { createRestApi } from './rest-api.ts'
import { SnapshotWriter, loadSnapshotFile } from './snapshot-file.ts'
import type { Position } from './snapshot-file.ts'
import { HubSubscription } from './subscription.ts'

export interface Listen {
  /** `undefined` is all interfaces. */
  readonly ip: string | undefined
  readonly port: number
}

export interface EdgeOptions extends PublicServerOptions {
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
  const front = new PublicServer(context, options)
  const api = createRestApi(context, { token: options.token, onChange })
  const port = await listen(front.listener, options.publicListen)
  const apiPort = await listen(api, options.apiListen).catch(async (error: unknown) => {
    await front.close(0)
    throw error
  })
  if (options.hubUrls.length > 0) {
    subscription = new HubSubscription({ ...options, edgeId, table, position, onChange })
    subscription.start()
  }
  return {
    edgeId,
    port,
    apiPort,
    async close(drainMs) {
      const closed = once(api, 'close')
      api.close()
      api.closeAllConnections()
      await front.close(drainMs)
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

async function listen(server: Server, { ip, port }: Listen): Promise<number> {
  server.listen({ port, ...(ip === undefined ? {} : { host: ip }) })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
