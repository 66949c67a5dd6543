import {
  calculateJwkThumbprint,
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose'
import {
  addSigningKey,
  listSigningKeys,
  type StoredSigningKey,
} from '../../storage/signing-keys.ts'
import type { Store } from '../../storage/store.ts'
import { openSealedText, sealText } from './sealed-text.ts'

export const signingAlgorithm = 'RS256'
const dayMs = 86_400_000
/** Age at which a key is succeeded by a new one. */
const rotateAfterMs = 90 * dayMs
/** A new key is published for so long before it signs: clients keep key sets for a while. */
const publishedFirstMs = 10 * 60_000
/** How long a key stays published after it signs no more; ID tokens live an hour. */
const keptAfterMs = 2 * dayMs
const cacheMs = 60_000

interface SigningKey {
  readonly kid: string
  readonly key: CryptoKey
}

/**
 * The keys that sign ID tokens. They are kept in the store, the private halves encrypted with a key
 * made of the cookie secret, so that all hubs share them; the first use makes the first one. When
 * the cookie secret has changed, a new key is made.
 */
export class SigningKeys {
  readonly #store: Store
  readonly #secret: Buffer
  readonly #now: () => Date
  #current: { until: number; key: Promise<SigningKey> } | undefined

  constructor(options: { store: Store; cookieSecret: Buffer; now: () => Date }) {
    this.#store = options.store
    this.#secret = options.cookieSecret
    this.#now = options.now
  }

  /** The key that signs now, looked up once a minute. */
  async current(): Promise<SigningKey> {
    const now = this.#now().getTime()
    if (this.#current === undefined || this.#current.until <= now) {
      this.#current = { until: now + cacheMs, key: this.#choose() }
    }
    const current = this.#current
    try {
      return await current.key
    } catch (error) {
      if (this.#current === current) this.#current = undefined
      throw error
    }
  }

  /** Public keys that clients may meet, newest first. Source: RFC 7517 §5. */
  async publicKeySet(): Promise<{ keys: JWK[] }> {
    await this.current()
    const stored = await listSigningKeys(this.#store.db)
    const keys = stored.map(({ publicKey, kid }) => ({
      ...(JSON.parse(publicKey) as JWK), // written by #create
      kid,
      use: 'sig',
      alg: signingAlgorithm,
    }))
    return { keys }
  }

  async #choose(): Promise<SigningKey> {
    const now = this.#now().getTime()
    const stored = await listSigningKeys(this.#store.db)
    const usable = stored.filter((key) => this.#open(key) !== undefined)
    const [newest] = usable
    const isDue = newest === undefined || newest.createdAt.getTime() + rotateAfterMs <= now
    const candidates = isDue ? [await this.#create(), ...usable] : usable
    const published = candidates.find((key) => key.createdAt.getTime() + publishedFirstMs <= now)
    const chosen = published ?? candidates.at(-1)
    const privateKey = chosen && this.#open(chosen)
    if (chosen === undefined || privateKey === undefined) throw new TypeError('no signing key')
    const key = await importJWK(JSON.parse(privateKey) as JWK, signingAlgorithm) // by #create
    if (key instanceof Uint8Array) throw new TypeError('a signing key is a key pair')
    return { kid: chosen.kid, key }
  }

  async #create(): Promise<StoredSigningKey> {
    const pair = await generateKeyPair(signingAlgorithm, { modulusLength: 2048, extractable: true })
    const publicKey = await exportJWK(pair.publicKey)
    const kid = await calculateJwkThumbprint(publicKey)
    const privateKey = JSON.stringify(await exportJWK(pair.privateKey))
    const createdAt = this.#now()
    const key = {
      kid,
      publicKey: JSON.stringify(publicKey),
      encryptedKey: sealText(privateKey, { secret: this.#secret, name: kid }),
      createdAt,
    }
    const expiredBefore = new Date(createdAt.getTime() - rotateAfterMs - keptAfterMs)
    await this.#store.write((transaction) => addSigningKey(transaction, key, expiredBefore))
    return key
  }

  #open({ kid, encryptedKey }: StoredSigningKey): string | undefined {
    return openSealedText(encryptedKey, { secret: this.#secret, name: kid })
  }
}
