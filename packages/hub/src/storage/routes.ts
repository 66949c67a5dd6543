import type { Selectable } from 'kysely'
import type { StoredRoute } from '../domain/records.ts'
import { type JsonObject, parseStoredObject } from '../util/json.ts'
import type { Executor } from './dialects/dialect.ts'
import { toFlag } from './rows.ts'
import type { Schema } from './schema.ts'
import type { WriteTransaction } from './store.ts'

/**
 * Publishes a route, or replaces it. Numbers are given in commit order: the counter's row is
 * locked until the transaction ends, so an edge that has seen number n has seen all below it.
 * @returns the number of the change
 */
export async function putRoute(
  transaction: WriteTransaction,
  route: { routespec: string; target: string; data: JsonObject },
): Promise<number> {
  return writeRoute(transaction, { ...route, deleted: false })
}

/** Withdraws a route; withdrawing what is not there changes nothing. */
export async function removeRoute(transaction: WriteTransaction, routespec: string): Promise<void> {
  const row = await transaction.db
    .selectFrom('routes')
    .select('deleted')
    .where('routespec', '=', routespec)
    .executeTakeFirst()
  if (row === undefined || row.deleted === 1) return
  await writeRoute(transaction, { routespec, target: '', data: {}, deleted: true })
}

async function writeRoute(
  transaction: WriteTransaction,
  route: { routespec: string; target: string; data: JsonObject; deleted: boolean },
): Promise<number> {
  const { value: seq } = await transaction.db
    .updateTable('counters')
    .set((eb) => ({ value: eb('value', '+', 1) }))
    .where('name', '=', 'routes')
    .returning('value')
    .executeTakeFirstOrThrow()
  const values = {
    target: route.target,
    data: JSON.stringify(route.data),
    seq,
    deleted: toFlag(route.deleted),
  }
  await transaction.db
    .insertInto('routes')
    .values({ routespec: route.routespec, ...values })
    .onConflict((conflict) => conflict.column('routespec').doUpdateSet(values))
    .execute()
  transaction.changed('route', seq, { ...route, seq })
  return seq
}

/** Changes after number `since`, in order; withdrawn routes are among them. */
export async function listRouteChanges(
  db: Executor,
  since: number,
  limit: number,
): Promise<StoredRoute[]> {
  const rows = await db
    .selectFrom('routes')
    .selectAll()
    .where('seq', '>', since)
    .orderBy('seq')
    .limit(limit)
    .execute()
  return rows.map(toRoute)
}

/** Number of the last change. */
export async function loadRouteSeq(db: Executor): Promise<number> {
  const { value } = await db
    .selectFrom('counters')
    .select('value')
    .where('name', '=', 'routes')
    .executeTakeFirstOrThrow()
  return value
}

/** The whole table as of one number. */
export async function loadRoutes(db: Executor): Promise<{ seq: number; routes: StoredRoute[] }> {
  const seq = await loadRouteSeq(db)
  const rows = await published(db).where('seq', '<=', seq).orderBy('routespec').execute()
  return { seq, routes: rows.map(toRoute) }
}

/** Published routes in the order of their routespecs, from the one after `after` on. */
export async function listRoutesAfter(
  db: Executor,
  after: string,
  limit: number,
): Promise<StoredRoute[]> {
  const rows = await published(db)
    .where('routespec', '>', after)
    .orderBy('routespec')
    .limit(limit)
    .execute()
  return rows.map(toRoute)
}

/** The published route of this routespec. */
export async function findRoute(db: Executor, routespec: string): Promise<StoredRoute | undefined> {
  const row = await published(db).where('routespec', '=', routespec).executeTakeFirst()
  return row && toRoute(row)
}

/** Published routes to services. */
export async function listServiceRoutes(db: Executor): Promise<StoredRoute[]> {
  const rows = await published(db).where('data', 'like', '{"service":%').execute()
  return rows.map(toRoute)
}

function published(db: Executor) {
  return db.selectFrom('routes').selectAll().where('deleted', '=', 0)
}

function toRoute(row: Selectable<Schema['routes']>): StoredRoute {
  return {
    routespec: row.routespec,
    target: row.target,
    data: parseStoredObject(row.data) ?? {},
    seq: row.seq,
    deleted: row.deleted === 1,
  }
}
