import { sql } from 'kysely'
import type { Executor } from './dialects/dialect.ts'
import type { Role } from '../domain/records.ts'
import { inIds } from './lists.ts'
import { parseStoredStrings } from '../util/json.ts'
import { toDateOrNull } from './rows.ts'
import { parseSharedScopes } from './shares.ts'
import type { WriteTransaction } from './store.ts'

/** Roles of a user (direct and through groups) or of a service. */
export async function listRolesOfUser(
  db: Executor,
  userId: number,
): Promise<{ direct: Role[]; throughGroups: Role[] }> {
  const direct = await db
    .selectFrom('roles')
    .innerJoin('user_roles', 'user_roles.role_id', 'roles.id')
    .selectAll('roles')
    .where('user_roles.user_id', '=', userId)
    .orderBy('roles.id')
    .execute()
  const throughGroups = await db
    .selectFrom('roles')
    .innerJoin('group_roles', 'group_roles.role_id', 'roles.id')
    .innerJoin('group_members', 'group_members.group_id', 'group_roles.group_id')
    .selectAll('roles')
    .distinct()
    .where('group_members.user_id', '=', userId)
    .orderBy('roles.id')
    .execute()
  return { direct: direct.map(toRole), throughGroups: throughGroups.map(toRole) }
}

/** Raw scopes of all roles of a user, through groups too. */
export async function listRawScopesOfUser(db: Executor, userId: number): Promise<string[]> {
  const { direct, throughGroups } = await listRolesOfUser(db, userId)
  return [...new Set([...direct, ...throughGroups].flatMap((role) => role.scopes))]
}

export async function listRolesOfService(db: Executor, serviceId: number): Promise<Role[]> {
  const rows = await db
    .selectFrom('roles')
    .innerJoin('service_roles', 'service_roles.role_id', 'roles.id')
    .selectAll('roles')
    .where('service_roles.service_id', '=', serviceId)
    .orderBy('roles.id')
    .execute()
  return rows.map(toRole)
}

export async function findRole(db: Executor, name: string): Promise<Role | undefined> {
  const row = await db.selectFrom('roles').selectAll().where('name', '=', name).executeTakeFirst()
  return row && toRole(row)
}

export interface RoleDefinition {
  readonly name: string
  readonly description: string
  readonly scopes: readonly string[]
}

/** Creates the role or overwrites its description and scopes. */
export async function putRole(
  transaction: WriteTransaction,
  role: RoleDefinition,
): Promise<number> {
  const values = { description: role.description, scopes: JSON.stringify(role.scopes) }
  const { id } = await transaction.db
    .insertInto('roles')
    .values({ name: role.name, ...values })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
    .returning('id')
    .executeTakeFirstOrThrow()
  transaction.changed('role', id)
  return id
}

