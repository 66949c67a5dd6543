import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EdgeContext } from './context.ts'
import { loadFailurePage } from './errors.ts'
import { createForwarder, locate, openExchange } from './forward.ts'
import { createFrontDoor, peerAddress } from './front-door.ts'
import type { TlsFrontOptions } from './front-door.ts'
import type { Forwarder } from './forward.ts'
import type { Peer } from './http1/asker.ts'
import { ClientConnection } from './http1/client-connection.ts'
import type { FrontServices } from './http1/front-services.ts'
import { Deadlines } from './http1/deadlines.ts'
import { Tunnels } from './http1/tunnel.ts'
import { UpstreamPool } from './http1/upstream-pool.ts'
import { Gate } from './limits/gate.ts'
import { createLimitMemory, type LimitMemory, SharedLimits } from './limits/limit-memory.ts'
import { noLimits, RequestLimits } from './limits/request-limits.ts'
import type { LimitOptions } from './limits/request-limits.ts'
import { Http2Sessions } from './http2/h2-sessions.ts'
import type { LiveTls } from './tls/live-tls.ts'

export interface PublicServerOptions {
  /** Time between two requests of a connection; 0 waits for ever. */
  readonly keepAliveTimeoutMs: number
  /** Idle time of a client socket; 0 waits for ever. */
  readonly timeoutMs: number
  /** Time for the head of a request to come; a minute unless given. */
  readonly headTimeoutMs?: number
  /** Time for a connection to a target; ten seconds unless given. */
  readonly connectTimeoutMs?: number
  /** An HTTP/2 connection without a request for so long is closed; a minute unless given. */
  readonly http2IdleMs?: number
  /** Who takes nothing of an answer or a body for so long is given up; five minutes unless given. */
  readonly stallMs?: number
  /** A WebSocket whose client is quiet for so long gets a ping, then its end; 0 never. */
  readonly webSocketPingMs?: number
  /** For https targets. */
  readonly upstreamTls?: LiveTls
  readonly tls?: TlsFrontOptions & {
    /** `Strict-Transport-Security: max-age`; 0 says nothing. */
    readonly hstsSeconds: number
  }
  /** None unless given. */
  readonly limits?: LimitOptions
  /** Shared by workers, each of which has an index; alone unless given. */
  readonly limitMemory?: LimitMemory
  readonly worker?: number
  /** Time over which the pace of bodies is averaged; a minute unless given. */
  readonly bodyWindowMs?: number
  /** Every connection begins with a PROXY header. */
  readonly isProxied?: boolean
}

/** How long what is open may go on once nothing new is accepted. */
export interface Drain {
  readonly requestsMs: number
  /** WebSockets and other tunnels. */
  readonly webSocketsMs: number
}

/** A connection that was accepted just before the drain gets so long to ask. */
const firstRequestMs = 500
const defaultHeadTimeoutMs = 60_000
const defaultConnectTimeoutMs = 10_000
const defaultBodyWindowMs = 60_000
const defaultStallMs = 300_000
/** Browsers keep one connection for long; they are told before it is closed. */
const defaultHttp2IdleMs = 60_000

/** The listener that proxies, and the connections it accepted. */
export class PublicServer {
  /** Not listening until told to. */
  readonly listener: Server
  readonly forwarder: Forwarder
  readonly #context: EdgeContext
  readonly #options: PublicServerOptions
  readonly #connections = new Set<ClientConnection>()
  readonly #tunnels: Tunnels
  readonly #gate: Gate
  readonly #sessions: Http2Sessions
  readonly #deadlines: Deadlines
  readonly #services: FrontServices
  #isDraining = false

