import type { EdgeContext, ForwardOptions } from './context.ts'
import { type Listen, listen } from './listen.ts'
import { createPeerTrust } from './peer-trust.ts'
import { type Drain, PublicServer, type PublicServerOptions } from './public-server.ts'
import type { EdgeCounts } from './metrics/counts.ts'
import type { PluginSettings } from './storage/plugin.ts'
import { openLiveTls } from './tls/live-tls.ts'
import {
  type FrontTlsFlags,
  openFrontTls,
  type ProtocolFlags,
  type TlsFlags,
} from './tls/tls-setup.ts'

/** How the public side is set up: plain data, so that it can be sent to a thread. */
export interface FrontSettings {
  readonly forward: Omit<ForwardOptions, 'isTrustedPeer'>
  /** Ranges whose forwarding headers are believed. */
  readonly trustedProxies: readonly string[]
  readonly server: Omit<PublicServerOptions, 'tls' | 'upstreamTls'>
  readonly tls?: FrontTlsFlags
  /** For https targets. */
  readonly clientTls?: TlsFlags
  readonly protocol: ProtocolFlags
  /** Keeps the routes; each thread has one of its own. */
  readonly storage?: PluginSettings
  /** Durations are measured. */
  readonly hasMetrics: boolean
  /** Every request is a line of the log, of level debug. */
  readonly logsRequests: boolean
}

/** The public side of an edge: one listener, or one in each of several threads. */
export interface Front {
  /** @returns the port; 0 for a Unix socket */
  listen(at: Listen): Promise<number>
  /** Resolves once all workers serve, or have failed and are tried again; never rejects. */
  complete(): Promise<void>
  /** Adds what was counted so far, and how much is open now, or was just now. */
  countInto(sum: EdgeCounts): Promise<void>
  readonly workers: number
  /** Workers that were started in place of one that ended. */
  readonly restarts: number
  reloadCertificates(): void
  /** Tickets of TLS sessions are made with these from now on. */
  useTicketKeys(keys: Uint8Array): void
  close(drain: Drain): Promise<void>
}

/** A public side in this thread. */
export interface ThreadFront extends Front {
  /** Notes how much is open in what it counts. */
  measure(): void
}

/** A public side in this thread; rejects with an error for people when a file cannot be used. */
export async function openFront(
  settings: FrontSettings,
  parts: Pick<EdgeContext, 'table' | 'log' | 'counts' | 'pluginStore'>,
): Promise<ThreadFront> {
  const {
    server: options,
    clientTls,
    protocol,
    trustedProxies,
    hasMetrics,
    logsRequests,
  } = settings
  const { log, counts } = parts
  const tls = settings.tls && (await openFrontTls(settings.tls, log))
  const upstreamTls = clientTls && (await openLiveTls(clientTls, { protocol, log }))
  const context: EdgeContext = {
    ...parts,
    hasMetrics,
    logsRequests,
    options: { ...settings.forward, isTrustedPeer: createPeerTrust(trustedProxies) },
  }
  const server = new PublicServer(context, {
    ...options,
    ...(tls !== undefined && { tls: tls.front }),
    ...(upstreamTls !== undefined && { upstreamTls }),
  })
  return {
    listen: (at) => listen(server.listener, at),
    complete: () => Promise.resolve(),
    workers: 1,
    restarts: 0,
    measure: () => server.measure(),
    countInto: async (sum) => {
      server.measure()
      sum.absorb(counts)
    },
    reloadCertificates: () => void tls?.certificates.reload(),
    useTicketKeys: (keys) => tls?.tickets.use(keys),
    async close(drain) {
      await server.close(drain)
      tls?.certificates.close()
      upstreamTls?.close()
    },
  }
}
