import { createHash, hkdfSync, randomBytes } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'

/** Name, cipher key and MAC key, as Node takes them. */
const keyBytes = 48
/** Whoever gets hold of a key can read what tickets of its time protect. */
const rotationMs = 3_600_000

/**
 * Makes the keys of TLS session tickets, in memory only: a client's ticket is good for every worker
 * and after new certificates were read. Each hour there is a new key; a ticket of the one before
 * costs its client one full handshake.
 */
export class TicketKeys {
  #current = randomBytes(keyBytes)
  readonly #timer: NodeJS.Timeout

  constructor(onNew: (keys: Uint8Array) => void, intervalMs = rotationMs) {
    this.#timer = setInterval(() => {
      this.#current = randomBytes(keyBytes)
      onNew(this.#current)
    }, intervalMs)
    this.#timer.unref()
  }

  get current(): Uint8Array {
    return this.#current
  }

  close(): void {
    clearInterval(this.#timer)
  }
}

/** The keys that a listener uses, and when they change. */
export class SessionTickets {
  #keys: Buffer
  readonly #listeners: (() => void)[] = []

  constructor(keys: Uint8Array = randomBytes(keyBytes)) {
    this.#keys = Buffer.from(keys)
  }

  /**
   * A session that goes on is not checked again: tickets are good only as long as clients are
   * checked against the same authorities.
   */
  keysFor(authorities: SecureContextOptions['ca']): Buffer {
    if (authorities === undefined) return this.#keys
    const digest = createHash('sha256').update(String(authorities)).digest()
    return Buffer.from(hkdfSync('sha256', this.#keys, '', digest, keyBytes))
  }

  use(keys: Uint8Array): void {
    this.#keys = Buffer.from(keys)
    for (const listener of this.#listeners) listener()
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }
}
