import type { Route } from '../../route.ts'
import type { Peer } from '../http1/asker.ts'
import type { Fields } from '../http1/fields.ts'
import { refusalOf } from '../http1/local-answer.ts'
import type { LocalAnswer } from '../http1/local-answer.ts'
import { chunkedLength } from '../http1/request-head.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { LimitName } from '../metrics/counts.ts'
import { addressKey, clientAddress } from './client-address.ts'
import { bucketRule } from './token-buckets.ts'
import type { BucketRule } from './token-buckets.ts'
import { createLimitMemory, SharedLimits, sharedNowMs } from './limit-memory.ts'

/** Limits of routes at and below a path, in place of those of all; 0 is none. */
export interface RouteLimits {
  /** Decoded, without a slash at the end; `/` for all. */
  readonly path: string
  readonly maxBodyBytes?: number
  readonly maxRequestsPerSecond?: number
  readonly maxConcurrent?: number
}

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
  /** The longest path counts. */
  readonly ofRoutes: readonly RouteLimits[]
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
  ofRoutes: [],
}

export type Verdict =
  | { readonly kind: 'refused'; readonly limit: LimitName; readonly answer: LocalAnswer }
  /** To be called once, when the request or its tunnel has ended. */
  | {
      readonly kind: 'passed'
      readonly release: (() => void) | undefined
      readonly maxBodyBytes: number
    }

/** What holds for a route. */
interface RouteRules {
  /** Begins the keys that are counted with them, so that other rules count by themselves. */
  readonly name: string
  readonly maxBodyBytes: number
  readonly rate: BucketRule | undefined
  readonly maxConcurrent: number
  /** Where nothing is counted. */
  readonly passed: Verdict
}

/** What a request must pass before its target is asked. */
export class RequestLimits {
  /** Nothing is limited. */
  readonly isOff: boolean
  readonly #rules: RouteRules
  /** Longer paths come first. */
  readonly #ofRoutes: readonly { readonly path: string; readonly rules: RouteRules }[]
  readonly #isTrustedPeer: (address: string) => boolean
  readonly #shared: SharedLimits

  /** @param shared - counted with other workers; alone unless given. */
  constructor(
    options: LimitOptions,
    isTrustedPeer: (address: string) => boolean,
    shared = new SharedLimits(options, createLimitMemory(options, 1), 0),
  ) {
    const { ofRoutes } = options
    this.#rules = rulesOf(options, undefined)
    this.#ofRoutes = ofRoutes
      .toSorted((a, b) => b.path.length - a.path.length)
      .map((one) => ({ path: one.path, rules: rulesOf(options, one) }))
    this.#isTrustedPeer = isTrustedPeer
    this.#shared = shared
    const { addressRate, routeRate, addressSeats, routeSeats } = shared
    const counted = [addressRate, routeRate, addressSeats, routeSeats]
    const bodies = [options, ...ofRoutes].map(({ maxBodyBytes = 0 }) => maxBodyBytes)
    this.isOff = bodies.every((one) => one === 0) && counted.every((one) => one === undefined)
  }

  /** @param isHub - the route leads to the hub, which everybody shares. */
  check(
    request: { readonly head: RequestHead; readonly fields: Fields; readonly peer: Peer },
    route: Route,
    isHub: boolean,
  ): Verdict {
    const { head, fields, peer } = request
    const rules = this.#rulesOf(route)
    if (rules.maxBodyBytes > 0 && head.bodyLength !== chunkedLength) {
      if (head.bodyLength > rules.maxBodyBytes) {
        return { kind: 'refused', limit: 'body_size', answer: refusalOf(413) }
      }
    }
    const address = clientAddress(peer, fields, this.#isTrustedPeer)
    const client = address === undefined ? undefined : addressKey(address)
    const user = isHub ? undefined : rules.name + userOf(route)
    const refusal = this.#checkRates(client, user, rules)
    if (refusal !== undefined) return refusal
    // Connections of an address are counted where they come in, but for those of proxies.
    return this.#takeSeats(peer.isTrusted ? client : undefined, user, rules)
  }

  #rulesOf({ path }: Route): RouteRules {
    const own = this.#ofRoutes.find((one) => isBelow(path, one.path))
    return own?.rules ?? this.#rules
  }

  #checkRates(
    client: string | undefined,
    user: string | undefined,
    { rate }: RouteRules,
  ): Verdict | undefined {
    const { addressRate, routeRate } = this.#shared
    if (addressRate === undefined && routeRate === undefined) return undefined
    const now = sharedNowMs()
    const ofClient = client === undefined ? 0 : (addressRate?.take(client, now) ?? 0)
    if (ofClient > 0) return refused('requests_per_address', 429, ofClient)
    if (user === undefined || rate === undefined) return undefined
    const ofUser = routeRate?.take(user, now, rate) ?? 0
    return ofUser > 0 ? refused('requests_per_route', 429, ofUser) : undefined
  }

  #takeSeats(
    client: string | undefined,
    user: string | undefined,
    { maxConcurrent, maxBodyBytes, passed }: RouteRules,
  ): Verdict {
    const ofClient = client === undefined ? undefined : this.#shared.addressSeats
    const isLimited = user !== undefined && maxConcurrent > 0
    const ofUser = isLimited ? this.#shared.routeSeats : undefined
    if (ofClient === undefined && ofUser === undefined) {
      return passed
    }
    const clientSeat = ofClient?.take(client ?? '') ?? -1
    if (ofClient !== undefined && clientSeat === -1) return refused('connections_per_address', 429)
    const userSeat = ofUser?.take(user ?? '', maxConcurrent) ?? -1
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
    return { kind: 'passed', release, maxBodyBytes }
  }
}

function rulesOf(options: LimitOptions, own: RouteLimits | undefined): RouteRules {
  const perSecond = own?.maxRequestsPerSecond ?? options.maxRequestsPerSecondPerRoute
  const maxBodyBytes = own?.maxBodyBytes ?? options.maxBodyBytes
  return {
    name: own === undefined ? '' : `limits ${own.path} `,
    maxBodyBytes,
    passed: { kind: 'passed', release: undefined, maxBodyBytes },
    rate: perSecond > 0 ? bucketRule(perSecond, options.burstSeconds) : undefined,
    maxConcurrent: own?.maxConcurrent ?? options.maxConcurrentPerRoute,
  }
}

function isBelow(path: string, parent: string): boolean {
  return path === parent || path.startsWith(parent === '/' ? '/' : `${parent}/`)
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