/** Names of directly held roles of several users, sorted. */
export async function listRoleNamesOf(
  db: Executor,
  userIds: readonly number[],
): Promise<Map<number, string[]>> {
  if (userIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('user_roles')
    .innerJoin('roles', 'roles.id', 'user_roles.role_id')
    .select(['user_roles.user_id as owner', 'roles.name as name'])
    .where('user_roles.user_id', 'in', inIds(db, userIds))
    .orderBy('roles.id')
    .execute()
  return collect(rows)
}

/** Names of the groups of several users, sorted. */
export async function listGroupNamesOf(
  db: Executor,
  userIds: readonly number[],
): Promise<Map<number, string[]>> {
  if (userIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('group_members')
    .innerJoin('groups', 'groups.id', 'group_members.group_id')
    .select(['group_members.user_id as owner', 'groups.name as name'])
    .where('group_members.user_id', 'in', inIds(db, userIds))
    .orderBy('groups.id')
    .execute()
  return collect(rows)
}

/** Names of the roles of several services, by the service's id. */
export async function listRoleNamesOfServices(
  db: Executor,
  serviceIds: readonly number[],
): Promise<Map<number, string[]>> {
  if (serviceIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('service_roles')
    .innerJoin('roles', 'roles.id', 'service_roles.role_id')
    .select(['service_roles.service_id as owner', 'roles.name as name'])
    .where('service_roles.service_id', 'in', [...serviceIds])
    .orderBy('roles.id')
    .execute()
  return collect(rows)
}

/** That a user is in a group; names as of now. */
export interface MembershipRow {
  readonly userId: number
  readonly userName: string
  readonly groupId: number
  readonly groupName: string
}

/** Every membership, or those of some users. */
export async function listMemberships(
  db: Executor,
  userIds?: readonly number[],
): Promise<MembershipRow[]> {
  const rows = db
    .selectFrom('group_members')
    .innerJoin('groups', 'groups.id', 'group_members.group_id')
    .innerJoin('users', 'users.id', 'group_members.user_id')
    .select([
      'users.id as userId',
      'users.name as userName',
      'groups.id as groupId',
      'groups.name as groupName',
    ])
  if (userIds === undefined) return rows.execute()
  return userIds.length === 0 ? [] : rows.where('users.id', 'in', inIds(db, userIds)).execute()
}

/** Ids of the members of some groups. */
export async function listMemberIds(db: Executor, groupIds: readonly number[]): Promise<number[]> {
  if (groupIds.length === 0) return []
  const rows = await db
    .selectFrom('group_members')
    .select('user_id')
    .distinct()
    .where('group_id', 'in', [...groupIds])
    .execute()
  return rows.map((row) => row.user_id)
}

export async function listGroupIdsOf(db: Executor, userId: number): Promise<number[]> {
  const rows = await db
    .selectFrom('group_members')
    .select('group_id')
    .where('user_id', '=', userId)
    .execute()
  return rows.map((row) => row.group_id)
}

/** An unexpired share that reaches a user, directly or through a group. */
export interface ReceivedShare {
  readonly ownerId: number
  readonly ownerName: string
  readonly serverId: number
  readonly serverName: string
  /** Names of scopes, without filter. */
  readonly scopes: readonly string[]
  readonly expiresAt: Date | null
}

export async function listSharesReceivedBy(
  db: Executor,
  userId: number,
  now: Date,
): Promise<ReceivedShare[]> {
  const rows = await db
    .selectFrom('shares')
    .innerJoin('servers', 'servers.id', 'shares.server_id')
    .innerJoin('users as owner', 'owner.id', 'servers.user_id')
    .select([
      'owner.id as ownerId',
      'owner.name as ownerName',
      'servers.id as serverId',
      'servers.name as serverName',
      'shares.scopes as scopes',
      'shares.expires_at as expiresAt',
    ])
    .where((eb) =>
      eb.or([
        eb('shares.user_id', '=', userId),
        eb(
          'shares.group_id',
          'in',
          eb.selectFrom('group_members').select('group_id').where('user_id', '=', userId),
        ),
      ]),
    )
    .where((eb) =>
      eb.or([eb('shares.expires_at', 'is', null), eb('shares.expires_at', '>=', now.getTime())]),
    )
    .execute()
  return rows.map((row) => ({
    ...row,
    scopes: parseSharedScopes(row.scopes),
    expiresAt: toDateOrNull(row.expiresAt),
  }))
}

function collect(rows: readonly { owner: number; name: string }[]): Map<number, string[]> {
  const byOwner = new Map<number, string[]>()
  for (const { owner, name } of rows) {
    const list = byOwner.get(owner)
    if (list === undefined) byOwner.set(owner, [name])
    else list.push(name)
  }
  return byOwner
}

function toRole(row: { id: number; name: string; description: string; scopes: string }): Role {
  return { ...row, scopes: parseStoredStrings(row.scopes) }
}

/** Deletes every role but the named ones, and those of the authenticator. */
export async function deleteRolesExcept(
  transaction: WriteTransaction,
  names: readonly string[],
): Promise<void> {
  const rows = await transaction.db
    .deleteFrom('roles')
    .where('managed', '=', 0)
    .where('name', 'not in', names.length === 0 ? [''] : [...names])
    .returning('id')
    .execute()
  for (const row of rows) transaction.changed('role', row.id)
}

const memberTables = {
  user: { table: 'user_roles', column: 'user_id' },
  group: { table: 'group_roles', column: 'group_id' },
  service: { table: 'service_roles', column: 'service_id' },
} as const

/** Makes the members of one kind exactly these; with `add`, only adds them. */
export async function setRoleMembers(
  transaction: WriteTransaction,
  members: {
    role: string
    kind: keyof typeof memberTables
    ids: readonly number[]
    add?: boolean
  },
): Promise<void> {
  const role = await findRole(transaction.db, members.role)
  if (role === undefined) return
  const { table, column } = memberTables[members.kind]
  const target = sql.table(table)
  const member = sql.ref(column)
  const { rows } = await sql<{ id: number }>`
    select ${member} as id from ${target} where role_id = ${role.id}`.execute(transaction.db)
  const present = new Set(rows.map(({ id }) => id))
  const wanted = new Set(members.ids)
  const removed = members.add === true ? [] : [...present].filter((id) => !wanted.has(id))
  const added = [...wanted].filter((id) => !present.has(id))
  // An announcement makes every user be read again.
  if (removed.length + added.length === 0) return
  for (const id of removed) {
    await sql`delete from ${target} where role_id = ${role.id} and ${member} = ${id}`.execute(
      transaction.db,
    )
  }
  for (const id of added) {
    await sql`insert into ${target} (role_id, ${member}) values (${role.id}, ${id})
      on conflict do nothing`.execute(transaction.db)
  }
  transaction.changed('role', role.id)
}
