import { ConfigError } from '../domain/errors.ts'
import { listRolesOfService, setRoleMembers } from '../storage/access.ts'
import { ensureGroup } from '../storage/groups.ts'
import { markManagedUsers } from '../storage/managed-roles.ts'
import { listServices, putService } from '../storage/services.ts'
import type { WriteTransaction } from '../storage/store.ts'
import { grantUserRole } from '../storage/users.ts'
import type { ConfiguredRole } from './configured-roles.ts'
import type { UserEnsurer } from './user-ensurer.ts'

/**
 * Makes who has which role what the configuration says, then brings the admin flag and the role
 * `admin` in line. Source: contract scopes-and-roles §10.3.
 * @throws ConfigError for services that do not exist
 */
export async function loadRoleMembers(
  tx: WriteTransaction,
  input: {
    roles: readonly ConfiguredRole[]
    /** Normalised; they join the users of a configured role `admin`. */
    adminUsers: readonly string[]
    allowedUsers: readonly string[]
    users: UserEnsurer
    serviceIds: ReadonlyMap<string, number>
  },
): Promise<void> {
  const { users } = input
  const roles = input.roles.map((role) => withAdminUsers(role, input.adminUsers))
  for (const role of roles.filter(({ isConfigured }) => isConfigured)) {
    if (role.users !== undefined || (role.name !== 'user' && !role.isManaged)) {
      const ids: number[] = []
      for (const name of role.users ?? []) ids.push(await users.ensure(name))
      await setRoleMembers(tx, { role: role.name, kind: 'user', ids })
      if (role.isManaged) await markManagedUsers(tx, role.name)
    }
    const groupIds: number[] = []
    for (const name of role.groups ?? []) groupIds.push(await ensureGroup(tx, name))
    await setRoleMembers(tx, { role: role.name, kind: 'group', ids: groupIds })
    const ids = (role.services ?? []).map((name) => serviceId(input.serviceIds, role.name, name))
    await setRoleMembers(tx, { role: role.name, kind: 'service', ids })
  }
  for (const name of input.allowedUsers) {
    await grantUserRole(tx, await users.ensure(name), 'user')
  }
  const admin = roles.find(({ name }) => name === 'admin')
  await alignAdminUsers(tx, admin?.isConfigured === true && admin.users !== undefined)
  await alignAdminServices(tx, admin?.isConfigured === true && admin.services !== undefined)
}

/**
 * Observed: JupyterHub 6.1, `admin_users` beside a role `admin` without users: the list is then
 * theirs, and other administrators lose the role. The wire contract has it otherwise (§12.5, 91).
 */
function withAdminUsers(role: ConfiguredRole, adminUsers: readonly string[]): ConfiguredRole {
  if (role.name !== 'admin' || !role.isConfigured || adminUsers.length === 0) return role
  return { ...role, users: [...new Set([...(role.users ?? []), ...adminUsers])] }
}

function serviceId(ids: ReadonlyMap<string, number>, role: string, name: string): number {
  const id = ids.get(name)
  if (id !== undefined) return id
  throw new ConfigError(
    `JupyterHub.load_roles gives role '${role}' to the service '${name}', which ` +
      'does not exist: JupyterHub.services does not name it',
  )
}

/**
 * Who has the role has the flag. Who has the flag alone loses it where the configuration lists who
 * has the role, and gets the role elsewhere.
 */
async function alignAdminUsers(tx: WriteTransaction, isListed: boolean): Promise<void> {
  const holders = tx.db
    .selectFrom('user_roles')
    .innerJoin('roles', 'roles.id', 'user_roles.role_id')
    .select('user_roles.user_id')
    .where('roles.name', '=', 'admin')
  const raised = await tx.db
    .updateTable('users')
    .set({ admin: 1 })
    .where('admin', '=', 0)
    .where('id', 'in', holders)
    .returning('id')
    .execute()
  const flagged = await tx.db
    .selectFrom('users')
    .select('id')
    .where('admin', '=', 1)
    .where('id', 'not in', holders)
    .execute()
  for (const { id } of flagged) {
    if (isListed) await tx.db.updateTable('users').set({ admin: 0 }).where('id', '=', id).execute()
    else await grantUserRole(tx, id, 'admin')
  }
  for (const { id } of [...raised, ...flagged]) tx.changed('user', id)
}

/** As {@link alignAdminUsers}, though a service's flag is what its definition says. */
async function alignAdminServices(tx: WriteTransaction, isListed: boolean): Promise<void> {
  const services = await listServices(tx.db, { kind: 'all' })
  const flagged = services.filter((service) => service.admin)
  if (!isListed) {
    const ids = flagged.map((service) => service.id)
    return setRoleMembers(tx, { role: 'admin', kind: 'service', ids })
  }
  for (const service of services) {
    const roles = await listRolesOfService(tx.db, service.id)
    const admin = roles.some((role) => role.name === 'admin')
    if (admin !== service.admin) await putService(tx, { ...service, admin })
  }
}
