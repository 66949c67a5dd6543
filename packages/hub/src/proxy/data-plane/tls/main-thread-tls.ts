import type { EdgeLog } from '../context.ts'
import { type LiveTls, openLiveTls } from './live-tls.ts'
import type { ProtocolFlags, TlsFlags } from './tls-setup.ts'

/** What the main thread of an edge needs of TLS. */
export interface MainThreadTls {
  /** The REST API answers by HTTPS. */
  readonly api: LiveTls | undefined
  /** For the subscription to hubs; they are targets as well. */
  readonly hub: LiveTls | undefined
  close(): void
}

/** Rejects with an error for people when a file cannot be used. */
export async function openMainThreadTls(options: {
  readonly apiTls?: TlsFlags
  readonly clientTls?: TlsFlags
  readonly protocol?: ProtocolFlags
  readonly hubUrls: readonly string[]
  readonly log: EdgeLog
}): Promise<MainThreadTls> {
  const { apiTls, clientTls, protocol = { settings: {} }, hubUrls, log } = options
  const asksByTls = hubUrls.some((url) => url.startsWith('https:'))
  const api = apiTls && (await openLiveTls(apiTls, { protocol, log }))
  const hub = asksByTls && clientTls ? await openLiveTls(clientTls, { protocol, log }) : undefined
  return {
    api,
    hub,
    close() {
      api?.close()
      hub?.close()
    },
  }
}
