import type { RouteReader } from '../route-memory/route-reader.ts'
import type { EdgeCounts } from './metrics/counts.ts'
import type { PluginStore } from './storage/plugin-store.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type EdgeLog = (level: LogLevel, message: string) => void

/** How requests are forwarded; names follow configurable-http-proxy's flags. */
export interface ForwardOptions {
  readonly hostRouting: boolean
  readonly xForward: boolean
  readonly prependPath: boolean
  readonly includePrefix: boolean
  readonly changeOrigin: boolean
  readonly autoRewrite: boolean
  readonly protocolRewrite?: string
  readonly customHeaders: readonly (readonly [string, string])[]
  /** Peers whose forwarding headers are believed; see `createPeerTrust`. */
  readonly isTrustedPeer: (address: string) => boolean
  /** No answer from the target for so long is a 503; 0 waits for ever. */
  readonly proxyTimeoutMs: number
  readonly errorTarget?: string
  readonly errorPath?: string
}

/** What the parts of the data plane share. */
export interface EdgeContext {
  readonly table: RouteReader
  /** Keeps the routes in place of the table. */
  readonly pluginStore?: PluginStore
  readonly options: ForwardOptions
  readonly log: EdgeLog
  readonly counts: EdgeCounts
  /** Durations are measured too, which costs a look at the clock. */
  readonly hasMetrics: boolean
  /** Every request is a line of the log. */
  readonly logsRequests: boolean
}

/** Largest request or answer head, as Tornado's. */
export const maxHeadBytes = 64 * 1024
