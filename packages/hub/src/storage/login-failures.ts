import { sql } from 'kysely'
import type { Executor } from './dialects/dialect.ts'
import type { WriteTransaction } from './store.ts'

/** Failed sign-ins of one key, as counted so far. */
export interface LoginFailures {
  readonly failures: number
  readonly lastAt: Date
  /** Tries are refused before this instant. */
  readonly blockedUntil: Date
}

export async function findLoginFailures(
  db: Executor,
  keys: readonly string[],
): Promise<Map<string, LoginFailures>> {
  const rows = await db
    .selectFrom('login_failures')
    .selectAll()
    .where('key', 'in', [...keys])
    .execute()
  return new Map(
    rows.map((row) => [
      row.key,
      {
        failures: row.failures,
        lastAt: new Date(row.window_start),
        blockedUntil: new Date(row.blocked_until),
      },
    ]),
  )
}

export async function putLoginFailures(
  transaction: WriteTransaction,
  key: string,
  state: LoginFailures,
): Promise<void> {
  const values = {
    failures: state.failures,
    window_start: state.lastAt.getTime(),
    blocked_until: state.blockedUntil.getTime(),
  }
  await transaction.db
    .insertInto('login_failures')
    .values({ key, ...values })
    .onConflict((conflict) => conflict.column('key').doUpdateSet(values))
    .execute()
}

/** Takes one failure back: the try it was counted for has succeeded. */
export async function forgiveLoginFailure(
  transaction: WriteTransaction,
  key: string,
): Promise<void> {
  await transaction.db
    .updateTable('login_failures')
    .set({ failures: sql`case when failures > 0 then failures - 1 else 0 end` })
    .where('key', '=', key)
    .execute()
}

export async function clearLoginFailures(
  transaction: WriteTransaction,
  key: string,
): Promise<void> {
  await transaction.db.deleteFrom('login_failures').where('key', '=', key).execute()
}

/**
 * Serialises the counting of the same keys: without it two PostgreSQL transactions could both read
 * the same count. SQLite writes one at a time anyway.
 */
export async function lockLoginFailures(
  transaction: WriteTransaction,
  keys: readonly string[],
  now: Date,
): Promise<void> {
  for (const key of keys.toSorted()) {
    await transaction.db
      .insertInto('login_failures')
      .values({ key, failures: 0, window_start: now.getTime(), blocked_until: 0 })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ key }))
      .execute()
  }
}

/** Deletes what is over, then, above `maxRows`, the rows that matter least. */
export async function purgeLoginFailures(
  transaction: WriteTransaction,
  options: { quietSince: Date; now: Date; maxRows: number },
): Promise<void> {
  const { db } = transaction
  await db
    .deleteFrom('login_failures')
    .where('window_start', '<', options.quietSince.getTime())
    .where('blocked_until', '<', options.now.getTime())
    .execute()
  const { total } = await db
    .selectFrom('login_failures')
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  if (total <= options.maxRows) return
  await db
    .deleteFrom('login_failures')
    .where('key', 'in', (eb) =>
      eb
        .selectFrom('login_failures')
        .select('key')
        .orderBy('failures')
        .orderBy('window_start')
        .limit(total - options.maxRows),
    )
    .execute()
}
