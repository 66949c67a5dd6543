import type { Socket } from 'node:net'
import { reasonOf } from '../http1/local-answer.ts'
import type { LimitName } from '../metrics/counts.ts'
import { addressKey } from './client-address.ts'
import { Seats } from './seats.ts'

export interface GateOptions {
  /** Connections and tunnels in all; 0 for any number. */
  readonly maxConnections: number
  /** Of one address that is not a trusted proxy; 0 for any number. */
  readonly maxConnectionsPerAddress: number
  readonly isTrustedPeer: (address: string) => boolean
  /** Connections and tunnels that are open. */
  readonly openCount: () => number
  readonly onRefused: (limit: LimitName) => void
}

/** A refused client has so long to read why. */
const lastWordMs = 1000
/** Of those there are no more at a time: others are cut without a word. */
const maxLastWords = 100

const seat = Symbol('seat')
interface SeatedSocket extends Socket {
  [seat]?: { readonly seats: Seats; readonly key: string }
}

/** Lets connections in, or not, before anything is read from them. */
export class Gate {
  readonly #options: GateOptions
  readonly #seats: Seats | undefined
  #lastWords = 0
  /** Connections counted from their first moment, before there is anything to serve. */
  #raw = 0

  constructor(options: GateOptions) {
    this.#options = options
    const { maxConnectionsPerAddress } = options
    if (maxConnectionsPerAddress > 0) this.#seats = new Seats(maxConnectionsPerAddress)
  }

  /** @returns 0 to let one more in, or the status that refuses it */
  isFull(): 0 | 503 {
    const { maxConnections, openCount } = this.#options
    return maxConnections > 0 && Math.max(openCount(), this.#raw) >= maxConnections ? 503 : 0
  }

  /**
   * Counts a connection that is to say something before it is served (TLS, a PROXY header), until it
   * closes: whoever says nothing takes a place, too.
   */
  count(socket: Socket): void {
    this.#raw += 1
    socket.once('close', () => (this.#raw -= 1))
  }

  /** Counts a connection until it closes. @returns 0, or the status that refuses it */
  enter(socket: Socket, address: string): 0 | 429 {
    const seats = this.#seats
    if (seats === undefined || this.#options.isTrustedPeer(address)) return 0
    const key = addressKey(address)
    if (!seats.take(key)) return 429
    const seated: SeatedSocket = socket
    seated[seat] = { seats, key }
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
  taken?.seats.release(taken.key)
}
