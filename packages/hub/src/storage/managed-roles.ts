import { sql } from 'kysely'
import { findRole, setRoleMembers } from './access.ts'
import type { WriteTransaction } from './store.ts'

/** A role by the word of the authenticator. */
export interface ManagedRoleContent {
  readonly name: string
  readonly description?: string
  readonly scopes?: readonly string[]
}

/** Creates the role as a managed one, or changes what is given of the one that is there. */
export async function putManagedRole(
  transaction: WriteTransaction,
  role: ManagedRoleContent,
): Promise<void> {
  const { db } = transaction
  const { name, description, scopes } = role
  const present = await findRole(db, name)
  if (present === undefined) {
    const { id } = await db
      .insertInto('roles')
      .values({
        name,
        description: description ?? '',
        scopes: JSON.stringify(scopes ?? []),
        managed: 1,
      })
      .returning('id')
      .executeTakeFirstOrThrow()
    transaction.changed('role', id)
    return
  }
  const text = JSON.stringify(scopes ?? present.scopes)
  const isSame =
    text === JSON.stringify(present.scopes) &&
    (description ?? present.description) === present.description
  if (isSame) return
  await db
    .updateTable('roles')
    .set({ scopes: text, description: description ?? present.description })
    .where('id', '=', present.id)
    .execute()
  transaction.changed('role', present.id)
}

const memberTables = { user: 'users', group: 'groups', service: 'services' } as const

/** Gives the role to exactly these; names that are not known are passed over. */
export async function setManagedMembers(
  transaction: WriteTransaction,
  members: { role: string; kind: keyof typeof memberTables; names: readonly string[] },
): Promise<void> {
  const { role, kind, names } = members
  const rows = await transaction.db
    .selectFrom(memberTables[kind])
    .select('id')
    .where('name', 'in', names.length === 0 ? ['/'] : [...names])
    .execute()
  await setRoleMembers(transaction, { role, kind, ids: rows.map(({ id }) => id) })
}

/** Marks who has a role by the word of the authenticator. */
export async function markManagedUsers(transaction: WriteTransaction, role: string): Promise<void> {
  await transaction.db
    .updateTable('user_roles')
    .set({ managed: 1 })
    .where('role_id', 'in', (eb) => eb.selectFrom('roles').select('id').where('name', '=', role))
    .execute()
}

/**
 * Makes the directly held roles of a user exactly these. Managed roles that nobody has any more
 * are deleted unless the configuration names them.
 */
export async function setRolesOfUser(
  transaction: WriteTransaction,
  userId: number,
  roles: { readonly names: readonly string[]; readonly configured: ReadonlySet<string> },
): Promise<void> {
  const { db } = transaction
  const held = await db
    .selectFrom('user_roles')
    .innerJoin('roles', 'roles.id', 'user_roles.role_id')
    .select(['roles.id', 'roles.name', 'roles.managed'])
    .where('user_roles.user_id', '=', userId)
    .execute()
  const stripped = held.filter(({ name }) => !roles.names.includes(name))
  const granted = roles.names.filter((name) => !held.some((role) => role.name === name))
  for (const { id } of stripped) {
    await db
      .deleteFrom('user_roles')
      .where('user_id', '=', userId)
      .where('role_id', '=', id)
      .execute()
  }
  for (const name of granted) {
    await db
      .insertInto('user_roles')
      .columns(['role_id', 'user_id', 'managed'])
      .expression((eb) =>
        eb
          .selectFrom('roles')
          .select(['id', sql<number>`${userId}`.as('user_id'), sql<number>`1`.as('managed')])
          .where('name', '=', name),
      )
      .execute()
  }
  if (stripped.length + granted.length > 0) transaction.changed('user', userId)
  for (const { id, name, managed } of stripped) {
    if (managed === 1 && !roles.configured.has(name)) await deleteUnheld(transaction, id)
  }
}

async function deleteUnheld(transaction: WriteTransaction, roleId: number): Promise<void> {
  const rows = await transaction.db
    .deleteFrom('roles')
    .where('id', '=', roleId)
    .where('id', 'not in', (eb) => eb.selectFrom('user_roles').select('role_id'))
    .where('id', 'not in', (eb) => eb.selectFrom('group_roles').select('role_id'))
    .where('id', 'not in', (eb) => eb.selectFrom('service_roles').select('role_id'))
    .returning('id')
    .execute()
  for (const { id } of rows) transaction.changed('role', id)
}

/** Deletes managed roles but those named, and what users have of others by the authenticator. */
export async function resetManagedRoles(
  transaction: WriteTransaction,
  names: readonly string[],
): Promise<void> {
  const kept = names.length === 0 ? [''] : [...names]
  const { db } = transaction
  const roles = await db
    .deleteFrom('roles')
    .where('managed', '=', 1)
    .where('name', 'not in', kept)
    .returning('id')
    .execute()
  const holders = await db
    .deleteFrom('user_roles')
    .where('managed', '=', 1)
    .where('role_id', 'not in', (eb) =>
      eb.selectFrom('roles').select('id').where('name', 'in', kept),
    )
    .returning('user_id')
    .execute()
  for (const { id } of roles) transaction.changed('role', id)
  for (const { user_id: id } of holders) transaction.changed('user', id)
}
