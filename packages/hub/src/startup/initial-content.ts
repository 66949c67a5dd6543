import { ConfigError } from '../domain/errors.ts'
import type { UsernameRules } from '../domain/names.ts'
import { isDefaultRole } from '../rbac/roles.ts'
import { minTokenLength } from '../domain/service-definition.ts'
import { deleteRolesExcept, putRole } from '../storage/access.ts'
import { addGroupMember, ensureGroup } from '../storage/groups.ts'
import { putManagedRole, resetManagedRoles } from '../storage/managed-roles.ts'
import type { Store, WriteTransaction } from '../storage/store.ts'
import { createToken, findTokenByValue } from '../storage/tokens.ts'
import type { JsonObject } from '../util/json.ts'
import { stripBlockedUsers } from './blocked-users.ts'
import type { ConfiguredRole } from './configured-roles.ts'
import { loadRoleMembers } from './role-members.ts'
import { loadServices, type ServiceContent } from './service-content.ts'
import { UserEnsurer } from './user-ensurer.ts'

/** What the configuration says shall be in the database when the hub starts. */
export interface InitialContent extends ServiceContent {
  readonly roles: readonly ConfiguredRole[]
  readonly users: readonly string[]
  readonly adminUsers: readonly string[]
  readonly groups: readonly {
    readonly name: string
    readonly users: readonly string[]
    readonly properties?: JsonObject
  }[]
  /** Token value to user name. */
  readonly apiTokens: Readonly<Record<string, string>>
  readonly usernameRules: UsernameRules
  readonly blockedUsers: ReadonlySet<string>
  /** Forget what the authenticator said of roles before. */
  readonly resetManagedRoles: boolean
}

/**
 * Brings roles, users, groups, services and tokens into the database, all or nothing. Users and
 * groups are only ever added; services and roles that left the configuration are removed.
 * Source: contract scopes-and-roles §10.3 to §10.5.
 * @throws ConfigError for names and tokens that cannot be
 */
export async function loadInitialContent(
  store: Store,
  content: InitialContent,
  now: Date,
): Promise<void> {
  for (const value of [...Object.keys(content.apiTokens), ...Object.keys(content.serviceTokens)]) {
    if (value.length < minTokenLength) {
      throw new ConfigError(
        `JupyterHub.api_tokens holds a token of ${value.length} characters; the least is ` +
          `${minTokenLength}. \`openssl rand -hex 32\` makes a good one.`,
      )
    }
  }
  await store.write(async (tx) => {
    for (const role of content.roles) {
      if (role.isManaged && !isDefaultRole(role.name)) await putManagedRole(tx, role)
      else await putRole(tx, role)
    }
    await deleteRolesExcept(
      tx,
      content.roles.map((role) => role.name),
    )
    if (content.resetManagedRoles) {
      const managed = content.roles.filter((role) => role.isManaged)
      await resetManagedRoles(
        tx,
        managed.map((role) => role.name),
      )
    }
    const users = new UserEnsurer(tx, content.usernameRules, now)
    for (const name of content.adminUsers) await users.ensure(name, { admin: true })
    for (const name of content.users) await users.ensure(name)
    for (const group of content.groups) {
      const groupId = await ensureGroup(tx, group.name, group.properties)
      for (const name of group.users) await addGroupMember(tx, groupId, await users.ensure(name))
    }
    const serviceIds = await loadServices(tx, content, now)
    await loadTokens(tx, { content, users, now })
    await loadRoleMembers(tx, {
      roles: content.roles,
      adminUsers: content.adminUsers.map((name) => users.normalize(name)),
      allowedUsers: content.users,
      users,
      serviceIds,
    })
    await stripBlockedUsers(tx, content.blockedUsers)
  })
}

async function loadTokens(
  tx: WriteTransaction,
  input: { content: InitialContent; users: UserEnsurer; now: Date },
): Promise<void> {
  const { content, users, now } = input
  const stretched = !content.trustTokens
  for (const [value, username] of Object.entries(content.apiTokens)) {
    const owner = { kind: 'user', id: await users.ensure(username) } as const
    if ((await findTokenByValue(tx.db, value, now)) !== undefined) continue
    await createToken(
      tx,
      { value, owner, scopes: ['inherit'], note: 'from config', stretched },
      now,
    )
  }
}
