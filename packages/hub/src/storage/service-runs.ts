import type { Selectable } from 'kysely'
import type { ServiceRun } from '../domain/records.ts'
import { parseStoredObject } from '../util/json.ts'
import type { Executor } from './dialects/dialect.ts'
import { toDate } from './rows.ts'
import type { Schema } from './schema.ts'
import type { WriteTransaction } from './store.ts'

export async function findServiceRun(db: Executor, name: string): Promise<ServiceRun | undefined> {
  const row = await db
    .selectFrom('service_runs')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirst()
  return row && toRun(row)
}

/** Every run, by name; or those of some services. */
export async function listServiceRuns(
  db: Executor,
  names?: readonly string[],
): Promise<ServiceRun[]> {
  if (names?.length === 0) return []
  let query = db.selectFrom('service_runs').selectAll().orderBy('name')
  if (names !== undefined) query = query.where('name', 'in', [...names])
  return (await query.execute()).map(toRun)
}

/** Stores the run of a service in the place of the one before. */
export async function putServiceRun(transaction: WriteTransaction, run: ServiceRun): Promise<void> {
  const values = {
    run_id: run.runId,
    fingerprint: run.fingerprint,
    state: JSON.stringify(run.state),
    started_at: run.startedAt.getTime(),
  }
  await transaction.db
    .insertInto('service_runs')
    .values({ name: run.name, ...values })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
    .execute()
}

/** Forgets a run that is over, unless another has taken its place. */
export async function deleteServiceRun(
  transaction: WriteTransaction,
  run: Pick<ServiceRun, 'name' | 'runId'>,
): Promise<void> {
  await transaction.db
    .deleteFrom('service_runs')
    .where('name', '=', run.name)
    .where('run_id', '=', run.runId)
    .execute()
}

function toRun(row: Selectable<Schema['service_runs']>): ServiceRun {
  return {
    name: row.name,
    runId: row.run_id,
    fingerprint: row.fingerprint,
    state: parseStoredObject(row.state) ?? {},
    startedAt: toDate(row.started_at),
  }
}
