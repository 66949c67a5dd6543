import { randomUUID } from 'node:crypto'
import { type SelectQueryBuilder, type Selectable, sql } from 'kysely'
import { HubError } from '../domain/errors.ts'
import type { User } from '../domain/records.ts'
import { type JsonObject, parseStoredObject } from '../util/json.ts'
import type { Executor } from './dialects/dialect.ts'
import { inNames } from './lists.ts'
import { toDate, toDateOrNull, toFlag } from './rows.ts'
import type { Schema } from './schema.ts'
import { endBrowserSessionsOf } from './browser-sessions.ts'
import type { WriteTransaction } from './store.ts'

export async function findUser(db: Executor, name: string): Promise<User | undefined> {
  const row = await db.selectFrom('users').selectAll().where('name', '=', name).executeTakeFirst()
  return row && toUser(row)
}

export async function findUserById(db: Executor, id: number): Promise<User | undefined> {
  const row = await db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst()
  return row && toUser(row)
}

/** Ids by name, in the order of the ids; names of nobody are left out. */
export async function findUserIds(
  db: Executor,
  names: readonly string[],
): Promise<Map<string, number>> {
  if (names.length === 0) return new Map()
  const rows = await db
    .selectFrom('users')
    .select(['id', 'name'])
    .where('name', 'in', inNames(db, names))
    .orderBy('id')
    .execute()
  return new Map(rows.map(({ id, name }) => [name, id]))
}

/** By the content of a login cookie. */
export async function findUserByCookieId(
  db: Executor,
  cookieId: string,
): Promise<User | undefined> {
  const row = await db
    .selectFrom('users')
    .selectAll()
    .where('cookie_id', '=', cookieId)
    .executeTakeFirst()
  return row && toUser(row)
}

/** @throws HubError `user_not_found` */
export async function getUser(db: Executor, name: string): Promise<User> {
  const user = await findUser(db, name)
  if (user === undefined) throw new HubError('user_not_found')
  return user
}

/** Which users a caller may list: all, or those named and the members of the groups named. */
export type UserSelection =
  | { readonly kind: 'all' }
  | { readonly kind: 'some'; readonly users: readonly string[]; readonly groups: readonly string[] }

export interface UserQuery {
  readonly selection: UserSelection
  readonly state?: 'active' | 'ready' | 'inactive'
  /** Case-insensitive substring; `%` and `_` are wildcards, as in the reference. */
  readonly nameFilter?: string
  readonly sort: 'id' | 'name' | 'last_activity'
  readonly descending: boolean
  readonly offset: number
  readonly limit: number
}

/** One page of users and how many there are in all. */
export async function listUsers(
  db: Executor,
  query: UserQuery,
): Promise<{ users: User[]; total: number }> {
  const filtered = filterUsers(db, db.selectFrom('users'), query)
  const { total } = await filtered
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  const order = query.descending ? 'desc' : 'asc'
  let page = filtered.selectAll('users')
  if (query.sort === 'last_activity') {
    // Nulls first when ascending, last when descending, on both databases.
    page = page
      .orderBy(sql`last_activity_at is null`, query.descending ? 'asc' : 'desc')
      .orderBy('last_activity_at', order)
  } else {
    page = page.orderBy(query.sort, order)
  }
  const rows = await page.orderBy('id').offset(query.offset).limit(query.limit).execute()
  return { users: rows.map(toUser), total: total }
}

export async function countUsers(db: Executor): Promise<number> {
  const row = await db
    .selectFrom('users')
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return row.total
}

export interface NewUser {
  readonly name: string
  readonly admin?: boolean
}

/**
 * Creates a user with the default roles.
 * @throws HubError `user_exists`
 */
export async function createUser(
  transaction: WriteTransaction,
  user: NewUser,
  now: Date,
): Promise<User> {
  const row = await transaction.db
    .insertInto('users')
    .values({
      name: user.name,
      admin: toFlag(user.admin === true),
      created_at: now.getTime(),
      cookie_id: newCookieId(),
    })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) {
    throw new HubError('user_exists', { message: `User ${user.name} already exists` })
  }
  await grantUserRole(transaction, row.id, 'user')
  if (user.admin === true) await grantUserRole(transaction, row.id, 'admin')
  transaction.changed('user', row.id)
  return toUser(row)
}

/**
 * Makes concurrent transactions about one user's servers wait for each other. A write that changes
 * nothing, because SQLite knows no `for update`.
 */
export async function lockUser(transaction: WriteTransaction, id: number): Promise<void> {
  await transaction.db.updateTable('users').set({ id: sql`id` }).where('id', '=', id).execute()
}

export interface UserChanges {
  readonly name?: string
  readonly admin?: boolean
  readonly userInfo?: JsonObject | null
  readonly cookieId?: string
}

/** Applies changes; the `admin` flag and the role `admin` go together. */
export async function updateUser(
  transaction: WriteTransaction,
  user: User,
  changes: UserChanges,
): Promise<User> {
  const { name, admin, userInfo, cookieId } = changes
  const row = await transaction.db
    .updateTable('users')
    .set({
      ...(name !== undefined && { name }),
      ...(admin !== undefined && { admin: toFlag(admin) }),
      ...(userInfo !== undefined && {
        user_info: userInfo === null ? null : JSON.stringify(userInfo),
      }),
      ...(cookieId !== undefined && { cookie_id: cookieId }),
      id: sql`id`, // keeps the statement valid when nothing changes
    })
    .where('id', '=', user.id)
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) throw new HubError('user_not_found')
  if (cookieId !== undefined) await endBrowserSessionsOf(transaction, user.id)
  if (admin === true) await grantUserRole(transaction, user.id, 'admin')
  if (admin === false) await stripUserRole(transaction, user.id, 'admin')
  transaction.changed('user', user.id)
  return toUser(row)
}

