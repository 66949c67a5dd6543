import { performServerHandshake } from 'node:http2'
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { maxHeadBytes } from '../context.ts'
import type { Peer } from '../http1/asker.ts'
import { StreamAsker, type StreamServices } from './h2-asker.ts'

export interface SessionOptions {
  /** A connection without a request for so long is closed. */
  readonly idleMs: number
}

/** Requests of one connection at a time; what RFC 9113 §6.5.2 recommends at least. */
const maxConcurrentStreams = 100
/** Megabytes of one connection, headers and bodies that wait included. */
const maxSessionMemory = 16

/** The HTTP/2 connections of a listener. Source: RFC 9113; chosen by ALPN `h2`. */
export class Http2Sessions {
  readonly #services: StreamServices
  readonly #options: SessionOptions
  readonly #sessions = new Set<ServerHttp2Session>()
  #isDraining = false

  constructor(services: StreamServices, options: SessionOptions) {
    this.#services = services
    this.#options = options
  }

  get size(): number {
    return this.#sessions.size
  }

  accept(socket: TLSSocket, peer: Peer): void {
    const session = performServerHandshake(socket, {
      maxSessionMemory,
      settings: {
        maxConcurrentStreams,
        maxHeaderListSize: maxHeadBytes,
        // WebSockets come by HTTP/1.1: no target of ours speaks RFC 8441.
        enableConnectProtocol: false,
        enablePush: false,
      },
    })
    this.#sessions.add(session)
    session.on('close', () => this.#sessions.delete(session)).on('error', () => session.destroy())
    session.setTimeout(this.#options.idleMs, () => session.close())
    session.on(
      'stream',
      (stream: ServerHttp2Stream, _headers: object, _flags: number, raw: string[]) => {
        new StreamAsker(stream, this.#services, raw).begin(peer, raw)
      },
    )
    if (this.#isDraining) session.close()
  }

  /** Takes no more requests; those under way finish. */
  drain(): void {
    this.#isDraining = true
    for (const session of this.#sessions) session.close()
  }

  destroy(): void {
    for (const session of this.#sessions) session.destroy()
  }
}
