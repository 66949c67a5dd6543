import { ConfigError } from '../domain/errors.ts'
import { defaultRoles, findRoleProblem, isDefaultRole } from '../rbac/roles.ts'

/** A role as `load_roles` has it. */
export interface RoleEntry {
  readonly name: string
  readonly description?: string | undefined
  readonly scopes?: readonly string[] | undefined
  readonly users?: readonly string[] | undefined
  readonly groups?: readonly string[] | undefined
  readonly services?: readonly string[] | undefined
}

export interface ConfiguredRole {
  readonly name: string
  readonly description: string
  readonly scopes: readonly string[]
  /** Whether anything is said about it: then kinds of members that are omitted are none. */
  readonly isConfigured: boolean
  /** By the word of the authenticator: omitted users are left alone. */
  readonly isManaged: boolean
  /** `undefined` where nothing is said about that kind of member. */
  readonly users?: readonly string[]
  readonly groups?: readonly string[]
  readonly services?: readonly string[]
}

export interface RoleConfiguration {
  /** `JupyterHub.load_roles`. */
  readonly entries: readonly RoleEntry[]
  /** `JupyterHub.extra_user_scopes`. */
  readonly extraUserScopes: readonly string[]
  readonly isScope: (text: string) => boolean
  /** `Authenticator.manage_roles`: who has which role is said elsewhere. */
  readonly isManaged: boolean
  /** Roles that the authenticator loads at start. */
  readonly managed?: readonly RoleEntry[]
}

/**
 * The default roles, overridden and joined by `load_roles`.
 * Source: contract scopes-and-roles §10.2, §10.3.
 * @throws ConfigError that names the option and the role
 */
export function mergeRoles(configuration: RoleConfiguration): ConfiguredRole[] {
  const { extraUserScopes, managed = [] } = configuration
  const entries = [...configuration.entries, ...managed]
  for (const entry of entries) check(entry, configuration)
  checkScopes('JupyterHub.extra_user_scopes', extraUserScopes, configuration)
  const own = new Map(entries.map((entry) => [entry.name, entry]))
  const repeated = entries.find((entry) => own.get(entry.name) !== entry)
  if (repeated !== undefined) {
    throw new ConfigError(`JupyterHub.load_roles defines the role '${repeated.name}' twice`)
  }
  const defaults = defaultRoles.map((role) => {
    const extra = role.name === 'user' ? extraUserScopes : []
    return toRole(role.name, own.get(role.name), { ...role, scopes: [...role.scopes, ...extra] })
  })
  const nothing = { description: '', scopes: [] }
  const others = entries.filter((entry) => !isDefaultRole(entry.name))
  const roles = [...defaults, ...others.map((entry) => toRole(entry.name, entry, nothing))]
  const isManaged = (name: string) => managed.some((entry) => entry.name === name)
  return roles.map((role) => ({ ...role, isManaged: isManaged(role.name) }))
}

/** What the operator may not have meant. Source: contract scopes-and-roles §10.2, §10.3. */
export function warningsOf(
  configuration: Pick<RoleConfiguration, 'entries' | 'extraUserScopes'>,
): string[] {
  const { entries, extraUserScopes } = configuration
  const warnings = entries
    .filter(({ name, scopes = [] }) => scopes.length === 0 && !isDefaultRole(name))
    .map(
      ({ name }) => `JupyterHub.load_roles: the role '${name}' has no scopes and permits nothing`,
    )
  const isReplaced = entries.some(({ name, scopes }) => name === 'user' && scopes !== undefined)
  if (isReplaced && extraUserScopes.length > 0) {
    warnings.push(
      "JupyterHub.extra_user_scopes has no effect: load_roles says what the role 'user' may do",
    )
  }
  return warnings
}

function toRole(
  name: string,
  entry: RoleEntry | undefined,
  standard: { readonly description: string; readonly scopes: readonly string[] },
): Omit<ConfiguredRole, 'isManaged'> {
  return {
    name,
    description: entry?.description ?? standard.description,
    scopes: entry?.scopes ?? standard.scopes,
    isConfigured: entry !== undefined,
    ...(entry?.users !== undefined && { users: entry.users }),
    ...(entry?.groups !== undefined && { groups: entry.groups }),
    ...(entry?.services !== undefined && { services: entry.services }),
  }
}

function check(entry: RoleEntry, configuration: RoleConfiguration): void {
  const { name, scopes = [], users = [], groups = [] } = entry
  const problem = findRoleProblem(entry)
  if (problem !== undefined) throw new ConfigError(`JupyterHub.load_roles: ${problem}`)
  checkScopes(`JupyterHub.load_roles: role '${name}'`, scopes, configuration)
  const isOwn = configuration.managed?.includes(entry) !== true
  if (configuration.isManaged && isOwn && users.length + groups.length > 0) {
    throw new ConfigError(
      `JupyterHub.load_roles gives the role '${name}' to users or groups, which is up to the ` +
        'authenticator while Authenticator.manage_roles is true',
    )
  }
}

function checkScopes(
  where: string,
  scopes: readonly string[],
  { isScope }: RoleConfiguration,
): void {
  const unknown = scopes.find((scope) => !isScope(scope))
  if (unknown === undefined) return
  const hint = unknown === 'all' ? "; the draft's 'all' is called 'inherit'" : ''
  throw new ConfigError(`${where}: there is no scope '${unknown}'${hint}`)
}
