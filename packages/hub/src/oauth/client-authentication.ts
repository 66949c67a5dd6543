import { timingSafeEqual } from 'node:crypto'
import type { OAuthClient } from '../domain/records.ts'
import { hashToken, isTokenOf, sha256Hex } from '../storage/token-hash.ts'
import { createFailureLimit } from './failure-limit.ts'

/** Secrets that proved right, remembered per client. */
const maxVerified = 10_000
const maxSecretLength = 1024

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

/** Checks client secrets; slow hashes are computed a bounded number of times per client and address. */
export class ClientAuthenticator {
  readonly #limit
  /** Stored hash and SHA-256 of the secret that matched it, by client id. */
  readonly #verified = new Map<string, { secretHash: string; digest: Buffer }>()
  /** Compared when there is no client, so that the time taken does not tell. */
  readonly #decoy = hashToken('no client has this secret')

  constructor(now: () => Date) {
    this.#limit = createFailureLimit(now)
  }

  /**
   * A secret that was right before needs no slow hash, and is let through however many wrong ones
   * came from the same address: servers on one machine share theirs, and one user's server must
   * not be able to lock out another's.
   */
  check(credentials: ClientCredentials): ClientAuthentication {
    const { clientId, client, secret, address } = credentials
    if (clientId === '' || secret === '' || secret.length > maxSecretLength) {
      return { kind: 'refused' }
    }
    const digest = Buffer.from(sha256Hex(secret))
    if (client !== undefined && this.#isVerified(client, digest)) return { kind: 'ok' }
    const key = `${sha256Hex(clientId)} ${address}`
    const retryAfterSeconds = this.#limit.waitSeconds(key)
    if (retryAfterSeconds > 0) return { kind: 'throttled', retryAfterSeconds }
    const matches = isTokenOf(client?.secretHash || this.#decoy, secret)
    if (client === undefined || client.secretHash === '' || !matches) {
      this.#limit.fail(key)
      return { kind: 'refused' }
    }
    this.#limit.succeed(key)
    this.#remember(client, digest)
    return { kind: 'ok' }
  }

  #isVerified(client: OAuthClient, digest: Buffer): boolean {
    const known = this.#verified.get(client.id)
    if (known === undefined || known.secretHash !== client.secretHash) return false
    return timingSafeEqual(known.digest, digest)
  }

  #remember(client: OAuthClient, digest: Buffer): void {
    this.#verified.delete(client.id)
    this.#verified.set(client.id, { secretHash: client.secretHash, digest })
    const oldest = this.#verified.keys().next().value
    if (this.#verified.size > maxVerified && oldest !== undefined) this.#verified.delete(oldest)
  }
}
