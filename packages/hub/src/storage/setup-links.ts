import type { Executor } from './dialects/dialect.ts'
import type { WriteTransaction } from './store.ts'
import { sha256Hex } from './token-hash.ts'

/** Stores a one-time link by its hash. `purpose` keeps links of different kinds apart. */
export async function createOneTimeLink(
  transaction: WriteTransaction,
  link: { purpose: string; token: string; now: Date; expiresAt: Date },
): Promise<void> {
  await purgeOneTimeLinks(transaction, link.now)
  await transaction.db
    .insertInto('setup_links')
    .values({
      hashed: hashOf(link),
      created_at: link.now.getTime(),
      expires_at: link.expiresAt.getTime(),
      used_at: null,
    })
    .execute()
}

/** Whether the link can still be used. */
export async function isOneTimeLink(
  db: Executor,
  link: { purpose: string; token: string; now: Date },
): Promise<boolean> {
  const row = await db
    .selectFrom('setup_links')
    .select('hashed')
    .where('hashed', '=', hashOf(link))
    .where('used_at', 'is', null)
    .where('expires_at', '>', link.now.getTime())
    .executeTakeFirst()
  return row !== undefined
}

/** Uses a link up; exactly one of several concurrent callers gets `true`. */
export async function consumeOneTimeLink(
  transaction: WriteTransaction,
  link: { purpose: string; token: string; now: Date },
): Promise<boolean> {
  const rows = await transaction.db
    .updateTable('setup_links')
    .set({ used_at: link.now.getTime() })
    .where('hashed', '=', hashOf(link))
    .where('used_at', 'is', null)
    .where('expires_at', '>', link.now.getTime())
    .returning('hashed')
    .execute()
  return rows.length === 1
}

async function purgeOneTimeLinks(transaction: WriteTransaction, now: Date): Promise<void> {
  await transaction.db.deleteFrom('setup_links').where('expires_at', '<=', now.getTime()).execute()
}

/** Whether somebody with admin rights can sign in with a password. */
export async function hasAdminWithPassword(db: Executor): Promise<boolean> {
  const row = await db
    .selectFrom('users')
    .innerJoin('user_passwords', 'user_passwords.user_id', 'users.id')
    .select('users.id')
    .where('users.admin', '=', 1)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

function hashOf(link: { purpose: string; token: string }): string {
  return sha256Hex(`${link.purpose}:${link.token}`)
}
