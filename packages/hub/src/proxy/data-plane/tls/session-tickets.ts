import { randomBytes } from 'node:crypto'

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

  get keys(): Buffer {
    return this.#keys
  }

  use(keys: Uint8Array): void {
    this.#keys = Buffer.from(keys)
    for (const listener of this.#listeners) listener()
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }
}
