import { HubError } from '../domain/errors.ts'
import type { User } from '../domain/records.ts'
import type { ManagedRole } from '../plugin-api/authenticator.ts'
import { findRoleProblem } from '../rbac/roles.ts'
import { putManagedRole, setManagedMembers, setRolesOfUser } from '../storage/managed-roles.ts'
import type { WriteTransaction } from '../storage/store.ts'

/** What roles by the authenticator are checked against. */
export interface ManagedRoleRules {
  readonly isScope: (text: string) => boolean
  /** Roles that stay though nobody has them. */
  readonly configuredRoles: ReadonlySet<string>
}

/**
 * Makes the roles of a user those that the authenticator lists; all others are taken, the default
 * ones included. Source: contract authenticators §4.
 * @throws HubError `role_conflict` for roles that cannot be
 */
export async function applyManagedRoles(
  transaction: WriteTransaction,
  user: User,
  input: { readonly roles: readonly ManagedRole[]; readonly rules: ManagedRoleRules },
): Promise<void> {
  const { roles, rules } = input
  for (const role of roles) {
    const problem = findRoleProblem(role) ?? findUnknownScope(role, rules)
    if (problem !== undefined) throw new HubError('role_conflict', { message: problem })
    await putManagedRole(transaction, role)
    for (const [kind, names] of [
      ['user', role.users],
      ['group', role.groups],
      ['service', role.services],
    ] as const) {
      if (names !== undefined) {
        await setManagedMembers(transaction, { role: role.name, kind, names })
      }
    }
  }
  const names = [...new Set(roles.map((role) => role.name))]
  const configured = rules.configuredRoles
  await setRolesOfUser(transaction, user.id, { names, configured })
}

function findUnknownScope(role: ManagedRole, rules: ManagedRoleRules): string | undefined {
  const unknown = role.scopes?.find((scope) => !rules.isScope(scope))
  return unknown && `The role '${role.name}' has a scope that does not exist: '${unknown}'`
}
