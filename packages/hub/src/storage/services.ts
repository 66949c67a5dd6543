import type { Selectable } from 'kysely'
import type { Service } from '../domain/records.ts'
import { parseStoredObject, parseStoredStrings } from '../util/json.ts'
import type { Executor } from './dialects/dialect.ts'
import { deleteClientsOfService } from './oauth.ts'
import { toFlag } from './rows.ts'
import type { Schema } from './schema.ts'
import type { WriteTransaction } from './store.ts'

/** Creates or replaces a service by name. @returns its id */
export async function putService(
  transaction: WriteTransaction,
  service: Omit<Service, 'id'>,
): Promise<number> {
  const values = toValues(service)
  const { id } = await transaction.db
    .insertInto('services')
    .values({ name: service.name, ...values })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
    .returning('id')
    .executeTakeFirstOrThrow()
  transaction.changed('service', id)
  return id
}

/** Creates a service. @returns its id, `undefined` when the name is taken */
export async function createService(
  transaction: WriteTransaction,
  service: Omit<Service, 'id'>,
): Promise<number | undefined> {
  const row = await transaction.db
    .insertInto('services')
    .values({ name: service.name, ...toValues(service) })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (row !== undefined) transaction.changed('service', row.id)
  return row?.id
}

export async function findServiceById(db: Executor, id: number): Promise<Service | undefined> {
  const row = await db.selectFrom('services').selectAll().where('id', '=', id).executeTakeFirst()
  return row && toService(row)
}

export async function findService(db: Executor, name: string): Promise<Service | undefined> {
  if (name.includes('\0')) return undefined // which PostgreSQL cannot even compare
  const row = await db
    .selectFrom('services')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirst()
  return row && toService(row)
}

/** Which services a list holds. */
export type ServiceSelection =
  | { readonly kind: 'all' }
  | { readonly kind: 'some'; readonly services: readonly string[] }

/** In the order of their creation. */
export async function listServices(db: Executor, selection: ServiceSelection): Promise<Service[]> {
  if (selection.kind === 'some' && selection.services.length === 0) return []
  let query = db.selectFrom('services').selectAll().orderBy('id')
  if (selection.kind === 'some') query = query.where('name', 'in', [...selection.services])
  return (await query.execute()).map(toService)
}

/** Services with a page that may be linked to. */
export async function listDisplayedServices(db: Executor): Promise<Service[]> {
  const rows = await db
    .selectFrom('services')
    .selectAll()
    .where('display', '=', 1)
    .where('url', '<>', '')
    .orderBy('id')
    .execute()
  return rows.map(toService)
}

/** Deletes a service with its tokens, OAuth clients, and every code and token issued to those. */
export async function deleteService(transaction: WriteTransaction, id: number): Promise<void> {
  await deleteClientsOfService(transaction, id)
  await transaction.db.deleteFrom('services').where('id', '=', id).execute()
  transaction.changed('service', id)
}

function toValues(service: Omit<Service, 'id'>) {
  return {
    admin: toFlag(service.admin),
    url: service.url,
    info: JSON.stringify(service.info),
    display: toFlag(service.display),
    from_config: toFlag(service.fromConfig),
    command: JSON.stringify(service.command),
    oauth_no_confirm: toFlag(service.oauthNoConfirm),
  }
}

function toService(row: Selectable<Schema['services']>): Service {
  return {
    id: row.id,
    name: row.name,
    admin: row.admin === 1,
    url: row.url,
    info: parseStoredObject(row.info) ?? {},
    display: row.display === 1,
    fromConfig: row.from_config === 1,
    command: parseStoredStrings(row.command),
    oauthNoConfirm: row.oauth_no_confirm === 1,
  }
}
