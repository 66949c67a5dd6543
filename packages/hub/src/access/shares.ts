import type { Executor } from '../storage/dialects/dialect.ts'
import { listSharesReceivedBy } from '../storage/access.ts'

/** What others share with a user. */
export interface SharedAccess {
  /** Raw scopes, each filtered to the shared server by the name that it has now. */
  readonly scopes: readonly string[]
  /** When the first of the shares ends (ms); `Infinity` for never. */
  readonly validUntil: number
}

/**
 * Shares with the user and with the user's groups.
 * Differs from JupyterHub: shares through groups count for tokens as well (contract D18), and a
 * renamed server keeps its shares while a new server of the old name gets none (D12).
 */
export async function loadSharedAccess(
  db: Executor,
  userId: number,
  now: Date,
): Promise<SharedAccess> {
  const shares = await listSharesReceivedBy(db, userId, now)
  if (shares.length === 0) return { scopes: [], validUntil: Infinity }
  const scopes = shares.flatMap((share) =>
    share.scopes.map((scope) => {
      const base = scope.split('!', 1)[0] ?? scope
      return `${base}!server=${share.ownerName}/${share.serverName}`
    }),
  )
  return { scopes, validUntil: await firstExpiry(db, userId, now) }
}

async function firstExpiry(db: Executor, userId: number, now: Date): Promise<number> {
  const row = await db
    .selectFrom('shares')
    .select((eb) => eb.fn.min('expires_at').as('first'))
    .where('expires_at', '>=', now.getTime())
    .where((eb) =>
      eb.or([
        eb('user_id', '=', userId),
        eb(
          'group_id',
          'in',
          eb.selectFrom('group_members').select('group_id').where('user_id', '=', userId),
        ),
      ]),
    )
    .executeTakeFirst()
  return row?.first ?? Infinity
}
