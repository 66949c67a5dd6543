import { setTimeout as delay } from 'node:timers/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Client, type ClientConfig, type CustomTypesConfig, Pool, types as driverTypes } from 'pg'
import { HubError, messageOf } from '../../domain/errors.ts'
import type { Schema } from '../schema.ts'
import type { DatabaseDriver, Executor } from './dialect.ts'
import { listenOnPostgres } from './postgres-listener.ts'

const channel = 'orrery'
const writeAttempts = 4

/**
 * Serialization failure, deadlock; a name that another transaction took, or a row that it deleted,
 * since this one looked: tried again, the transaction sees what is so now.
 */
const retryable = new Set(['40001', '40P01', '23505', '23503'])
/** Connection lost, server shutting down, too many connections, disk full, out of memory. */
const unavailable = /^(08...|57P0.|53...)$/

/** PostgreSQL through a pool; LISTEN/NOTIFY on a connection of its own. */
export function openPostgres(url: string): DatabaseDriver {
  const pool = new Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 30_000,
    statement_timeout: 30_000,
    types,
    Client: ZeroFreeClient,
  })
  pool.on('error', () => undefined) // an idle connection broke; the next query opens another
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })
  let endListening: () => Promise<void> = () => Promise.resolve()

  return {
    dialect: 'postgres',
    reader: db,
    async write<T>(work: (db: Executor) => Promise<T>, announce: () => readonly string[]) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await db.transaction().execute(async (transaction) => {
            const value = await work(transaction)
            for (const payload of announce()) {
              await sql`select pg_notify(${channel}, ${payload})`.execute(transaction)
            }
            return value
          })
        } catch (error) {
          if (attempt >= writeAttempts || !retryable.has(sqlState(error))) throw toStoreError(error)
          await delay(Math.random() * 20 * attempt)
        }
      }
    },
    async listen(heard) {
      endListening = await listenOnPostgres({ url, channel }, heard)
    },
    async close() {
      await endListening()
      await db.destroy()
    },
  }
}

/** PostgreSQL's text holds no zero character, which clients may send: it becomes U+FFFD. */
class ZeroFreeClient extends Client {
  constructor(config?: ClientConfig) {
    super(config)
    const query = this.query.bind(this) as (...args: unknown[]) => unknown
    const safe = (text: unknown, values: unknown, ...rest: unknown[]) =>
      query(text, withoutZero(values), ...rest)
    this.query = safe as Client['query'] // every overload passes its arguments on
  }
}

function withoutZero(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutZero)
  return typeof value === 'string' && value.includes('\0')
    ? value.replaceAll('\0', '\ufffd')
    : value
}

/** 64-bit integers arrive as text by default; ours are ids and milliseconds, far below 2^53. */
const int8Oid = 20

const types: CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === int8Oid
      ? Number
      : // The driver's own parser for every other type.
        (driverTypes.getTypeParser(oid, format === 'binary' ? 'binary' : 'text') as (
          value: string,
        ) => unknown),
}

function sqlState(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}

function toStoreError(error: unknown): unknown {
  if (error instanceof HubError) return error
  const code = sqlState(error)
  if (unavailable.test(code) || /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND)/.test(code)) {
    return new HubError('store_unavailable', {
      message: 'The database cannot be reached. Nothing was changed; try again later.',
      cause: error,
    })
  }
  if (
    error instanceof Error &&
    /timeout exceeded when trying to connect|terminated/i.test(messageOf(error))
  ) {
    return new HubError('store_unavailable', { cause: error })
  }
  return error
}
