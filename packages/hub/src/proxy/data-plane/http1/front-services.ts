import type { PaceRules } from '../limits/body-pace.ts'
import type { LimitName } from '../metrics/counts.ts'
import type { Located } from '../forward.ts'
import type { Asker, Peer, ProxyFailure } from './asker.ts'
import type { ClientConnection } from './client-connection.ts'
import type { Exchange } from './exchange.ts'
import type { Fields } from './fields.ts'
import type { LocalAnswer } from './local-answer.ts'
import type { RequestHead } from './request-head.ts'

/** What a front needs of the server that accepted its connection. */
export interface FrontServices {
  readonly keepAliveTimeoutMs: number
  readonly headTimeoutMs: number
  /** How fast bodies must come. */
  readonly pace: PaceRules
  /** Takes no more requests on connections that are open. */
  readonly isDraining: boolean
  /** Added to every answer over TLS. */
  readonly tlsAnswerFields: Readonly<Record<string, string>>
  /** The same as lines of a head. */
  readonly tlsAnswerLines: string
  /**
   * Finds where a request goes where that takes time: then what it gives goes to `open`. Never
   * rejects.
   */
  readonly locate: ((head: RequestHead) => Promise<Located>) | undefined
  /**
   * Finds where a request goes and opens the exchange with its target; what it answers by itself
   * comes as a value. The fields hold during the call only.
   */
  open(request: {
    readonly head: RequestHead
    readonly fields: Fields
    readonly peer: Peer
    readonly asker: Asker
    readonly located?: Located
  }): Opened
  /** A limit ended a request or its connection after it had been opened, or before. */
  onRefused(limit: LimitName): void
  /** Never rejects. */
  failurePage(failure: ProxyFailure, request: RequestHead, accept: string): Promise<LocalAnswer>
  /** The connection ended, or became a tunnel. */
  onGone(connection: ClientConnection): void
  /** A request met a mistake of ours; it is answered with 500. */
  onBug(error: unknown): void
}

export type Opened =
  | {
      readonly kind: 'exchange'
      readonly exchange: Exchange
      readonly rewrite: Rewrite | undefined
      /** Of a body that does not say its length; 0 for any number. */
      readonly maxBodyBytes: number
    }
  | { readonly kind: 'answer'; readonly answer: LocalAnswer }
  | { readonly kind: 'failure'; readonly failure: ProxyFailure }
  /** The connection is cut without an answer. */
  | { readonly kind: 'cut' }

/** Changes a value of `Location`. */
export type Rewrite = (location: string, status: number) => string
