import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Executor } from './dialects/dialect.ts'
import type { WriteTransaction } from './store.ts'
import { deleteTokens } from './tokens.ts'

/** One browser in which a user is signed in. Its login cookie is worth nothing without it. */
export interface BrowserSession {
  /** Value of the cookie `jupyterhub-session-id`; a name, not a secret. */
  readonly id: string
  readonly userId: number
  readonly signedInAt: Date
  readonly expiresAt: Date
}

/** Of one user; above it the oldest end. Scripts may sign in each minute, for ever. */
const maxSessionsPerUser = 1000
const endedAtOnce = 50

/**
 * Begins a session, or joins the one that the same browser has just begun: `openedWith` names what
 * concurrent log-ins of one browser have in common.
 */
export async function openBrowserSession(
  transaction: WriteTransaction,
  session: { userId: number; openedWith: string; signedInAt: Date; expiresAt: Date },
): Promise<BrowserSession> {
  const times = {
    signed_in_at: session.signedInAt.getTime(),
    expires_at: session.expiresAt.getTime(),
  }
  const row = await transaction.db
    .insertInto('browser_sessions')
    .values({
      id: randomBytes(16).toString('hex'),
      user_id: session.userId,
      opened_with: session.openedWith,
      ...times,
    })
    .onConflict((conflict) => conflict.columns(['user_id', 'opened_with']).doUpdateSet(times))
    .returning('id')
    .executeTakeFirstOrThrow()
  transaction.changed('session', row.id)
  await endOldest(transaction, session.userId)
  const { userId, signedInAt, expiresAt } = session
  return { id: row.id, userId, signedInAt, expiresAt }
}

export async function findBrowserSession(
  db: Executor,
  id: string,
  now: Date,
): Promise<BrowserSession | undefined> {
  const row = await db
    .selectFrom('browser_sessions')
    .selectAll()
    .where('id', '=', id)
    .where('expires_at', '>', now.getTime())
    .executeTakeFirst()
  return (
    row && {
      id: row.id,
      userId: row.user_id,
      signedInAt: new Date(row.signed_in_at),
      expiresAt: new Date(row.expires_at),
    }
  )
}

/**
 * Whether the session goes on. It cannot end before this transaction does: whatever is given out
 * for it here is seen, and deleted, by a log-out. A write that changes nothing, because SQLite
 * knows no `for update`.
 */
export async function holdBrowserSession(
  transaction: WriteTransaction,
  session: { id: string; userId: number; now: Date },
): Promise<boolean> {
  const row = await transaction.db
    .updateTable('browser_sessions')
    .set({ id: sql`id` })
    .where('id', '=', session.id)
    .where('user_id', '=', session.userId)
    .where('expires_at', '>', session.now.getTime())
    .returning('id')
    .executeTakeFirst()
  return row !== undefined
}

/** Ends a session with every code and token that was given out in it. */
export async function endBrowserSession(
  transaction: WriteTransaction,
  session: { id: string; userId: number },
): Promise<void> {
  const { id, userId } = session
  await transaction.db
    .deleteFrom('browser_sessions')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .execute()
  transaction.changed('session', id)
  await transaction.db
    .deleteFrom('oauth_codes')
    .where('session_id', '=', id)
    .where('user_id', '=', userId)
    .execute()
  await deleteTokens(transaction, { userId, sessionId: id })
}

/** Ends all sessions of a user. */
export async function endBrowserSessionsOf(
  transaction: WriteTransaction,
  userId: number,
): Promise<void> {
  const rows = await transaction.db
    .selectFrom('browser_sessions')
    .select('id')
    .where('user_id', '=', userId)
    .execute()
  for (const { id } of rows) await endBrowserSession(transaction, { id, userId })
}

export async function purgeBrowserSessions(
  transaction: WriteTransaction,
  now: Date,
): Promise<void> {
  const rows = await transaction.db
    .deleteFrom('browser_sessions')
    .where('expires_at', '<=', now.getTime())
    .returning('id')
    .execute()
  for (const { id } of rows) transaction.changed('session', id)
}

async function endOldest(transaction: WriteTransaction, userId: number): Promise<void> {
  const rows = await transaction.db
    .selectFrom('browser_sessions')
    .select('id')
    .where('user_id', '=', userId)
    .orderBy('signed_in_at', 'desc')
    .limit(endedAtOnce)
    .offset(maxSessionsPerUser)
    .execute()
  for (const { id } of rows) await endBrowserSession(transaction, { id, userId })
}