  constructor(context: EdgeContext, options: PublicServerOptions) {
    this.#context = context
    this.#options = options
    this.#deadlines = new Deadlines(sweepIntervalMs(context, options))
    const { upstreamTls: tls, connectTimeoutMs = defaultConnectTimeoutMs } = options
    const deadlines = this.#deadlines
    const pool = new UpstreamPool({
      deadlines,
      connectTimeoutMs,
      ...(tls === undefined ? {} : { tls }),
    })
    this.#tunnels = new Tunnels(options.webSocketPingMs ?? 0, options.stallMs ?? defaultStallMs)
    const { isTrustedPeer } = context.options
    const { limits: limitOptions = noLimits } = options
    const shared = new SharedLimits(
      limitOptions,
      options.limitMemory ?? createLimitMemory(limitOptions, 1),
      options.worker ?? 0,
    )
    const limits = new RequestLimits(limitOptions, isTrustedPeer, shared)
    this.#gate = new Gate({
      maxConnections: limitOptions.maxConnections,
      shared,
      isTrustedPeer,
      openCount: () => this.connectionCount + this.tunnelCount,
      extraCount: () => this.#sessions.extraCount,
      onRefused: (limit) => context.counts.refused(limit),
    })
    const { stallMs = defaultStallMs } = options
    const parts = { pool, tunnels: this.#tunnels, limits, stallMs }
    this.forwarder = createForwarder(context, parts)
    this.#services = this.#createServices()
    this.#sessions = new Http2Sessions(this.#services, {
      idleMs: options.http2IdleMs ?? defaultHttp2IdleMs,
      stallMs: options.stallMs ?? defaultStallMs,
      hasRoom: () => this.#gate.isFull() === 0,
      onRefused: () => context.counts.refused('connections'),
    })
    this.listener = createFrontDoor({
      ...(options.tls !== undefined && { tls: options.tls }),
      isProxied: options.isProxied === true,
      isTrustedPeer,
      gate: this.#gate,
      onPlain: (socket, peer) =>
        this.accept(socket, this.#peerAt(peer?.address ?? socket.remoteAddress, false)),
      onTls: (socket, proxied) => {
        const peer = this.#peerAt(proxied?.address ?? socket.remoteAddress, true)
        if (socket.alpnProtocol === 'h2') this.#sessions.accept(socket, peer)
        else this.accept(socket, peer)
      },
    })
  }

  /** Connections of clients that are open; tunnels are counted apart. */
  get connectionCount(): number {
    return this.#connections.size + this.#sessions.size
  }

  get tunnelCount(): number {
    return this.#tunnels.size
  }

  /**
   * Serves HTTP/1.1 on any duplex of bytes that allows half-open use: a TCP or TLS socket, or what
   * is behind a PROXY header.
   * @param peer - who is at the other end.
   * @param first - bytes that were read from it already.
   */
  accept(socket: Duplex, peer: Peer, first?: Buffer): void {
    const { timeoutMs } = this.#options
    if (timeoutMs > 0) (socket as Socket).setTimeout(timeoutMs)
    const connection = new ClientConnection(socket, peer, this.#services)
    this.#connections.add(connection)
    this.#deadlines.add(connection)
    if (first !== undefined && first.length > 0) connection.received(first)
  }

  #peerAt(remoteAddress: string | undefined, isTls: boolean): Peer {
    const address = peerAddress(remoteAddress, this.listener)
    // A peer that has left has no address and is not believed.
    const isTrusted = address !== '' && this.#context.options.isTrustedPeer(address)
    return { address, isTrusted, isTls }
  }

  /** Notes how much is open now. */
  measure(): void {
    const { counts } = this.#context
    counts.set('connections', this.connectionCount)
    counts.set('tunnels', this.tunnelCount)
    counts.set('upstreamConnections', this.forwarder.hooks.pool.size)
  }

  /** Stops accepting, lets requests finish within the drain's time, then closes what is left. */
  async close({ requestsMs, webSocketsMs }: Drain): Promise<void> {
    const closed = this.listener.listening ? once(this.listener, 'close') : undefined
    const beganAt = performance.now()
    const isBefore = (ms: number): boolean => performance.now() < beganAt + ms
    this.#isDraining = true
    // The kernel resets what it has accepted and we have not: the next immediates run right after
    // the loop has taken all of it.
    if (closed !== undefined && requestsMs > 0) {
      await new Promise(setImmediate)
      await new Promise(setImmediate)
    }
    this.listener.close()
    this.#sessions.drain()
    for (;;) {
      const awaitsFirst = isBefore(Math.min(requestsMs, firstRequestMs))
      for (const connection of this.#connections) {
        if (connection.isIdle && !(awaitsFirst && connection.isFresh)) connection.destroy()
      }
      if (this.connectionCount === 0 || !isBefore(requestsMs)) break
      await sleep(20)
    }
    for (const connection of this.#connections) connection.destroy()
    this.#sessions.destroy()
    while (this.#tunnels.size > 0 && isBefore(webSocketsMs)) await sleep(20)
    if (requestsMs > 0 || webSocketsMs > 0) await this.#tunnels.leave()
    else this.#tunnels.destroy()
    await closed
    this.forwarder.hooks.pool.close()
    this.#deadlines.close()
    this.#gate.close()
  }

  #createServices(): FrontServices {
    const {
      keepAliveTimeoutMs,
      headTimeoutMs = defaultHeadTimeoutMs,
      bodyWindowMs = defaultBodyWindowMs,
      limits = noLimits,
    } = this.#options
    const isDraining = (): boolean => this.#isDraining
    const { pluginStore } = this.#context
    const hstsSeconds = this.#options.tls?.hstsSeconds ?? 0
    const hsts = hstsSeconds === 0 ? {} : { 'strict-transport-security': `max-age=${hstsSeconds}` }
    return {
      tlsAnswerFields: hsts,
      tlsAnswerLines: Object.entries(hsts)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join(''),
      keepAliveTimeoutMs,
      headTimeoutMs,
      pace: {
        deadlines: this.#deadlines,
        bytesPerSecond: limits.minBodyRate,
        windowMs: bodyWindowMs,
      },
      get isDraining() {
        return isDraining()
      },
      locate: pluginStore && ((head) => locate({ ...this.#context, pluginStore }, head)),
      open: (request) => openExchange(this.forwarder, request),
      failurePage: (failure, request, accept) =>
        loadFailurePage(
          { ...this.#context.options, tls: this.#options.upstreamTls?.current },
          failure,
          {
            asked: request.target,
            accept,
          },
        ),
      onRefused: (limit) => this.#context.counts.refused(limit),
      onBug: (error) => {
        this.#context.counts.answered('proxied', 500)
        this.#context.log('error', `failed to forward: ${String(error)}`)
      },
      onGone: (connection) => {
        this.#connections.delete(connection)
        this.#deadlines.delete(connection)
      },
    }
  }
}

/** A quarter of the shortest limit, so that none is overrun by much; half a second at most. */
function sweepIntervalMs(context: EdgeContext, options: PublicServerOptions): number {
  const limits = [
    options.keepAliveTimeoutMs,
    options.headTimeoutMs ?? defaultHeadTimeoutMs,
    options.bodyWindowMs ?? defaultBodyWindowMs,
    options.connectTimeoutMs ?? defaultConnectTimeoutMs,
    options.stallMs ?? defaultStallMs,
    context.options.proxyTimeoutMs,
  ].filter((ms) => ms > 0)
  return Math.max(10, Math.min(500, Math.min(...limits) / 4))
}
