import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { RoutingTable } from '../routing-table.ts'
import type { EdgeLog, ForwardOptions } from './context.ts'
import { createUpstreamAgent } from './forward.ts'
import { createPublicServer } from './public-server.ts'
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
  const agent = createUpstreamAgent()
  const context = { table, options: options.forward, log }
  const { server, tunnels } = createPublicServer(context, agent, options)
  const api = createRestApi(context, { token: options.token, onChange })
  const port = await listen(server, options.publicListen)
  const apiPort = await listen(api, options.apiListen).catch(async (error: unknown) => {
    await closeNow(server, tunnels)
    await agent.destroy()
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
      const closed = [once(server, 'close'), once(api, 'close')]
      server.close()
      api.close()
      server.closeIdleConnections()
      api.closeAllConnections()
      await waitForRequests({ server, tunnels, drainMs })
      closeConnections(server, tunnels)
      await Promise.all(closed)
      await subscription?.close()
      await writer?.close()
      await agent.destroy()
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

async function closeNow(server: Server, tunnels: ReadonlySet<Duplex>): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  closeConnections(server, tunnels)
  await closed
}

function closeConnections(server: Server, tunnels: ReadonlySet<Duplex>): void {
  for (const tunnel of tunnels) tunnel.destroy()
  server.closeAllConnections()
}

/** Resolves when nothing but tunnels is open, or after `drainMs`. */
async function waitForRequests(options: {
  readonly server: Server
  readonly tunnels: ReadonlySet<Duplex>
  readonly drainMs: number
}): Promise<void> {
  const { server, tunnels, drainMs } = options
  const pollMs = 20
  for (const endsAt = performance.now() + drainMs; performance.now() < endsAt; ) {
    // Counted at one instant. The server no longer counts a tunnel that is destroyed, though the
    // set holds it until its 'close': taken for open, it would hide a request.
    const openTunnels = [...tunnels].filter((tunnel) => !tunnel.destroyed).length
    const open = await new Promise<number>((resolve) =>
      server.getConnections((error, count) => resolve(error === null ? count : 0)),
    )
    if (open <= openTunnels) return
    server.closeIdleConnections()
    await sleep(Math.min(pollMs, drainMs))
  }
}
