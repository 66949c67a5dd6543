import type { RouteChange } from '../../routing-table.ts'
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
}

export type ToWorker =
  /** Changes in order; answered by `applied` with the same number. */
  | { readonly kind: 'changes'; readonly seq: number; readonly changes: readonly RouteChange[] }
  | { readonly kind: 'listen'; readonly at: Listen }
  /** Answered by `activity` with the same number. */
  | { readonly kind: 'ask'; readonly id: number }
  | { readonly kind: 'reloadCertificates' }
  | { readonly kind: 'drain'; readonly drain: Drain }

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'listening'; readonly port: number }
  /** It cannot serve; an error for people. */
  | { readonly kind: 'failed'; readonly message: string; readonly code?: string; port?: number }
  | { readonly kind: 'applied'; readonly seq: number }
  | {
      readonly kind: 'activity'
      readonly touched: readonly (readonly [path: string, lastActivityMs: number])[]
      /** Of the `ask` that it answers. */
      readonly id?: number
    }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly message: string }
  | { readonly kind: 'closed' }
