import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { HubError, messageOf } from '../../domain/errors.ts'
import type { Schema } from '../schema.ts'
import type { DatabaseDriver, Executor } from './dialect.ts'

/** Statements kept prepared per connection; the hub has a few hundred distinct ones. */
const maxPreparedStatements = 500
/** Writes that may share one commit; bounds how long the first of them waits. */
const maxBatch = 256
/** How long a write waits for another process (`orrery token`, a backup) to let go. */
const busyTimeoutMs = 5_000

/**
 * SQLite through Node's own driver. One connection writes, one reads (WAL: readers see commits
 * only). Writes that arrive together run one after the other as savepoints of one transaction and
 * share its commit, so a durable commit costs one fsync for all of them.
 */
export function openSqlite(path: string): DatabaseDriver {
  const writer = openConnection(path)
  // A memory database exists once per connection, so it has to be read through the writer.
  const readConnection = path === ':memory:' ? writer : openConnection(path)
  const writeDb = kyselyOver(writer)
  const readDb = path === ':memory:' ? writeDb : kyselyOver(readConnection)
  const queue: PendingWrite[] = []
  let draining: Promise<void> | undefined
  let closed = false

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.splice(0, maxBatch)
      await runBatch(writer, writeDb, batch)
    }
    draining = undefined
  }

  return {
    dialect: 'sqlite',
    reader: readDb,
    write<T>(work: (db: Executor) => Promise<T>): Promise<T> {
      if (closed) return Promise.reject(new HubError('store_unavailable'))
      return new Promise<T>((resolve, reject) => {
        queue.push({
          work,
          resolve: (value) => resolve(value as T), // the value that this very `work` returned
          reject,
        })
        // Started in a microtask, so that writes of the same turn join the first batch.
        draining ??= Promise.resolve().then(drain)
      })
    },
    listen: () => Promise.resolve(), // one process: the store's own bus reaches everyone
    async close() {
      closed = true
      await draining
      if (readConnection !== writer) readConnection.close()
      writer.close()
    },
  }
}

interface PendingWrite {
  readonly work: (db: Executor) => Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

async function runBatch(
  connection: SqliteConnection,
  db: Executor,
  batch: readonly PendingWrite[],
): Promise<void> {
  try {
    await beginImmediate(connection)
  } catch (error) {
    for (const pending of batch) pending.reject(toStoreError(error))
    return
  }
  const done: Array<() => void> = []
  for (const pending of batch) {
    try {
      connection.run('savepoint one')
      const value = await pending.work(db)
      connection.run('release one')
      done.push(() => pending.resolve(value))
    } catch (error) {
      if (!connection.isInTransaction || !rollbackSavepoint(connection)) {
        // A full disk ends the whole transaction by itself. A savepoint would now begin, and its
        // release commit, a transaction of its own: nothing more of this batch may run.
        for (const each of batch) each.reject(toStoreError(error))
        return
      }
      pending.reject(toStoreError(error))
    }
  }
  try {
    connection.run('commit')
  } catch (error) {
    rollbackQuietly(connection)
    for (const pending of batch) pending.reject(toStoreError(error))
    return
  }
  for (const resolve of done) resolve()
}

/** Waits for other processes without holding up the event loop, as SQLite's own timeout would. */
async function beginImmediate(connection: SqliteConnection): Promise<void> {
  const giveUpAt = Date.now() + busyTimeoutMs
  for (let waitMs = 2; ; waitMs = Math.min(waitMs * 2, 100)) {
    try {
      connection.run('begin immediate')
      return
    } catch (error) {
      if (sqliteCode(error) !== 5 || Date.now() + waitMs > giveUpAt) throw error
      await delay(waitMs)
    }
  }
}

/** @returns whether the transaction goes on; when not, all of it is undone */
function rollbackSavepoint(connection: SqliteConnection): boolean {
  try {
    connection.run('rollback to one')
    connection.run('release one')
    return true
  } catch {
    rollbackQuietly(connection)
    return false
  }
}

function rollbackQuietly(connection: SqliteConnection): void {
  try {
    connection.run('rollback')
  } catch {
    // Nothing to roll back: SQLite has already done it.
  }
}

/** A connection with its prepared statements; runs synchronously, as SQLite does. */
class SqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  get isInTransaction(): boolean {
    return this.#database.isTransaction
  }

  run(sql: string): void {
    this.#database.exec(sql)
  }

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    try {
      return Promise.resolve(this.#execute<R>(query))
    } catch (error) {
      return Promise.reject(toStoreError(error))
    }
  }

  // oxlint-disable-next-line require-yield -- nothing in the hub streams; the interface wants it
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('streaming is not supported')
  }

  close(): void {
    this.#statements.clear()
    this.#database.close()
  }

  #execute<R>(query: CompiledQuery): QueryResult<R> {
    const statement = this.#prepare(query.sql)
    const parameters = query.parameters as SQLInputValue[] // what the repositories bind
    if (statement.columns().length > 0) {
      return { rows: statement.all(...parameters) as R[] }
    }
    const { changes, lastInsertRowid } = statement.run(...parameters)
    return {
      rows: [],
      numAffectedRows: BigInt(changes),
      insertId: BigInt(lastInsertRowid),
    }
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    if (this.#statements.size >= maxPreparedStatements) this.#statements.clear()
    const statement = this.#database.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}

function openConnection(path: string): SqliteConnection {
  try {
    const database = new DatabaseSync(path, { timeout: 0 })
    database.exec('pragma busy_timeout = 5000')
    database.exec('pragma journal_mode = wal')
    database.exec('pragma busy_timeout = 0')
    database.exec('pragma synchronous = full')
    database.exec('pragma foreign_keys = on')
    return new SqliteConnection(database)
  } catch (error) {
    throw new HubError('store_unavailable', {
      message: `The database ${path} cannot be opened: ${messageOf(error)}`,
      cause: error,
    })
  }
}

function kyselyOver(connection: SqliteConnection): Executor {
  const driver: Driver = {
    init: () => Promise.resolve(),
    acquireConnection: () => Promise.resolve(connection),
    beginTransaction: () => Promise.resolve(connection.run('begin immediate')),
    commitTransaction: () => Promise.resolve(connection.run('commit')),
    rollbackTransaction: () => Promise.resolve(connection.run('rollback')),
    releaseConnection: () => Promise.resolve(),
    destroy: () => Promise.resolve(),
  }
  return new Kysely<Schema>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })
}

function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}

/** Busy (5), locked (6), read-only (8), I/O (10), full (13) and cannot-open (14) become 503s. */
function toStoreError(error: unknown): unknown {
  const code = sqliteCode(error)
  if (code === 5 || code === 6) return new HubError('store_busy', { cause: error })
  if (code === 8 || code === 10 || code === 13 || code === 14) {
    return new HubError('store_unavailable', { cause: error })
  }
  return error
}
