import { sql } from 'kysely'
import type { Role } from '../domain/records.ts'
import { parseStoredStrings } from '../util/json.ts'
import type { Executor } from './dialects/dialect.ts'

/** A role with how many hold it directly. */
export interface RoleWithCounts extends Role {
  readonly userCount: number
  readonly groupCount: number
  readonly serviceCount: number
}

/** Every role in the order of creation, or the one of this name. */
export async function listRolesWithCounts(db: Executor, name?: string): Promise<RoleWithCounts[]> {
  if (name?.includes('\0') === true) return [] // which PostgreSQL cannot even compare
  let query = db
    .selectFrom('roles')
    .selectAll()
    .select((eb) => [
      eb
        .selectFrom('user_roles')
        .select(sql<number>`count(*)`.as('n'))
        .whereRef('user_roles.role_id', '=', 'roles.id')
        .as('users'),
      eb
        .selectFrom('group_roles')
        .select(sql<number>`count(*)`.as('n'))
        .whereRef('group_roles.role_id', '=', 'roles.id')
        .as('groups'),
      eb
        .selectFrom('service_roles')
        .select(sql<number>`count(*)`.as('n'))
        .whereRef('service_roles.role_id', '=', 'roles.id')
        .as('services'),
    ])
    .orderBy('roles.id')
  if (name !== undefined) query = query.where('roles.name', '=', name)
  const rows = await query.execute()
  return rows.map(({ users, groups, services, ...role }) => ({
    ...role,
    scopes: parseStoredStrings(role.scopes),
    // PostgreSQL counts in 64 bits, which its driver hands out as text.
    userCount: Number(users),
    groupCount: Number(groups),
    serviceCount: Number(services),
  }))
}
