export interface RoleTemplate {
  readonly name: string
  readonly description: string
  readonly scopes: readonly string[]
}

/** Roles every hub has. Source: contract scopes-and-roles §10.1. */
export const defaultRoles: readonly RoleTemplate[] = [
  { name: 'user', description: "A person's own things", scopes: ['self'] },
  {
    name: 'admin',
    description: 'Everything',
    scopes: [
      'admin-ui',
      'admin:users',
      'admin:servers',
      'admin:services',
      'admin:groups',
      'tokens',
      'list:services',
      'read:services',
      'read:hub',
      'read:roles',
      'read:metrics',
      'proxy',
      'shutdown',
      'shares',
      'access:servers',
      'access:services',
    ],
  },
  {
    name: 'server',
    description: 'What a server may do with its own token',
    scopes: ['users:activity!user', 'access:servers!server'],
  },
  { name: 'token', description: 'Everything its owner may do', scopes: ['inherit'] },
]

export function isDefaultRole(name: string): boolean {
  return defaultRoles.some((role) => role.name === name)
}

/** Source: contract scopes-and-roles §10.2. */
export function isValidRoleName(name: string): boolean {
  return /^(?=.{3,255}$)[a-z][a-z0-9._~-]*[a-z0-9]$/.test(name)
}

/** What is wrong with the name of a role, or with another content for the role `admin`. */
export function findRoleProblem(role: {
  readonly name: string
  readonly description?: string | undefined
  readonly scopes?: readonly string[] | undefined
}): string | undefined {
  if (!isValidRoleName(role.name)) {
    return (
      `'${role.name}' is no name for a role: 3 to 255 lower-case letters, digits and - _ . ~, ` +
      'first a letter, last a letter or digit'
    )
  }
  const admin = defaultRoles.find(({ name }) => name === 'admin')
  if (role.name !== 'admin' || admin === undefined) return undefined
  const same = (scopes: readonly string[]) => scopes.toSorted().join(' ')
  const changesScopes = role.scopes !== undefined && same(role.scopes) !== same(admin.scopes)
  const changesText = role.description !== undefined && role.description !== admin.description
  if (!changesScopes && !changesText) return undefined
  return "the scopes and the description of the role 'admin' cannot be changed, only its members"
}
