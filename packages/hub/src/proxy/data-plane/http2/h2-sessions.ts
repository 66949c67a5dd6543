import { constants, performServerHandshake } from 'node:http2'
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { maxHeadBytes } from '../context.ts'
import type { Peer } from '../http1/asker.ts'
import { nowMs } from '../http1/deadlines.ts'
import type { Deadlines, Waiting } from '../http1/deadlines.ts'
import { maxFields } from '../http1/fields.ts'
import { StreamAsker, type StreamServices } from './h2-asker.ts'

export interface SessionOptions {
  /** A connection without a request for so long is closed, as is a stream whose answer is not taken. */
  readonly idleMs: number
  /** One that is used and on which nothing moves for so long is closed. */
  readonly stallMs: number
  /** For a further request of a connection that has one under way. */
  readonly hasRoom: () => boolean
  readonly onRefused: () => void
}

/** Requests of one connection at a time; what RFC 9113 §6.5.2 recommends at least. */
const maxConcurrentStreams = 100
/** Megabytes of one connection, headers and bodies that wait included. */
const maxSessionMemory = 16

/**
 * Bytes of a request's body that may come before its target takes them: as many come in a round trip.
 * Those of a connection count until they are here, those of a stream until they are taken.
 */
const streamWindowBytes = 256 * 1024
const sessionWindowBytes = 1024 * 1024

/** Requests that a client takes back before their answer, in a window, before it is sent away. */
const maxTakenBack = 200
const takenBackWindowMs = 10_000
/** For a client that is told of the end to close its side. */
const lastWordsMs = 2000

/** The HTTP/2 connections of a listener. Source: RFC 9113; chosen by ALPN `h2`. */
export class Http2Sessions {
  readonly #services: StreamServices
  readonly #options: SessionOptions
  readonly #sessions = new Set<ServerHttp2Session>()
  /** Requests under way beyond the first of their connection. */
  extraCount = 0
  #isDraining = false

  constructor(services: Omit<StreamServices, 'untakenMs'>, options: SessionOptions) {
    this.#services = { ...services, untakenMs: options.idleMs }
    this.#options = options
  }

  get size(): number {
    return this.#sessions.size
  }

  accept(socket: TLSSocket, peer: Peer): void {
    const session = performServerHandshake(socket, {
      maxSessionMemory,
      maxHeaderListPairs: maxFields,
      // A target may say twice what should be said once; over HTTP/1.1 that passes as well.
      strictSingleValueFields: false,
      settings: {
        maxConcurrentStreams,
        maxHeaderListSize: maxHeadBytes,
        initialWindowSize: streamWindowBytes,
        // WebSockets come by HTTP/1.1: no target of ours speaks RFC 8441.
        enableConnectProtocol: false,
        enablePush: false,
      },
    })
    session.setLocalWindowSize(sessionWindowBytes)
    this.#sessions.add(session)
    session.on('close', () => this.#sessions.delete(session)).on('error', () => session.destroy())
    const idle = new IdleWatch(session, socket, {
      ...this.#options,
      deadlines: this.#services.pace.deadlines,
    })
    // Who cannot widen the window any more has left; Node would wait for ever to send the rest.
    socket.once('end', () => {
      session.destroy()
      socket.destroy()
    })
    const takenBack = new TakenBack(session)
    session.on(
      'stream',
      (stream: ServerHttp2Stream, _headers: object, _flags: number, raw: string[]) => {
        takenBack.watch(stream)
        if (!this.#enter(stream, idle)) return
        new StreamAsker(stream, this.#services, raw).begin(peer, raw)
      },
    )
    if (this.#isDraining) session.close()
  }

  /** Each further request of a connection takes a place of its own. @returns false when there is none */
  #enter(stream: ServerHttp2Stream, idle: IdleWatch): boolean {
    const { hasRoom, onRefused } = this.#options
    if (idle.isBusy) {
      if (!hasRoom()) {
        onRefused()
        stream.on('error', () => undefined)
        stream.close(constants.NGHTTP2_REFUSED_STREAM)
        return false
      }
      this.extraCount += 1
    }
    idle.watch(stream)
    stream.once('close', () => {
      if (idle.isBusy) this.extraCount -= 1
    })
    return true
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

/**
 * Ends a connection that is not used for requests, whatever else comes on it: pings, or the head of a
 * request byte by byte. One that is used is asked whether it is there, and given up when nothing moves:
 * while a session does not read, nobody would tell that its client has left.
 */
class IdleWatch implements Waiting {
  deadlineMs: number
  readonly #session: ServerHttp2Session
  readonly #socket: TLSSocket
  readonly #idleMs: number
  readonly #stallMs: number
  #open = 0
  /** Bytes both ways, when it was looked last. */
  #moved = 0
  #stillMs = 0

  constructor(
    session: ServerHttp2Session,
    socket: TLSSocket,
    { deadlines, idleMs, stallMs }: SessionOptions & { readonly deadlines: Deadlines },
  ) {
    this.#session = session
    this.#socket = socket
    this.#idleMs = idleMs
    this.#stallMs = stallMs
    this.deadlineMs = nowMs() + idleMs
    deadlines.add(this)
    session.once('close', () => deadlines.delete(this))
  }

  /** Requests are under way. */
  get isBusy(): boolean {
    return this.#open > 0
  }

  watch(stream: ServerHttp2Stream): void {
    this.#open += 1
    stream.once('close', () => {
      this.#open -= 1
      if (this.#open === 0) this.deadlineMs = nowMs() + this.#idleMs
    })
  }

  onDeadline(): void {
    const session = this.#session
    if (this.isBusy) {
      if (this.#isStill()) session.destroy()
      else if (!session.destroyed) session.ping(() => undefined)
      this.deadlineMs = nowMs() + this.#idleMs
      return
    }
    if (session.closed) session.destroy()
    else session.close()
    this.deadlineMs = nowMs() + lastWordsMs
  }

  /** Nothing came, not even the answer to a ping, and nothing was taken, for too long. */
  #isStill(): boolean {
    const moved = this.#socket.bytesRead + this.#socket.bytesWritten
    this.#stillMs = moved === this.#moved ? this.#stillMs + this.#idleMs : 0
    this.#moved = moved
    return this.#stillMs >= this.#stallMs
  }
}

/**
 * Counts requests that were begun and taken back: each costs the edge and a target more than it costs
 * the client. Source: CVE-2023-44487.
 */
class TakenBack {
  readonly #session: ServerHttp2Session
  #count = 0
  #sinceMs = 0

  constructor(session: ServerHttp2Session) {
    this.#session = session
  }

  watch(stream: ServerHttp2Stream): void {
    stream.once('aborted', () => this.#add())
  }

  #add(): void {
    const now = performance.now()
    if (now - this.#sinceMs > takenBackWindowMs) {
      this.#count = 0
      this.#sinceMs = now
    }
    this.#count += 1
    if (this.#count > maxTakenBack) {
      this.#session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM)
      this.#session.destroy()
    }
  }
}
