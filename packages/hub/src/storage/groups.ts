import { sql } from 'kysely'
import type { JsonObject } from '../util/json.ts'
import type { WriteTransaction } from './store.ts'

/** Creates the group if it is missing; replaces its properties when they are given. */
export async function ensureGroup(
  transaction: WriteTransaction,
  name: string,
  properties?: JsonObject,
): Promise<number> {
  const text = JSON.stringify(properties ?? {})
  const { id } = await transaction.db
    .insertInto('groups')
    .values({ name, properties: text })
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet(properties === undefined ? { name } : { properties: text }),
    )
    .returning('id')
    .executeTakeFirstOrThrow()
  transaction.changed('group', id)
  return id
}

export async function addGroupMember(
  transaction: WriteTransaction,
  groupId: number,
  userId: number,
): Promise<void> {
  await transaction.db
    .insertInto('group_members')
    .values({ group_id: groupId, user_id: userId })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  transaction.changed('group', groupId)
}

/** Makes the user's memberships exactly these groups, creating missing ones. */
export async function setGroupsOfUser(
  transaction: WriteTransaction,
  userId: number,
  names: readonly string[],
): Promise<void> {
  const ids: number[] = []
  for (const name of new Set(names)) ids.push(await ensureGroup(transaction, name))
  await transaction.db
    .deleteFrom('group_members')
    .where('user_id', '=', userId)
    .where('group_id', 'not in', ids.length === 0 ? [sql<number>`-1`] : ids)
    .execute()
  for (const id of ids) await addGroupMember(transaction, id, userId)
  transaction.changed('user', userId)
}
