import type { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'

export type DialectName = 'sqlite' | 'postgres'

/** A database connection or the transaction that a write runs in. */
export type Executor = Kysely<Schema>

/** What the store needs of a database; everything else is Kysely's. */
export interface DatabaseDriver {
  readonly dialect: DialectName
  /** Sees committed rows only. */
  readonly reader: Executor
  /**
   * Runs `work` in a transaction and resolves once it is durable. `announce` holds payloads that
   * other hubs are told of when, and only when, the transaction commits.
   * `work` may await nothing but this transaction: on SQLite others wait behind it.
   */
  write<T>(work: (db: Executor) => Promise<T>, announce: () => readonly string[]): Promise<T>
  /** Calls back for every announcement of another hub; `undefined` means "some were missed". */
  listen(heard: (payload: string | undefined) => void): Promise<void>
  close(): Promise<void>
}
