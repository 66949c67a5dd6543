import type { Duplex } from 'node:stream'
import type { AnswerHead } from './answer-head.ts'
import type { Fields } from './fields.ts'

/** Why there is no answer of the target. Source: contract proxy §7. */
export interface ProxyFailure {
  readonly code: 404 | 500 | 503
  /** The hub itself does not answer: asking it for an error page would be in vain. */
  readonly isHubDown: boolean
}

/** Who is at the other end of a client's connection. */
export interface Peer {
  /** Without the `::ffff:` of dual-stack listeners; empty when it has left. */
  readonly address: string
  /** It is a proxy whose forwarding headers are kept. */
  readonly isTrusted: boolean
  readonly isTls: boolean
  /** The forwarding fields of its latest request, for a value of `Host`. */
  forwarding?: { readonly host: string | undefined; readonly lines: string }
}

/**
 * The seam between a front (HTTP/1.1; HTTP/2 streams) and an {@link Exchange} with a target. The
 * exchange calls in this order: interim answers, then a head, bytes and an end; or `fail` in place
 * of the head; or `cut` instead of what is left. `upgrade` replaces the head when the target
 * changes protocol. After `fail`, `cut`, `end` and `upgrade` it calls nothing more.
 */
export interface Asker {
  /** Chunked bodies come with their framing, as HTTP/1.1 has them; else their payload alone. */
  readonly takesChunks: boolean
  /** The target is connected: the body may come. */
  ready(): void
  /** A 1xx answer other than 100 and 101. Its fields hold during the call only. */
  interim(head: AnswerHead, fields: Fields): void
  /** The final answer begins. Its fields hold during the call only. */
  answer(head: AnswerHead, fields: Fields): void
  /**
   * Bytes of the answer, valid during the call.
   * @returns false when the exchange should wait for {@link Exchange.resumeAnswer}.
   */
  bytes(chunk: Buffer, from: number, to: number): boolean
  /** Sends what was held back to share a write with what might follow. */
  flush(): void
  /** The answer is complete. @param trailers - lines, unless chunks came with their framing. */
  end(trailers: string): void
  /** There will be no answer. */
  fail(failure: ProxyFailure): void
  /** The answer broke off after its head. */
  cut(): void
  /** The target waits for (wants) more of the request's body. */
  resumeBody(): void
  /** Gives the client's socket away, with what it sent already. */
  upgrade(head: AnswerHead, fields: Fields): { readonly socket: Duplex; readonly early?: Buffer }
}
