import { ConfigError } from '../domain/errors.ts'
import { isValidUsername, normalizeUsername, type UsernameRules } from '../domain/names.ts'
import { deleteRolesExcept, putRole, setRoleMembers } from '../storage/access.ts'
import { addGroupMember, ensureGroup } from '../storage/groups.ts'
import { deleteConfiguredServicesExcept, putService } from '../storage/services.ts'
import type { Store, WriteTransaction } from '../storage/store.ts'
import { createToken, findTokenByValue } from '../storage/tokens.ts'
import { createUser, findUser, grantUserRole, updateUser } from '../storage/users.ts'
import type { JsonObject } from '../util/json.ts'

export interface ConfiguredRole {
  readonly name: string
  readonly description: string
  readonly scopes: readonly string[]
  /** `undefined` where the configuration says nothing about that kind of member. */
  readonly users?: readonly string[]
  readonly groups?: readonly string[]
  readonly services?: readonly string[]
}

export interface ConfiguredService {
  readonly name: string
  readonly admin: boolean
  readonly url: string
  readonly info: JsonObject
  readonly display: boolean
  readonly apiToken?: string
}

/** What the configuration says shall be in the database when the hub starts. */
export interface InitialContent {
  readonly roles: readonly ConfiguredRole[]
  readonly users: readonly string[]
  readonly adminUsers: readonly string[]
  readonly groups: readonly {
    readonly name: string
    readonly users: readonly string[]
    readonly properties?: JsonObject
  }[]
  readonly services: readonly ConfiguredService[]
  /** Token value to user name. */
  readonly apiTokens: Readonly<Record<string, string>>
  /** Token value to service name. */
  readonly serviceTokens: Readonly<Record<string, string>>
  readonly usernameRules: UsernameRules
  /** Configured tokens are long random values: spares the slow hash. */
  readonly trustTokens: boolean
}

/** Shortest token that a configuration may set. Source: contract single-user-and-services §10.5. */
const minTokenLength = 8

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
    const serviceIds = await loadServices(tx, content)
    await loadMemberships(tx, { content, users, serviceIds })
    await loadTokens(tx, { content, users, serviceIds, now })
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

async function loadServices(
  tx: WriteTransaction,
  content: InitialContent,
): Promise<Map<string, number>> {
  const ids = new Map<string, number>()
  const named = new Set(content.services.map((service) => service.name))
  const fromTokens = Object.values(content.serviceTokens).filter((name) => !named.has(name))
  const implied = fromTokens.map((name) => ({
    name,
    admin: false,
    url: '',
    info: {},
    display: true,
  }))
  for (const service of [...content.services, ...implied]) {
    ids.set(service.name, await putService(tx, { ...service, fromConfig: true }))
  }
  await deleteConfiguredServicesExcept(tx, [...ids.keys()])
  return ids
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
              'JupyterHub.services does not name',
          )
        }
        return id
      })
      await setRoleMembers(tx, { role: role.name, kind: 'service', ids })
    }
  }
  const admins = content.services.filter((service) => service.admin)
  const ids = admins.flatMap((service) => serviceIds.get(service.name) ?? [])
  if (ids.length > 0) await setRoleMembers(tx, { role: 'admin', kind: 'service', ids, add: true })
}

async function loadTokens(
  tx: WriteTransaction,
  input: {
    content: InitialContent
    users: UserEnsurer
    serviceIds: ReadonlyMap<string, number>
    now: Date
  },
): Promise<void> {
  const { content, users, serviceIds, now } = input
  const stretched = !content.trustTokens
  const add = async (value: string, owner: { kind: 'user' | 'service'; id: number }) => {
    if ((await findTokenByValue(tx.db, value, now)) !== undefined) return
    await createToken(
      tx,
      { value, owner, scopes: ['inherit'], note: 'from config', stretched },
      now,
    )
  }
  for (const [value, username] of Object.entries(content.apiTokens)) {
    await add(value, { kind: 'user', id: await users.ensure(username) })
  }
  const services = content.services.flatMap((service) =>
    service.apiToken === undefined ? [] : [[service.apiToken, service.name] as const],
  )
  for (const [value, name] of [...services, ...Object.entries(content.serviceTokens)]) {
    const id = serviceIds.get(name)
    if (id !== undefined) await add(value, { kind: 'service', id })
  }
}
