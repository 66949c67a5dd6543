import { type Selectable, sql } from 'kysely'
import { HubError } from '../domain/errors.ts'
import { shorten } from '../domain/names.ts'
import type { Group } from '../domain/records.ts'
import { type JsonObject, parseStoredObject } from '../util/json.ts'
import type { Executor } from './dialects/dialect.ts'
import { inIds, inNames } from './lists.ts'
import type { Schema } from './schema.ts'
import type { WriteTransaction } from './store.ts'

export async function findGroup(db: Executor, name: string): Promise<Group | undefined> {
  const row = await db.selectFrom('groups').selectAll().where('name', '=', name).executeTakeFirst()
  return row && toGroup(row)
}

/** @throws HubError `group_not_found` */
export async function getGroup(db: Executor, name: string): Promise<Group> {
  const group = await findGroup(db, name)
  if (group === undefined) {
    throw new HubError('group_not_found', { message: `No such group: ${shorten(name, 100)}` })
  }
  return group
}

export interface GroupQuery {
  /** Which groups the caller may list. */
  readonly selection:
    | { readonly kind: 'all' }
    | { readonly kind: 'some'; readonly groups: readonly string[] }
  readonly offset: number
  readonly limit: number
}

/** One page of groups by id, and how many the selection has in all. */
export async function listGroups(
  db: Executor,
  query: GroupQuery,
): Promise<{ groups: Group[]; total: number }> {
  const { selection } = query
  let selected = db.selectFrom('groups')
  // No group is stored under the empty name.
  if (selection.kind === 'some') {
    selected = selected.where('name', 'in', inNames(db, selection.groups))
  }
  const { total } = await selected
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  const rows = await selected
    .selectAll()
    .orderBy('id')
    .offset(query.offset)
    .limit(query.limit)
    .execute()
  return { groups: rows.map(toGroup), total }
}

/** Names of the members of several groups, in the order of the users' ids. */
export async function listMemberNamesOf(
  db: Executor,
  groupIds: readonly number[],
): Promise<Map<number, string[]>> {
  const rows = await db
    .selectFrom('group_members')
    .innerJoin('users', 'users.id', 'group_members.user_id')
    .select(['group_members.group_id as group', 'users.name as name'])
    .where('group_members.group_id', 'in', inIds(db, groupIds))
    .orderBy('users.id')
    .execute()
  return collect(rows)
}

/** Names of the roles of several groups, in the order of the roles' ids. */
export async function listRoleNamesOfGroups(
  db: Executor,
  groupIds: readonly number[],
): Promise<Map<number, string[]>> {
  const rows = await db
    .selectFrom('group_roles')
    .innerJoin('roles', 'roles.id', 'group_roles.role_id')
    .select(['group_roles.group_id as group', 'roles.name as name'])
    .where('group_roles.group_id', 'in', inIds(db, groupIds))
    .orderBy('roles.id')
    .execute()
  return collect(rows)
}

/**
 * Creates a group without properties.
 * @throws HubError `group_exists`
 */
export async function createGroup(transaction: WriteTransaction, name: string): Promise<Group> {
  const row = await transaction.db
    .insertInto('groups')
    .values({ name, properties: '{}' })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) {
    throw new HubError('group_exists', { message: `Group ${shorten(name, 100)} already exists` })
  }
  transaction.changed('group', row.id)
  return toGroup(row)
}

/** Deletes the group with its memberships, roles and shares. */
export async function deleteGroup(transaction: WriteTransaction, id: number): Promise<void> {
  await transaction.db.deleteFrom('groups').where('id', '=', id).execute()
  transaction.changed('group', id)
  transaction.changed('share', `group:${id}`)
}

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

export async function setGroupProperties(
  transaction: WriteTransaction,
  id: number,
  properties: JsonObject,
): Promise<void> {
  await transaction.db
    .updateTable('groups')
    .set({ properties: JSON.stringify(properties) })
    .where('id', '=', id)
    .execute()
  transaction.changed('group', id)
}

export async function addGroupMember(
  transaction: WriteTransaction,
  groupId: number,
  userId: number,
): Promise<void> {
  await addGroupMembers(transaction, groupId, [userId])
}

/** Users who are members already stay so. */
export async function addGroupMembers(
  transaction: WriteTransaction,
  groupId: number,
  userIds: readonly number[],
): Promise<void> {
  if (userIds.length > 0) {
    await transaction.db
      .insertInto('group_members')
      .columns(['group_id', 'user_id'])
      .expression((eb) =>
        eb
          .selectFrom('users')
          .select([sql<number>`${groupId}`.as('group_id'), 'id'])
          .where('id', 'in', inIds(transaction.db, userIds)),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
  transaction.changed('group', groupId)
  // What is cached of a user depends on the groups that the user was in, not on new ones.
  for (const userId of userIds) transaction.changed('user', userId)
}

/** Users who are no members are passed over. */
export async function removeGroupMembers(
  transaction: WriteTransaction,
  groupId: number,
  userIds: readonly number[],
): Promise<void> {
  await transaction.db
    .deleteFrom('group_members')
    .where('group_id', '=', groupId)
    .where('user_id', 'in', inIds(transaction.db, userIds))
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
    .where('group_id', 'not in', inIds(transaction.db, ids))
    .execute()
  for (const id of ids) await addGroupMember(transaction, id, userId)
  transaction.changed('user', userId)
}

function collect(rows: readonly { group: number; name: string }[]): Map<number, string[]> {
  const byGroup = new Map<number, string[]>()
  for (const { group, name } of rows) {
    const list = byGroup.get(group)
    if (list === undefined) byGroup.set(group, [name])
    else list.push(name)
  }
  return byGroup
}

function toGroup(row: Selectable<Schema['groups']>): Group {
  return { id: row.id, name: row.name, properties: parseStoredObject(row.properties) ?? {} }
}
