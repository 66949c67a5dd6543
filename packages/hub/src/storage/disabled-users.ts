import type { Executor } from './dialects/dialect.ts'
import { toFlag } from './rows.ts'
import type { WriteTransaction } from './store.ts'
import { hubClientId } from './tokens.ts'
import { newCookieId } from './users.ts'

/**
 * Disables or enables a user. Disabling ends browser sessions and what OAuth handed out for good;
 * tokens that the user made are refused as long as it lasts, and work again afterwards.
 */
export async function setUserDisabled(
  transaction: WriteTransaction,
  userId: number,
  disabled: boolean,
): Promise<void> {
  const { db } = transaction
  await db
    .updateTable('users')
    .set({ disabled: toFlag(disabled), ...(disabled && { cookie_id: newCookieId() }) })
    .where('id', '=', userId)
    .execute()
  transaction.changed('user', userId)
  if (!disabled) return
  await db.deleteFrom('oauth_codes').where('user_id', '=', userId).execute()
  const tokens = await db
    .deleteFrom('api_tokens')
    .where('user_id', '=', userId)
    .where('client_id', '!=', hubClientId)
    .returning('id')
    .execute()
  for (const { id } of tokens) transaction.changed('token', id)
}

/** Ids of servers that run, or are about to, though their owners are disabled. */
export async function listServerIdsOfDisabled(db: Executor): Promise<number[]> {
  const rows = await db
    .selectFrom('users')
    .innerJoin('servers', 'servers.user_id', 'users.id')
    .select('servers.id')
    .where('users.disabled', '=', 1)
    .where('servers.state', 'in', ['spawning', 'ready'])
    .execute()
  return rows.map((row) => row.id)
}
