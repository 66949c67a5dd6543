import type { Credential } from '../model.ts'

/** Who is in the configuration of both hubs. Tokens are long enough to be trusted as they are. */
export interface Principal {
  readonly kind: 'user' | 'service'
  readonly token: string
  /** Scopes of a role of its own. */
  readonly scopes?: readonly string[]
}

const user = (name: string, scopes?: readonly string[]): readonly [string, Principal] => [
  name,
  { kind: 'user', token: `token-of-${name}-0123456789abcdef`, ...(scopes && { scopes }) },
]
const service = (name: string, scopes?: readonly string[]): readonly [string, Principal] => [
  name,
  { kind: 'service', token: `token-of-${name}-0123456789abcdef`, ...(scopes && { scopes }) },
]

/** Raw scopes that are tried one by one, each by a service with a role of just these. */
export const scopeServices = {
  'reads-g1': ['read:users!group=g1'],
  'reads-users': ['read:users'],
  'reads-server-filter': ['read:users!server=bo/'],
  'lists-bo': ['list:users!user=bo'],
  'acts-bo': ['users:activity!user=bo'],
  'reads-roles': ['read:roles'],
  'reads-auth-state': ['admin:auth_state'],
  'reads-name-and-state': ['read:users:name', 'admin:auth_state'],
  'admins-servers': ['admin:servers'],
  'reads-bo-n1': ['read:servers!server=bo/n1'],
  'reads-bo-and-n1': ['read:users!user=bo', 'read:servers!server=bo/n1'],
  'lists-g1': ['list:users!group=g1'],
  'lists-g1-dave': ['list:users!group=g1', 'list:users!user=dave'],
  'lists-ghost': ['list:users!user=ghost'],
  'lists-by-server': ['list:users!server=bo/'],
  'lists-mixed': ['list:users!group=g1', 'list:users!server=bo/'],
  'lists-reads-g1': ['list:users', 'read:users!group=g1'],
  'lists-activity-groups': ['list:users', 'read:users:activity', 'read:users:groups'],
  'lists-ana-reads-bo': ['list:users!user=ana', 'read:users!user=bo'],
  'edits-g1': ['admin:users!group=g1'],
  'makes-new': ['admin:users!user=brand-new'],
  'admins-users': ['admin:users'],
  'edits-users': ['users'],
  'servers-g1': ['servers!group=g1'],
  'starts-ana-n2': ['start:servers!server=ana/n2'],
  'reads-ana-no-slash': ['read:servers!server=ana'],
  'reads-ana-default': ['read:servers!server=ana/'],
  'servers-ana-x': ['servers!server=ana/x'],
  'starts-servers': ['start:servers'],
  'acts-by-server': ['users:activity!server=bo/'],
  'makes-g3': ['admin:groups!group=g3'],
  'groups-g1': ['list:groups!group=g1'],
  'groups-by-user': ['list:groups!user=x'],
  'services-by-user': ['list:services!user=x'],
  'groups-of-bo': ['read:groups!user=bo'],
  'info-by-user': ['read:hub!user=x'],
  'tokens-g1': ['tokens!group=g1', 'read:tokens!group=g1'],
  'tokens-by-server': ['tokens!server=bo/'],
  'shares-bo-default': ['read:shares!server=bo/'],
  'no-scopes': [],
  'custom-reader': ['custom:library:read'],
  'metrics-reader': ['read:metrics'],
} as const satisfies Record<string, readonly string[]>

/** Users that the configuration brings; everybody may also sign in with the password. */
export const users = ['ana', 'bo', 'cy', 'dave', 'eve', 'sharer'] as const
export const password = 'open sesame'
export const groups: Readonly<Record<string, readonly string[]>> = {
  g1: ['ana', 'bo'],
  g2: ['cy'],
}

export const principals: ReadonlyMap<string, Principal> = new Map([
  user('admin'),
  ...users.map((name) => user(name)),
  service('robot', ['admin-ui', 'read:hub']),
  service('boss'),
  ...Object.entries(scopeServices).map(([name, scopes]) => service(name, scopes)),
])

/** The `Authorization` header of a principal of the configuration; `undefined` for anybody else. */
export function configuredToken(credential: Credential): string | undefined {
  return principals.get(credential)?.token
}
