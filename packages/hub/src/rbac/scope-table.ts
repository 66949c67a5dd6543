/** Kinds of filters that have an effect on a scope: user, group, server, service. */
export type FilterKind = 'user' | 'group' | 'server' | 'service'

export interface ScopeDefinition {
  /** For the consent page, the reference and the API description. */
  readonly description: string
  readonly subscopes?: readonly string[]
  /** Filters with effect; any other filter makes the scope useless on its endpoints. */
  readonly filters?: readonly FilterKind[]
}

const people = ['user', 'group'] as const
const servers = ['server', 'user', 'group'] as const
const groups = ['group'] as const
const services = ['service'] as const

/** Every built-in scope. Source: contract scopes-and-roles §2 (JupyterHub 6.0). */
export const scopeTable = {
  '(no_scope)': { description: 'Identify yourself, nothing more' },
  self: { description: "Everything about the user's own resources" },
  inherit: { description: 'Everything that the owner of the token may do' },
  'admin-ui': { description: 'Open the administration page' },
  'admin:users': {
    description: 'Create, change and delete users',
    subscopes: ['admin:auth_state', 'users', 'read:roles:users', 'delete:users'],
    filters: people,
  },
  'admin:auth_state': { description: 'See what the authenticator keeps of users', filters: people },
  users: {
    description: 'Read and list users, report their activity',
    subscopes: ['read:users', 'list:users', 'users:activity'],
    filters: people,
  },
  'delete:users': { description: 'Delete users', filters: people },
  'list:users': { description: 'List users', subscopes: ['read:users:name'], filters: people },
  'read:users': {
    description: 'Read users: names, groups and activity',
    subscopes: ['read:users:name', 'read:users:groups', 'read:users:activity'],
    filters: people,
  },
  'read:users:name': { description: 'Read names of users', filters: people },
  'read:users:groups': { description: 'Read which groups users are in', filters: people },
  'read:users:activity': { description: 'Read when users were last active', filters: people },
  'read:roles': {
    description: 'Read who has which role',
    subscopes: ['read:roles:users', 'read:roles:services', 'read:roles:groups'],
    filters: ['user', 'group', 'service'],
  },
  'read:roles:users': { description: 'Read the roles of users', filters: people },
  'read:roles:services': { description: 'Read the roles of services', filters: services },
  'read:roles:groups': { description: 'Read the roles of groups', filters: groups },
  'users:activity': {
    description: 'Report activity of users',
    subscopes: ['read:users:activity'],
    filters: people,
  },
  'admin:servers': {
    description: 'Start, stop and look into servers',
    subscopes: ['admin:server_state', 'servers'],
    filters: servers,
  },
  'admin:server_state': { description: 'See the internal state of servers', filters: servers },
  servers: {
    description: 'Start and stop servers',
    subscopes: ['read:servers', 'start:servers', 'delete:servers'],
    filters: servers,
  },
  'read:servers': {
    description: 'Read servers and how they are doing',
    subscopes: ['read:users:name'],
    filters: servers,
  },
  'start:servers': { description: 'Create, start and change servers', filters: servers },
  'delete:servers': { description: 'Stop and remove servers', filters: servers },
  tokens: {
    description: 'Issue and revoke tokens of users',
    subscopes: ['read:tokens'],
    filters: people,
  },
  'read:tokens': { description: 'List tokens of users', filters: people },
  'admin:groups': {
    description: 'Create, change and delete groups',
    subscopes: ['groups', 'read:roles:groups', 'delete:groups'],
    filters: groups,
  },
  groups: {
    description: 'Read and list groups, change their members and properties',
    subscopes: ['read:groups', 'list:groups'],
    filters: groups,
  },
  'list:groups': { description: 'List groups', subscopes: ['read:groups:name'], filters: groups },
  'read:groups': { description: 'Read groups', subscopes: ['read:groups:name'], filters: groups },
  'read:groups:name': { description: 'Read names of groups', filters: groups },
  'delete:groups': { description: 'Delete groups', filters: groups },
  'admin:services': {
    description: 'Create and delete services',
    subscopes: ['list:services', 'read:services', 'read:roles:services'],
    filters: services,
  },
  'list:services': {
    description: 'List services',
    subscopes: ['read:services:name'],
    filters: services,
  },
  'read:services': {
    description: 'Read services',
    subscopes: ['read:services:name'],
    filters: services,
  },
  'read:services:name': { description: 'Read names of services', filters: services },
  'read:hub': { description: 'Read details of the hub' },
  'access:servers': { description: 'Use servers', filters: servers },
  'access:services': { description: 'Use services', filters: services },
  'users:shares': {
    description: 'See and drop what is shared with users',
    subscopes: ['read:users:shares'],
    filters: people,
  },
  'read:users:shares': { description: 'See what is shared with users', filters: people },
  'groups:shares': {
    description: 'See and drop what is shared with groups',
    subscopes: ['read:groups:shares'],
    filters: groups,
  },
  'read:groups:shares': { description: 'See what is shared with groups', filters: groups },
  'read:shares': { description: 'See who has access to servers', filters: servers },
  shares: {
    description: 'Give others access to servers, and take it back',
    subscopes: ['access:servers', 'read:shares', 'users:shares', 'groups:shares'],
    filters: servers,
  },
  proxy: { description: 'Read and change the routing table' },
  shutdown: { description: 'Stop the hub' },
  'read:metrics': {
    description: 'Read metrics',
    filters: ['user', 'group', 'server', 'service'],
  },
} as const satisfies Readonly<Record<string, ScopeDefinition>>

export type BuiltInScope = keyof typeof scopeTable

export function findBuiltIn(base: string): ScopeDefinition | undefined {
  return Object.hasOwn(scopeTable, base) ? scopeTable[base as BuiltInScope] : undefined
}