/** Deletes the user with servers, tokens, codes and shares. */
export async function deleteUser(transaction: WriteTransaction, id: number): Promise<void> {
  await transaction.db.deleteFrom('users').where('id', '=', id).execute()
  transaction.changed('user', id)
}

/** Moves `last_activity` forward; an older instant changes nothing. */
export async function touchUser(
  transaction: WriteTransaction,
  id: number,
  at: Date,
): Promise<void> {
  await transaction.db
    .updateTable('users')
    .set({ last_activity_at: at.getTime() })
    .where('id', '=', id)
    .where((eb) =>
      eb.or([eb('last_activity_at', 'is', null), eb('last_activity_at', '<', at.getTime())]),
    )
    .execute()
}

/** Ends every browser session of the user at once. */
export function newCookieId(): string {
  return randomUUID().replaceAll('-', '')
}

/** Announces nothing to those who have the role already. */
export async function grantUserRole(
  transaction: WriteTransaction,
  userId: number,
  roleName: string,
): Promise<void> {
  const rows = await transaction.db
    .insertInto('user_roles')
    .columns(['role_id', 'user_id'])
    .expression((eb) =>
      eb
        .selectFrom('roles')
        .select(['id', sql<number>`${userId}`.as('user_id')])
        .where('name', '=', roleName),
    )
    .onConflict((conflict) => conflict.doNothing())
    .returning('role_id')
    .execute()
  if (rows.length > 0) transaction.changed('user', userId)
}

export async function stripUserRole(
  transaction: WriteTransaction,
  userId: number,
  roleName: string,
): Promise<void> {
  const rows = await transaction.db
    .deleteFrom('user_roles')
    .where('user_id', '=', userId)
    .where('role_id', 'in', (eb) =>
      eb.selectFrom('roles').select('id').where('name', '=', roleName),
    )
    .returning('role_id')
    .execute()
  if (rows.length > 0) transaction.changed('user', userId)
}

/** At every sign-in: the role `user` for everybody, `admin` for those who have the flag. */
export async function alignDefaultRoles(transaction: WriteTransaction, user: User): Promise<void> {
  await grantUserRole(transaction, user.id, 'user')
  if (user.admin) await grantUserRole(transaction, user.id, 'admin')
  else await stripUserRole(transaction, user.id, 'admin')
}

/** Takes every directly held role. */
export async function stripUserRoles(transaction: WriteTransaction, userId: number): Promise<void> {
  await transaction.db.deleteFrom('user_roles').where('user_id', '=', userId).execute()
  transaction.changed('user', userId)
}

export async function findPasswordHash(
  db: Executor,
  username: string,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('user_passwords')
    .innerJoin('users', 'users.id', 'user_passwords.user_id')
    .select('password_hash')
    .where('users.name', '=', username)
    .executeTakeFirst()
  return row?.password_hash
}

export async function setPasswordHash(
  transaction: WriteTransaction,
  options: { userId: number; hash: string; now: Date },
): Promise<void> {
  const values = { password_hash: options.hash, updated_at: options.now.getTime() }
  await transaction.db
    .insertInto('user_passwords')
    .values({ user_id: options.userId, ...values })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet(values))
    .execute()
}

type UserFilter<O> = SelectQueryBuilder<Schema, 'users', O>

function filterUsers<O>(db: Executor, from: UserFilter<O>, query: UserQuery): UserFilter<O> {
  let filtered = from
  const { selection } = query
  if (selection.kind === 'some') {
    filtered = filtered.where((eb) =>
      eb.or([
        eb('users.name', 'in', inNames(db, selection.users)),
        eb(
          'users.id',
          'in',
          eb
            .selectFrom('group_members')
            .innerJoin('groups', 'groups.id', 'group_members.group_id')
            .select('group_members.user_id')
            .where('groups.name', 'in', inNames(db, selection.groups)),
        ),
      ]),
    )
  }
  if (query.nameFilter !== undefined && query.nameFilter !== '') {
    const pattern = `%${query.nameFilter.toLowerCase()}%`
    filtered = filtered.where(sql<boolean>`lower(users.name) like ${pattern}`)
  }
  if (query.state !== undefined) {
    const states = query.state === 'ready' ? ['ready'] : ['spawning', 'ready', 'stopping']
    filtered = filtered.where((eb) => {
      const active = eb.exists(
        eb
          .selectFrom('servers')
          .select('servers.id')
          .whereRef('servers.user_id', '=', 'users.id')
          .where('servers.state', 'in', states),
      )
      return query.state === 'inactive' ? eb.not(active) : active
    })
  }
  return filtered
}

export function toUser(row: Selectable<Schema['users']>): User {
  return {
    id: row.id,
    name: row.name,
    admin: row.admin === 1,
    createdAt: toDate(row.created_at),
    lastActivityAt: toDateOrNull(row.last_activity_at),
    disabled: row.disabled === 1,
    cookieId: row.cookie_id,
    userInfo: parseStoredObject(row.user_info) ?? null,
  }
}
