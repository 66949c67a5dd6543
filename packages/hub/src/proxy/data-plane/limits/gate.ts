import type { Socket } from 'node:net'
import { reasonOf } from '../http1/local-answer.ts'
import type { LimitName } from '../metrics/counts.ts'
import { addressKey } from './client-address.ts'
import type { SharedLimits } from './limit-memory.ts'
import type { Seats } from './seats.ts'

export interface GateOptions {
  /** Connections and tunnels in all; 0 for any number. */
  readonly maxConnections: number
  /** Counted with other workers. */
  readonly shared: SharedLimits
  readonly isTrustedPeer: (address: string) => boolean
  /** Connections and tunnels that are open. */
  readonly openCount: () => number
  /** Requests of HTTP/2 beyond the first of their connection: each may need a connection to a target. */
  readonly extraCount: () => number
  readonly onRefused: (limit: LimitName) => void
}

/** A refused client has so long to read why. */
const lastWordMs = 1000
/** Of those there are no more at a time: others are cut without a word. */
const maxLastWords = 100

/** Workers learn as late of places that were left. */
const publishIntervalMs = 100

const seat = Symbol('seat')
interface SeatedSocket extends Socket {
  [seat]?: { readonly seats: Seats; readonly place: number }
}

/** Lets connections in, or not, before anything is read from them. */
export class Gate {
  readonly #options: GateOptions
  readonly #timer: NodeJS.Timeout | undefined
  #lastWords = 0
  /** Connections counted from their first moment, before there is anything to serve. */
  #raw = 0

  constructor(options: GateOptions) {
    this.#options = options
    if (options.maxConnections === 0 || options.shared.workers === 1) return
    this.#timer = setInterval(() => this.#publish(0), publishIntervalMs)
    this.#timer.unref()
  }

  /** @returns 0 to let one more in, or the status that refuses it */
  isFull(): 0 | 503 {
    const { maxConnections, shared } = this.#options
    if (maxConnections === 0) return 0
    // Said first, counted then: of two workers that let one in at a time, one sees both.
    this.#publish(1)
    let sum = 0
    for (let worker = 0; worker < shared.workers; worker += 1) {
      sum += Atomics.load(shared.open, worker)
    }
    if (sum <= maxConnections) return 0
    this.#publish(0)
    return 503
  }

  /**
   * Counts a connection that is to say something before it is served (TLS, a PROXY header), until it
   * closes: whoever says nothing takes a place, too.
   */
  count(socket: Socket): void {
    this.#raw += 1
    socket.once('close', () => (this.#raw -= 1))
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Tells other workers how many are open; never too few, since all come through {@link isFull}. */
  #publish(more: number): void {
    const { shared, openCount, extraCount } = this.#options
    const count = Math.max(openCount(), this.#raw) + extraCount()
    Atomics.store(shared.open, shared.worker, count + more)
  }

  /** Counts a connection until it closes. @returns 0, or the status that refuses it */
  enter(socket: Socket, address: string): 0 | 429 {
    const seats = this.#options.shared.gateSeats
    if (seats === undefined || this.#options.isTrustedPeer(address)) return 0
    const place = seats.take(addressKey(address))
    if (place === -1) return 429
    const seated: SeatedSocket = socket
    seated[seat] = { seats, place }
    seated.once('close', onClose)
    return 0
  }

  /** @param isPlain - it can be told in plain HTTP. */
  refuse(socket: Socket, status: 429 | 503, isPlain: boolean): void {
    this.#options.onRefused(status === 503 ? 'connections' : 'connections_per_address')
    socket.on('error', () => socket.destroy())
    if (!isPlain || this.#lastWords >= maxLastWords) {
      socket.destroy()
      return
    }
    this.#lastWords += 1
    socket.once('close', () => (this.#lastWords -= 1))
    socket.setTimeout(lastWordMs, () => socket.destroy())
    socket.once('end', () => socket.destroy()).resume()
    socket.end(
      `HTTP/1.1 ${status} ${reasonOf(status)}\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    )
  }
}

function onClose(this: SeatedSocket): void {
  const taken = this[seat]
  taken?.seats.release(taken.place)
}
