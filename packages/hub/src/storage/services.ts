import type { Service } from '../domain/records.ts'
import { parseStoredObject } from '../util/json.ts'
import type { Executor } from './dialects/dialect.ts'
import { toFlag } from './rows.ts'
import type { WriteTransaction } from './store.ts'

/** Creates or replaces a service by name. @returns its id */
export async function putService(
  transaction: WriteTransaction,
  service: Omit<Service, 'id'>,
): Promise<number> {
  const values = {
    admin: toFlag(service.admin),
    url: service.url,
    info: JSON.stringify(service.info),
    display: toFlag(service.display),
    from_config: toFlag(service.fromConfig),
  }
  const { id } = await transaction.db
    .insertInto('services')
    .values({ name: service.name, ...values })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
    .returning('id')
    .executeTakeFirstOrThrow()
  transaction.changed('service', id)
  return id
}

export async function findServiceById(db: Executor, id: number): Promise<Service | undefined> {
  const row = await db.selectFrom('services').selectAll().where('id', '=', id).executeTakeFirst()
  return (
    row && {
      id: row.id,
      name: row.name,
      admin: row.admin === 1,
      url: row.url,
      info: parseStoredObject(row.info) ?? {},
      display: row.display === 1,
      fromConfig: row.from_config === 1,
    }
  )
}

/** Deletes services that were configured once and are no longer, with their tokens. */
export async function deleteConfiguredServicesExcept(
  transaction: WriteTransaction,
  names: readonly string[],
): Promise<void> {
  const rows = await transaction.db
    .deleteFrom('services')
    .where('from_config', '=', 1)
    .where('name', 'not in', names.length === 0 ? [''] : [...names])
    .returning('id')
    .execute()
  for (const row of rows) transaction.changed('service', row.id)
}
