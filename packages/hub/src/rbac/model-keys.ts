import { hasScope, type Resource } from './decide.ts'
import type { GroupsOf, ScopeSet } from './scope-set.ts'

const anyUserScope = [
  'read:users',
  'read:users:name',
  'read:users:groups',
  'read:users:activity',
  'read:roles:users',
  'read:servers',
  'admin:auth_state',
] as const

/**
 * Which keys of a user's wire model any one of which scopes reveals.
 * Source: contract rest-api §6.1.
 */
export const userModelKeys = {
  kind: anyUserScope,
  name: anyUserScope,
  admin: ['read:users', 'read:users:name', 'read:roles:users'],
  disabled: ['read:users', 'read:users:name', 'read:roles:users'],
  user_info: ['read:users', 'read:users:name'],
  roles: ['read:users', 'read:roles:users'],
  groups: ['read:users', 'read:users:groups'],
  server: ['read:users'],
  pending: ['read:users'],
  created: ['read:users'],
  last_activity: ['read:users', 'read:users:activity'],
  auth_state: ['admin:auth_state'],
  servers: ['read:servers'],
} as const satisfies Readonly<Record<string, readonly string[]>>

export type UserModelKey = keyof typeof userModelKeys

const keyNames = Object.keys(userModelKeys) as UserModelKey[]

/** Keys of this user's model that the caller may see; none means the user is not to be shown. */
export function visibleUserKeys(
  set: ScopeSet,
  options: { username: string; groupsOf: GroupsOf },
): ReadonlySet<UserModelKey> {
  const resource: Resource = { kind: 'user', user: options.username }
  const held = new Map(
    anyUserScope.map((scope): [string, boolean] => [
      scope,
      hasScope(set, scope, { resource, groupsOf: options.groupsOf }),
    ]),
  )
  return new Set(
    keyNames.filter((key) => userModelKeys[key].some((scope) => held.get(scope) === true)),
  )
}

/** Whether every user looks the same to a holder of these scopes. */
export function isUnfiltered(set: ScopeSet): boolean {
  return anyUserScope.every((scope) => {
    const held = set.get(scope)
    return held === undefined || held === 'all'
  })
}

const anyGroupScope = ['read:groups', 'read:groups:name', 'read:roles:groups'] as const

/** Source: contract rest-api §6.4. */
export const groupModelKeys = {
  kind: anyGroupScope,
  name: anyGroupScope,
  users: ['read:groups'],
  properties: ['read:groups'],
  roles: ['read:roles:groups'],
} as const satisfies Readonly<Record<string, readonly string[]>>

export type GroupModelKey = keyof typeof groupModelKeys

/** Keys of a group's model that the caller may see. */
export function visibleGroupKeys(
  set: ScopeSet,
  options: { group: string; groupsOf: GroupsOf },
): ReadonlySet<GroupModelKey> {
  const resource: Resource = { kind: 'group', group: options.group }
  return visibleKeys(groupModelKeys, (scope) =>
    hasScope(set, scope, { resource, groupsOf: options.groupsOf }),
  )
}

const anyServiceScope = ['read:services', 'read:services:name', 'read:roles:services'] as const

/** Source: contract rest-api §6.5. */
export const serviceModelKeys = {
  kind: anyServiceScope,
  name: anyServiceScope,
  admin: anyServiceScope,
  url: ['read:services'],
  prefix: ['read:services'],
  command: ['read:services'],
  pid: ['read:services'],
  info: ['read:services'],
  display: ['read:services'],
  roles: ['read:roles:services'],
} as const satisfies Readonly<Record<string, readonly string[]>>

export type ServiceModelKey = keyof typeof serviceModelKeys

/** Keys of a service's model that the caller may see. */
export function visibleServiceKeys(
  set: ScopeSet,
  options: { service: string; groupsOf: GroupsOf },
): ReadonlySet<ServiceModelKey> {
  const resource: Resource = { kind: 'service', service: options.service }
  return visibleKeys(serviceModelKeys, (scope) =>
    hasScope(set, scope, { resource, groupsOf: options.groupsOf }),
  )
}

function visibleKeys<Key extends string>(
  table: Readonly<Record<Key, readonly string[]>>,
  isHeld: (scope: string) => boolean,
): ReadonlySet<Key> {
  const keys = Object.keys(table) as Key[]
  return new Set(keys.filter((key) => table[key].some(isHeld)))
}
