import type { Executor } from './dialects/dialect.ts'
import type { WriteTransaction } from './store.ts'

/** The encrypted text; `undefined` where there is none. */
export async function findAuthStateText(db: Executor, userId: number): Promise<string | undefined> {
  const row = await db
    .selectFrom('users')
    .select('encrypted_auth_state as text')
    .where('id', '=', userId)
    .executeTakeFirst()
  return row?.text ?? undefined
}

/** Stores or clears the text; with `replaces`, only where that is still what is stored. */
export async function setAuthStateText(
  transaction: WriteTransaction,
  change: { userId: number; text: string | null; replaces?: string },
): Promise<void> {
  const { userId, text, replaces } = change
  let update = transaction.db
    .updateTable('users')
    .set({ encrypted_auth_state: text })
    .where('id', '=', userId)
  if (replaces !== undefined) update = update.where('encrypted_auth_state', '=', replaces)
  if (text === null) update = update.where('encrypted_auth_state', 'is not', null)
  await update.execute()
}
