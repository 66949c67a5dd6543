import { sql } from 'kysely'
import type { User } from '../domain/records.ts'
import type { AuditEvent } from './audit.ts'
import { inIds } from './lists.ts'
import { toFlag } from './rows.ts'
import type { WriteTransaction } from './store.ts'
import { newCookieId, toUser } from './users.ts'

/** Rows per statement: powers of two, so that lists of every length share a few statements. */
const maxRows = 256

/**
 * Creates several users with the default roles, in a few statements.
 * @returns those that did not exist, in the order of `names`
 */
export async function createUsersAtOnce(
  transaction: WriteTransaction,
  users: { readonly names: readonly string[]; readonly admin: boolean },
  now: Date,
): Promise<User[]> {
  const { db } = transaction
  const created = new Map<string, User>()
  for (const names of inPowersOfTwo([...new Set(users.names)])) {
    const rows = await db
      .insertInto('users')
      .values(
        names.map((name) => ({
          name,
          admin: toFlag(users.admin),
          created_at: now.getTime(),
          cookie_id: newCookieId(),
        })),
      )
      .onConflict((conflict) => conflict.column('name').doNothing())
      .returningAll()
      .execute()
    for (const row of rows) created.set(row.name, toUser(row))
  }
  const fresh = users.names.flatMap((name) => created.get(name) ?? [])
  await grantDefaultRoles(transaction, fresh, users.admin)
  for (const { id } of fresh) transaction.changed('user', id)
  return fresh
}

async function grantDefaultRoles(
  transaction: WriteTransaction,
  users: readonly User[],
  admin: boolean,
): Promise<void> {
  if (users.length === 0) return
  const ids = users.map(({ id }) => id)
  await transaction.db
    .insertInto('user_roles')
    .columns(['role_id', 'user_id'])
    .expression((eb) =>
      eb
        .selectFrom('roles')
        .innerJoin('users', (join) => join.on(sql<boolean>`true`))
        .select(['roles.id', 'users.id as user_id'])
        .where('roles.name', 'in', admin ? ['user', 'admin'] : ['user'])
        .where('users.id', 'in', inIds(transaction.db, ids)),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** Several audit records in a few statements. */
export async function recordAudits(
  transaction: WriteTransaction,
  events: readonly AuditEvent[],
  now: Date,
): Promise<void> {
  for (const part of inPowersOfTwo(events)) {
    const rows = part.map(({ actor, action, subject, data = {} }) => {
      return { at: now.getTime(), actor, action, subject, data: JSON.stringify(data) }
    })
    await transaction.db.insertInto('audit_events').values(rows).execute()
  }
}

function* inPowersOfTwo<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; ) {
    const size = Math.min(maxRows, 2 ** Math.floor(Math.log2(items.length - at)))
    yield items.slice(at, at + size)
    at += size
  }
}
