import { timingSafeEqual } from 'node:crypto'
import type { OAuthClient } from '../domain/records.ts'
import type { Store } from '../storage/store.ts'
import { hashToken, isStretchedHash, isTokenOf, sha256Hex } from '../storage/token-hash.ts'
import { FailureThrottle, networkOf, type ThrottleRule } from '../web/failure-throttle.ts'

/** Secrets that proved right, remembered per client. */
const maxVerified = 10_000
const maxSecretLength = 1024

const rules = {
  client: { freeFailures: 20, firstBlockMs: 30_000, maxBlockMs: 5 * 60_000 },
} as const satisfies Record<string, ThrottleRule>

export type ClientAuthentication =
  | { readonly kind: 'ok' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'throttled'; readonly retryAfterSeconds: number }

export interface ClientCredentials {
  readonly clientId: string
  readonly client: OAuthClient | undefined
  readonly secret: string
  /** Where the request comes from. */
  readonly address: string
}

/**
 * Checks client secrets. Failures are counted per client and address, over all hubs; a secret that
 * is right is not kept waiting for them: servers on one machine share their address, and one user's
 * server must not be able to lock out another's. Only of secrets that people chose is a guess
 * worth its hash, so there the count comes first.
 */
export class ClientAuthenticator {
  readonly #throttle: FailureThrottle
  /** Stored hash and SHA-256 of the secret that matched it, by client id. */
  readonly #verified = new Map<string, { secretHash: string; digest: Buffer }>()
  /** Compared when there is no client, so that the time taken does not tell. */
  readonly #decoy = hashToken('no client has this secret')

  constructor(store: Store, now: () => Date) {
    this.#throttle = new FailureThrottle(store, now, rules)
  }

  async check(credentials: ClientCredentials): Promise<ClientAuthentication> {
    const { clientId, client, secret, address } = credentials
    if (clientId === '' || secret === '' || secret.length > maxSecretLength) {
      return { kind: 'refused' }
    }
    const secretHash = client?.secretHash || this.#decoy
    const isStretched = isStretchedHash(secretHash)
    if (client !== undefined && this.#isVerified(client, secret)) return { kind: 'ok' }
    if (!isStretched && this.#matches(client, secret, secretHash)) return { kind: 'ok' }
    const key = `client:${sha256Hex(clientId).slice(0, 32)}:${networkOf(address)}`
    const retryAfterSeconds = await this.#throttle.begin([key])
    if (retryAfterSeconds > 0) return { kind: 'throttled', retryAfterSeconds }
    if (!isStretched || !this.#matches(client, secret, secretHash)) return { kind: 'refused' }
    await this.#throttle.forgive([], { clear: [key] })
    return { kind: 'ok' }
  }

  #matches(client: OAuthClient | undefined, secret: string, secretHash: string): boolean {
    if (!isTokenOf(secretHash, secret) || client === undefined || client.secretHash === '') {
      return false
    }
    this.#remember(client, secret)
    return true
  }

  #isVerified(client: OAuthClient, secret: string): boolean {
    const known = this.#verified.get(client.id)
    if (known === undefined || known.secretHash !== client.secretHash) return false
    return timingSafeEqual(known.digest, digestOf(secret))
  }

  #remember(client: OAuthClient, secret: string): void {
    const { id, secretHash } = client
    this.#verified.delete(id)
    this.#verified.set(id, { secretHash, digest: digestOf(secret) })
    const oldest = this.#verified.keys().next().value
    if (this.#verified.size > maxVerified && oldest !== undefined) this.#verified.delete(oldest)
  }
}

function digestOf(secret: string): Buffer {
  return Buffer.from(sha256Hex(secret))
}
