import type { LogLevel } from '../context.ts'
import type { FrontSettings } from '../front.ts'
import type { Listen } from '../listen.ts'
import type { Drain } from '../public-server.ts'

/** What a worker is born with. */
export interface WorkerData {
  readonly settings: FrontSettings
  /** Memory of its `EdgeCounts`. */
  readonly counts: SharedArrayBuffer
  /** Shared; its event loop counts up the first. */
  readonly beats: Int32Array
  /** The routing table, in memory that is shared. */
  readonly table: SharedArrayBuffer
}

export type ToWorker =
  | { readonly kind: 'listen'; readonly at: Listen }
  /** Answered by `measured` once its counts tell how much is open. */
  | { readonly kind: 'measure' }
  | { readonly kind: 'reloadCertificates' }
  | { readonly kind: 'useTicketKeys'; readonly keys: Uint8Array }
  | { readonly kind: 'drain'; readonly drain: Drain }

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'listening'; readonly port: number }
  /** It cannot serve; an error for people. */
  | { readonly kind: 'failed'; readonly message: string; readonly code?: string; port?: number }
  | { readonly kind: 'measured' }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly message: string }
  | { readonly kind: 'closed' }
