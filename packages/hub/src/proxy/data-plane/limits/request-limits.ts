import type { Route } from '../../route.ts'
import type { Peer } from '../http1/asker.ts'
import type { Fields } from '../http1/fields.ts'
import { refusalOf } from '../http1/local-answer.ts'
import type { LocalAnswer } from '../http1/local-answer.ts'
import { chunkedLength } from '../http1/request-head.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { LimitName } from '../metrics/counts.ts'
import { addressKey, clientAddress } from './client-address.ts'
import { createLimitMemory, SharedLimits, sharedNowMs } from './limit-memory.ts'

/** Limits of an edge; 0 is none. */
export interface LimitOptions {
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly maxRequestsPerSecondPerAddress: number
  /** Of a user's routes together, or of a route that is no user's. The hub's has none. */
  readonly maxRequestsPerSecondPerRoute: number
  /** So many seconds' worth of requests may come at once. */
  readonly burstSeconds: number
  /** Requests and tunnels under way, of the same. */
  readonly maxConcurrentPerRoute: number
  readonly maxBodyBytes: number
  /** Bytes a second of request bodies, averaged. */
  readonly minBodyRate: number
}

export const noLimits: LimitOptions = {
  maxConnections: 0,
  maxConnectionsPerAddress: 0,
  maxRequestsPerSecondPerAddress: 0,
  maxRequestsPerSecondPerRoute: 0,
  burstSeconds: 5,
  maxConcurrentPerRoute: 0,
  maxBodyBytes: 0,
  minBodyRate: 0,
}

export type Verdict =
  | { readonly kind: 'refused'; readonly limit: LimitName; readonly answer: LocalAnswer }
  /** To be called once, when the request or its tunnel has ended. */
  | { readonly kind: 'passed'; readonly release: (() => void) | undefined }

const passed: Verdict = { kind: 'passed', release: undefined }

/** What a request must pass before its target is asked. */
export class RequestLimits {
  /** Nothing is limited. */
  readonly isOff: boolean
  readonly #maxBodyBytes: number
  readonly #isTrustedPeer: (address: string) => boolean
  readonly #shared: SharedLimits

  /** @param shared - counted with other workers; alone unless given. */
  constructor(
    options: LimitOptions,
    isTrustedPeer: (address: string) => boolean,
    shared = new SharedLimits(options, createLimitMemory(options, 1), 0),
  ) {
    this.#maxBodyBytes = options.maxBodyBytes
    this.#isTrustedPeer = isTrustedPeer
    this.#shared = shared
    const { addressRate, routeRate, addressSeats, routeSeats } = shared
    const counted = [addressRate, routeRate, addressSeats, routeSeats]
    this.isOff = options.maxBodyBytes === 0 && counted.every((one) => one === undefined)
  }

  /** @param isHub - the route leads to the hub, which everybody shares. */
  check(
    request: { readonly head: RequestHead; readonly fields: Fields; readonly peer: Peer },
    route: Route,
    isHub: boolean,
  ): Verdict {
    const { head, fields, peer } = request
    if (this.#maxBodyBytes > 0 && head.bodyLength !== chunkedLength) {
      if (head.bodyLength > this.#maxBodyBytes) {
        return { kind: 'refused', limit: 'body_size', answer: refusalOf(413) }
      }
    }
    const address = clientAddress(peer, fields, this.#isTrustedPeer)
    const client = address === undefined ? undefined : addressKey(address)
    const user = isHub ? undefined : userOf(route)
    const refusal = this.#checkRates(client, user)
    if (refusal !== undefined) return refusal
    // Connections of an address are counted where they come in, but for those of proxies.
    return this.#takeSeats(peer.isTrusted ? client : undefined, user)
  }

  #checkRates(client: string | undefined, user: string | undefined): Verdict | undefined {
    const { addressRate, routeRate } = this.#shared
    if (addressRate === undefined && routeRate === undefined) return undefined
    const now = sharedNowMs()
    const ofClient = client === undefined ? 0 : (addressRate?.take(client, now) ?? 0)
    if (ofClient > 0) return refused('requests_per_address', 429, ofClient)
    const ofUser = user === undefined ? 0 : (routeRate?.take(user, now) ?? 0)
    return ofUser > 0 ? refused('requests_per_route', 429, ofUser) : undefined
  }

  #takeSeats(client: string | undefined, user: string | undefined): Verdict {
    const ofClient = client === undefined ? undefined : this.#shared.addressSeats
    const ofUser = user === undefined ? undefined : this.#shared.routeSeats
    if (ofClient === undefined && ofUser === undefined) return passed
    const clientSeat = ofClient?.take(client ?? '') ?? -1
    if (ofClient !== undefined && clientSeat === -1) return refused('connections_per_address', 429)
    const userSeat = ofUser?.take(user ?? '') ?? -1
    if (ofUser !== undefined && userSeat === -1) {
      ofClient?.release(clientSeat)
      return refused('concurrent_per_route', 503)
    }
    let isReleased = false
    const release = (): void => {
      if (isReleased) return
      isReleased = true
      ofClient?.release(clientSeat)
      ofUser?.release(userSeat)
    }
    return { kind: 'passed', release }
  }
}

/** A user's servers share their limits; names begin in a way that no path does. */
function userOf({ entry, path }: Route): string {
  const user = entry.data['user']
  return typeof user === 'string' && user !== '' ? `user ${user}` : path
}

const texts = {
  429: 'Too many requests. Try again shortly.\n',
  503: 'Too many requests at a time. Try again shortly.\n',
} as const

function refused(limit: LimitName, status: 429 | 503, waitMs = 1000): Verdict {
  const type = ['Content-Type', 'text/plain; charset=utf-8'] as const
  const retry = ['Retry-After', String(Math.ceil(waitMs / 1000))] as const
  const headers = [retry, type]
  return { kind: 'refused', limit, answer: { status, headers, body: Buffer.from(texts[status]) } }
}
