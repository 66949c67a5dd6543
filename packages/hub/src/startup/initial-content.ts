import { ConfigError } from '../domain/errors.ts'
import { minTokenLength } from '../domain/service-definition.ts'
import { isValidUsername, normalizeUsername, type UsernameRules } from '../domain/names.ts'
import {
  deleteRolesExcept,
  listRolesOfService,
  putRole,
  setRoleMembers,
} from '../storage/access.ts'
import { addGroupMember, ensureGroup } from '../storage/groups.ts'
import { listServices, putService } from '../storage/services.ts'
import type { Store, WriteTransaction } from '../storage/store.ts'
import { createToken, findTokenByValue } from '../storage/tokens.ts'
import { createUser, findUser, grantUserRole, updateUser } from '../storage/users.ts'
import type { JsonObject } from '../util/json.ts'
import { loadServices, type ServiceContent } from './service-content.ts'

export interface ConfiguredRole {
  readonly name: string
  readonly description: string
  readonly scopes: readonly string[]
  /** `undefined` where the configuration says nothing about that kind of member. */
  readonly users?: readonly string[]
  readonly groups?: readonly string[]
  readonly services?: readonly string[]
}

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
    for (const role of content.roles) await putRole(tx, role)
    await deleteRolesExcept(
      tx,
      content.roles.map((role) => role.name),
    )
    const users = new UserEnsurer(tx, content.usernameRules, now)
    for (const name of content.adminUsers) await users.ensure(name, { admin: true })
    for (const name of content.users) await users.ensure(name)
    for (const group of content.groups) {
      const groupId = await ensureGroup(tx, group.name, group.properties)
      for (const name of group.users) await addGroupMember(tx, groupId, await users.ensure(name))
    }
    const serviceIds = await loadServices(tx, content, now)
    await loadMemberships(tx, { content, users, serviceIds })
    await loadTokens(tx, { content, users, now })
  })
}

class UserEnsurer {
  readonly #tx: WriteTransaction
  readonly #rules: UsernameRules
  readonly #now: Date

  constructor(tx: WriteTransaction, rules: UsernameRules, now: Date) {
    this.#tx = tx
    this.#rules = rules
    this.#now = now
  }

  /** @returns the user's id */
  async ensure(configured: string, options: { admin?: boolean } = {}): Promise<number> {
    const name = normalizeUsername(configured, this.#rules)
    if (!isValidUsername(name, this.#rules)) {
      throw new ConfigError(
        `The configuration names the user '${configured}': not a valid user name`,
      )
    }
    const found = await findUser(this.#tx.db, name)
    if (found === undefined) {
      return (await createUser(this.#tx, { name, ...options }, this.#now)).id
    }
    if (options.admin === true && !found.admin) await updateUser(this.#tx, found, { admin: true })
    await grantUserRole(this.#tx, found.id, 'user')
    return found.id
  }
}

/** Listed kinds become exact; see the contract for what an omitted kind means. */
async function loadMemberships(
  tx: WriteTransaction,
  input: { content: InitialContent; users: UserEnsurer; serviceIds: ReadonlyMap<string, number> },
): Promise<void> {
  const { content, users, serviceIds } = input
  for (const role of content.roles) {
    const isDefault = ['user', 'admin', 'server', 'token'].includes(role.name)
    if (role.users !== undefined || !isDefault) {
      const ids: number[] = []
      for (const name of role.users ?? []) {
        ids.push(await users.ensure(name, role.name === 'admin' ? { admin: true } : {}))
      }
      await setRoleMembers(tx, { role: role.name, kind: 'user', ids })
    }
    if (role.groups !== undefined || !isDefault) {
      const ids: number[] = []
      for (const name of role.groups ?? []) ids.push(await ensureGroup(tx, name))
      await setRoleMembers(tx, { role: role.name, kind: 'group', ids })
    }
    if (role.services !== undefined || !isDefault) {
      const ids = (role.services ?? []).map((name) => {
        const id = serviceIds.get(name)
        if (id === undefined) {
          throw new ConfigError(
            `JupyterHub.load_roles gives role '${role.name}' to the service '${name}', which ` +
              'does not exist: JupyterHub.services does not name it',
          )
        }
        return id
      })
      await setRoleMembers(tx, { role: role.name, kind: 'service', ids })
    }
  }
  await alignAdminServices(
    tx,
    content.roles.some((role) => role.name === 'admin' && role.services !== undefined),
  )
}

/**
 * The admin flag of services follows the role where `load_roles` lists its services; elsewhere the
 * role follows the flag. Source: contract scopes-and-roles §10.4.
 */
async function alignAdminServices(tx: WriteTransaction, isListed: boolean): Promise<void> {
  const flagged = (await listServices(tx.db, { kind: 'all' })).filter((service) => service.admin)
  if (!isListed) {
    const ids = flagged.map((service) => service.id)
    return setRoleMembers(tx, { role: 'admin', kind: 'service', ids })
  }
  for (const service of flagged) {
    const roles = await listRolesOfService(tx.db, service.id)
    const isAdmin = roles.some((role) => role.name === 'admin')
    if (!isAdmin) await putService(tx, { ...service, admin: false })
  }
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
