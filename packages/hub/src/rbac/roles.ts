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
