import { randomBytes } from 'node:crypto'
import type { StoredRoute } from '../domain/records.ts'
import { Bus, type Change, formatChanges, parseChanges } from './bus.ts'
import type { DatabaseDriver, DialectName, Executor } from './dialects/dialect.ts'

/** A write in progress. */
export interface WriteTransaction {
  readonly db: Executor
  /** Tells everyone of a change once it is committed; of a route, this hub what it has become. */
  changed(topic: Change['topic'], id: Change['id'], route?: StoredRoute): void
}

/** Changes announced in one message; above it, hubs are told to forget everything instead. */
const maxChangesPerMessage = 200
/** NOTIFY refuses payloads of 8,000 bytes and more. Source: PostgreSQL 15, NOTIFY. */
const maxMessageBytes = 7_900

/** The only truth: reads see commits, a write that resolved is on disk. */
export class Store {
  readonly bus = new Bus()
  readonly #driver: DatabaseDriver
  /** Names this process on the bus and as owner of leases. */
  readonly hubId = randomBytes(8).toString('hex')

  constructor(driver: DatabaseDriver) {
    this.#driver = driver
  }

  get dialect(): DialectName {
    return this.#driver.dialect
  }

  /** For reading; sees committed rows only. */
  get db(): Executor {
    return this.#driver.reader
  }

  /** Begins to hear other hubs. Resolves once the subscription stands. */
  async listen(): Promise<void> {
    await this.#driver.listen((payload) => {
      const message = payload === undefined ? undefined : parseChanges(payload)
      if (message === undefined) return this.bus.emitMissed()
      if (message.hub === this.hubId) return
      if (message.changes.length === 0) return this.bus.emitMissed()
      for (const change of message.changes) this.bus.emit(change)
    })
  }

  /**
   * Runs `work` in one transaction; resolves when it is durable. `work` may run more than once
   * (a deadlock is retried) and must await nothing but the transaction.
   * Fails with `store_busy` or `store_unavailable` when nothing was written.
   */
  async write<T>(work: (transaction: WriteTransaction) => Promise<T>): Promise<T> {
    let changes: Change[] = []
    const value = await this.#driver.write(
      (db) => {
        changes = []
        return work({
          db,
          changed: (topic, id, route) =>
            changes.push({ topic, id, ...(route !== undefined && { route }) }),
        })
      },
      () => this.#messages(changes),
    )
    for (const change of changes) this.bus.emit(change)
    return value
  }

  async close(): Promise<void> {
    await this.#driver.close()
  }

  #messages(changes: readonly Change[]): string[] {
    if (changes.length === 0) return []
    const everything = formatChanges(this.hubId, [])
    if (changes.length > maxChangesPerMessage) return [everything]
    const message = formatChanges(this.hubId, changes)
    return [Buffer.byteLength(message) > maxMessageBytes ? everything : message]
  }
}
