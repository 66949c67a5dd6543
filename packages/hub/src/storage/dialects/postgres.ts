import { setTimeout as delay } from 'node:timers/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Client, type CustomTypesConfig, Pool, types as driverTypes } from 'pg'
import { HubError, messageOf } from '../../domain/errors.ts'
import type { Schema } from '../schema.ts'
import type { DatabaseDriver, Executor } from './dialect.ts'

const channel = 'orrery'
/** NOTIFY refuses payloads of 8,000 bytes and more. Source: PostgreSQL 15, NOTIFY. */
const maxPayloadBytes = 7_900
const reconnectMaxMs = 5_000
const aliveCheckMs = 15_000
const writeAttempts = 4

/** Serialization failure, deadlock: the transaction may simply be tried again. */
const retryable = new Set(['40001', '40P01'])
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
  })
  pool.on('error', () => undefined) // an idle connection broke; the next query opens another
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })
  const ending = new AbortController()
  let listener: Promise<void> | undefined

  return {
    dialect: 'postgres',
    reader: db,
    async write<T>(work: (db: Executor) => Promise<T>, announce: () => readonly string[]) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await db.transaction().execute(async (transaction) => {
            const value = await work(transaction)
            for (const payload of announce()) {
              if (Buffer.byteLength(payload) > maxPayloadBytes) continue
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
      const first = await connectListener(url, heard)
      listener = keepListening({ url, heard, first, signal: ending.signal })
    },
    async close() {
      ending.abort()
      await listener
      await db.destroy()
    },
  }
}

async function connectListener(
  url: string,
  heard: (payload: string | undefined) => void,
): Promise<Client> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  client.on('error', () => undefined) // `end` follows, and that is what the loop waits for
  client.on('notification', (message) => heard(message.payload ?? undefined))
  await client.connect()
  await client.query(`listen ${channel}`)
  return client
}

/** Owns the listening connection: checks that it lives, and replaces it when it does not. */
async function keepListening(options: {
  url: string
  heard: (payload: string | undefined) => void
  first: Client
  signal: AbortSignal
}): Promise<void> {
  const { url, heard, signal } = options
  let client: Client | undefined = options.first
  for (let waitMs = 100; !signal.aborted; waitMs = Math.min(waitMs * 2, reconnectMaxMs)) {
    if (client !== undefined) {
      await untilDead(client, signal)
      await client.end().catch(() => undefined) // it is broken or we are leaving
      client = undefined
      waitMs = 100
    }
    if (signal.aborted) return
    await delay(waitMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined)
    client = await connectListener(url, heard).catch(() => undefined)
    if (client !== undefined) heard(undefined)
  }
  await client?.end().catch(() => undefined)
}

async function untilDead(client: Client, signal: AbortSignal): Promise<void> {
  const ended = new Promise<void>((resolve) => client.once('end', resolve))
  while (!signal.aborted) {
    const waiting = new AbortController()
    const stop = () => waiting.abort()
    signal.addEventListener('abort', stop, { once: true })
    const timer = delay(aliveCheckMs, 'check' as const, { signal: waiting.signal }).catch(
      () => 'check' as const,
    )
    const outcome = await Promise.race([ended.then(() => 'ended' as const), timer])
    waiting.abort()
    signal.removeEventListener('abort', stop)
    if (outcome === 'ended' || signal.aborted) return
    try {
      await client.query('select 1')
    } catch {
      return
    }
  }
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
