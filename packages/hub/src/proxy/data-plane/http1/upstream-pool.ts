import { connect as connectTcp } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls, createSecureContext } from 'node:tls'
import type { SecureContext } from 'node:tls'
import type { Target } from '../../target.ts'
import type { LiveTls } from '../tls/live-tls.ts'
import { sharedReads } from './bytes.ts'
import { nowMs } from './deadlines.ts'
import type { Deadlines } from './deadlines.ts'
import { lookupName } from '../name-lookup.ts'
import { tcpKeepAliveMs } from './tunnel.ts'
import { UpstreamConnection } from './upstream-connection.ts'

/** Shorter than any server keeps an idle connection. */
const idleMs = 4000
/** What cannot be asked again uses only connections that were used just now. */
const freshMs = 1000
/** Of the time a server says it waits, so much is left to the network. */
const marginMs = 1000
const maxIdlePerTarget = 256
const maxIdle = 4096

export interface PoolOptions {
  readonly deadlines: Deadlines
  readonly connectTimeoutMs: number
  /** For https targets: trusted authorities, a certificate of our own. */
  readonly tls?: LiveTls
}

/**
 * Idle connections to targets: the one used last is used first. They belong to the target of a route
 * as it was when they were opened, not to its address: a port that another user's server took over
 * is asked on new connections only, whoever still holds an old one. Hot path: row P9 of the bench.
 */
export class UpstreamPool {
  readonly options: PoolOptions
  readonly #idle = new Map<Target, UpstreamConnection[]>()
  readonly #all = new Set<UpstreamConnection>()
  readonly #timer: NodeJS.Timeout
  #idleCount = 0
  #secureContext: SecureContext | undefined
  #isClosed = false

  constructor(options: PoolOptions) {
    this.options = options
    this.#timer = setInterval(() => this.#dropOld(), 500)
    this.#timer.unref()
    options.tls?.onChange(() => (this.#secureContext = undefined))
  }

  get idleCount(): number {
    return this.#idleCount
  }

  /** All connections, idle or not, but for tunnels. */
  get size(): number {
    return this.#all.size
  }

  /** @param canRepeat - the request may be sent again if the connection turns out to be closed. */
  take(target: Target, canRepeat: boolean): UpstreamConnection {
    const waiting = this.#idle.get(target)
    const found = waiting?.at(-1)
    if (waiting !== undefined && found !== undefined) {
      const idleForMs = nowMs() - found.idleSinceMs
      if (idleForMs < Math.min(found.idleLimitMs, canRepeat ? idleMs : freshMs)) {
        waiting.pop()
        this.#idleCount -= 1
        return found
      }
    }
    return this.open(target)
  }

  /** A new connection. */
  open(target: Target): UpstreamConnection {
    const connection = new UpstreamConnection(this, target, this.#connect(target))
    this.#all.add(connection)
    return connection
  }

  /** Takes back a connection on which nothing is under way. */
  release(connection: UpstreamConnection, keepAliveMs: number): void {
    connection.idleLimitMs = Math.min(idleMs, keepAliveMs - marginMs)
    let waiting = this.#idle.get(connection.target)
    if (waiting === undefined) {
      waiting = []
      this.#idle.set(connection.target, waiting)
    }
    const isFull = waiting.length >= maxIdlePerTarget || this.#idleCount >= maxIdle
    if (this.#isClosed || connection.idleLimitMs <= 0 || isFull) return connection.destroy()
    connection.idleSinceMs = nowMs()
    waiting.push(connection)
    this.#idleCount += 1
  }

  /** Ends all that are idle. @returns whether there were any */
  dropIdle(): boolean {
    const idle = [...this.#idle.values()].flat()
    for (const connection of idle) connection.destroy()
    return idle.length > 0
  }

  /** The connection is gone, or belongs to a tunnel. Idempotent. */
  forget(connection: UpstreamConnection): void {
    if (!this.#all.delete(connection)) return
    const waiting = this.#idle.get(connection.target)
    const at = waiting?.indexOf(connection) ?? -1
    if (waiting === undefined || at === -1) return
    waiting.splice(at, 1)
    this.#idleCount -= 1
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    for (const connection of this.#all) connection.destroy()
  }

  /** The oldest are at the front. */
  #dropOld(): void {
    const now = nowMs()
    for (const [target, waiting] of this.#idle) {
      for (const one of waiting.filter((c) => now - c.idleSinceMs >= c.idleLimitMs)) one.destroy()
      if (waiting.length === 0) this.#idle.delete(target)
    }
  }

  #connect(target: Target): Socket {
    const { hostname: host, port, socketPath } = target
    const asking = { keepAlive: true, keepAliveInitialDelay: tcpKeepAliveMs, lookup: lookupName }
    const where = socketPath === undefined ? { host, port, ...asking } : { path: socketPath }
    if (target.protocol === 'http:')
      return connectTcp({ ...where, noDelay: true, onread: sharedReads })
    const tls = this.options.tls?.current
    // One for all: to load the authorities takes longer than to connect.
    this.#secureContext ??= createSecureContext(tls)
    const servername = /^[\d.]+$|:/.test(host) ? '' : host
    const secureContext = this.#secureContext
    return connectTls({
      ...tls,
      ...where,
      servername,
      secureContext,
      ALPNProtocols: ['http/1.1'],
    }).setNoDelay(true)
  }
}
