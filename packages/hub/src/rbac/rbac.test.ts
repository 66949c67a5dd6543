import { describe, expect, test } from 'vitest'
import { noCustomScopes, parseCustomScopes } from './custom-scopes.ts'
import { decide, type Resource, selectGroups, selectUsers } from './decide.ts'
import { expandScopes, identifyScopes, isScope, type ScopeClient } from './expand.ts'
import { intersectScopes } from './intersect.ts'
import { resolveScopes } from './resolve.ts'
import { defaultRoles, isValidRoleName } from './roles.ts'
import { toScopeStrings } from './scope-set.ts'
import { type ScopeDefinition, scopeTable } from './scope-table.ts'

const customScopes = noCustomScopes
const memberships: Record<string, string[]> = { alice: ['g1'], bob: ['g1'], carol: ['g2'] }
const groupsOf = (user: string) => new Set(memberships[user] ?? [])
const expandFor = (name: string, raw: string[], client?: ScopeClient) =>
  expandScopes(raw, { owner: { kind: 'user', name }, client, customScopes })
const own: ScopeClient = { kind: 'server', user: 'own', server: '' }

const user = (name: string): Resource => ({ kind: 'user', user: name })
const server = (owner: string, name: string): Resource => ({
  kind: 'server',
  user: owner,
  server: name,
})
const group = (name: string): Resource => ({ kind: 'group', group: name })
const readUser = [
  'read:users',
  'read:users:name',
  'read:servers',
  'read:users:groups',
  'read:users:activity',
  'read:roles:users',
]

// Source of the numbers: contract scopes-and-roles §12.1.
test.each<[number, string[], string[], Resource | undefined, string]>([
  [1, [], readUser, user('bob'), 'denied'],
  [2, ['self'], readUser, user('bob'), 'hidden'],
  [3, ['self'], readUser, user('me'), 'allowed'],
  [4, ['read:users!group=g1'], readUser, user('bob'), 'allowed'],
  [5, ['read:users!group=g1'], readUser, user('carol'), 'hidden'],
  [6, ['read:users!group=g1'], readUser, user('nobody'), 'hidden'],
  [7, ['read:users'], readUser, user('nobody'), 'allowed'],
  [8, ['read:users!server=bob/'], readUser, user('bob'), 'denied'],
  [9, ['list:users!user=bob'], readUser, user('bob'), 'allowed'],
  [10, ['users:activity!user=bob'], readUser, user('bob'), 'allowed'],
  [11, ['read:roles'], readUser, user('bob'), 'allowed'],
  [12, ['admin:auth_state'], readUser, user('bob'), 'denied'],
  [14, ['admin:servers'], readUser, user('bob'), 'allowed'],
  [15, ['read:servers!server=bob/n1'], readUser, user('bob'), 'hidden'],
  [15, ['read:servers!server=bob/n1'], ['read:servers'], server('bob', 'n1'), 'allowed'],
  [16, ['read:users!user=bob', 'read:servers!server=bob/n1'], readUser, user('bob'), 'allowed'],
  [27, ['admin:users!group=g1'], ['admin:users'], user('bob'), 'allowed'],
  [28, ['admin:users!group=g1'], ['admin:users'], user('new'), 'hidden'],
  [29, ['admin:users!user=new'], ['admin:users'], user('new'), 'allowed'],
  [30, ['admin:users!user=new'], ['admin:users'], undefined, 'denied'],
  [31, ['admin:groups!group=g3'], ['admin:groups'], undefined, 'denied'],
  [31, ['admin:groups!group=g3'], ['admin:groups'], group('g3'), 'allowed'],
  [33, ['users'], ['delete:users'], user('carol'), 'denied'],
  [34, ['servers!group=g1'], ['start:servers'], server('alice', ''), 'allowed'],
  [35, ['start:servers!server=alice/n2'], ['start:servers'], server('alice', 'n2'), 'allowed'],
  [35, ['start:servers!server=alice/n2'], ['start:servers'], server('alice', 'n3'), 'hidden'],
  [36, ['read:servers!server=alice'], ['read:servers'], server('alice', ''), 'hidden'],
  [37, ['read:servers!server=alice/'], ['delete:servers'], server('alice', ''), 'denied'],
  [38, ['servers!server=alice/x'], ['delete:servers'], server('alice', ''), 'hidden'],
  [39, ['start:servers'], ['read:servers'], server('alice', ''), 'denied'],
  [40, ['users:activity!server=bob/'], ['users:activity'], user('bob'), 'hidden'],
  [45, ['self'], ['read:groups', 'read:groups:name', 'read:roles:groups'], group('g1'), 'denied'],
  [46, ['read:groups!user=bob'], ['read:groups'], group('g1'), 'hidden'],
  [47, ['read:hub!user=x'], ['read:hub'], undefined, 'denied'],
  [48, ['tokens!group=g1'], ['tokens'], user('bob'), 'allowed'],
  [49, ['tokens!group=g1'], ['tokens'], user('carol'), 'hidden'],
  [50, ['tokens!server=bob/'], ['tokens'], user('bob'), 'hidden'],
  [51, ['read:shares!server=bob/'], ['read:shares'], server('bob', ''), 'allowed'],
  [51, ['read:shares!server=bob/'], ['read:shares'], user('bob'), 'hidden'],
  [52, ['self'], ['shares'], server('me', ''), 'denied'],
  [53, ['self', 'shares!user'], ['shares'], server('me', ''), 'allowed'],
  [53, ['self', 'shares!user'], ['read:users:name'], user('bob'), 'hidden'],
  [56, ['self', 'access:servers!server=own/'], ['read:servers'], server('own', ''), 'hidden'],
])('request %i: holding %j, any of %j on %j is %s', (_number, holds, anyOf, resource, outcome) => {
  expect(decide(expandFor('me', holds), anyOf, { resource, groupsOf })).toBe(outcome)
})

test.each<[number, string[], ReturnType<typeof selectUsers>]>([
  [18, ['read:users'], { kind: 'denied' }],
  [19, ['list:users!group=g1'], { kind: 'some', users: [], groups: ['g1'] }],
  [
    20,
    ['list:users!group=g1', 'list:users!user=dave'],
    { kind: 'some', users: ['dave'], groups: ['g1'] },
  ],
  [21, ['list:users!user=ghost'], { kind: 'some', users: ['ghost'], groups: [] }],
  [22, ['list:users!server=bob/'], { kind: 'denied' }],
  [23, ['list:users!group=g1', 'list:users!server=bob/'], { kind: 'denied' }],
  [24, ['list:users', 'read:users!group=g1'], { kind: 'all' }],
])('list %i: %j', (_number, holds, selection) => {
  expect(selectUsers(expandFor('me', holds))).toEqual(selection)
})

test('groups are selected by group filters only', () => {
  expect(selectGroups(expandFor('me', ['list:groups!group=g1']))).toMatchObject({ groups: ['g1'] })
  expect(selectGroups(expandFor('me', ['list:groups!user=x']))).toEqual({ kind: 'denied' })
})

describe('expansion (§12.2)', () => {
  const closure = (base: string, filter = '') =>
    toScopeStrings(expandFor('bob', [`${base}${filter}`]))

  test('57: what is unfiltered swallows what is filtered', () => {
    expect(toScopeStrings(expandFor('bob', ['users', 'users!user=x']))).toEqual(closure('users'))
  })
  test('58: a bare user filter is the owner', () => {
    const scopes = closure('admin:servers', '!user')
    expect(scopes).toHaveLength(7)
    expect(scopes).toContain('read:users:name!user=bob')
  })
  test('59: a server filter drops what only users have', () => {
    const scopes = closure('admin:servers', '!server=bob/')
    expect(scopes).toHaveLength(6)
    expect(scopes).not.toContain('read:users:name!server=bob/')
  })
  test('60, 61: a bare service filter needs a service', () => {
    expect(closure('access:services', '!service')).toEqual([])
    const owner = { kind: 'service', name: 's5' } as const
    const scopes = expandScopes(['access:services!service'], { owner, customScopes })
    expect(toScopeStrings(scopes)).toEqual(['access:services!service=s5'])
  })
  test('62: a bare server filter needs a client', () => {
    expect(closure('access:servers', '!server')).toEqual([])
    const client = { kind: 'server', user: 'own', server: 'n' } as const
    expect(toScopeStrings(expandFor('bob', ['access:servers!server'], client))).toEqual([
      'access:servers!server=own/n',
    ])
  })
  test('63: self means nothing to a service', () => {
    const owner = { kind: 'service', name: 's' } as const
    expect(expandScopes(['self'], { owner, customScopes }).size).toBe(0)
  })
  test.each(['self!user=carol', 'self!server=bob/x', 'inherit!user=x', 'custom:gone', 'nonsense'])(
    '%s gives nothing',
    (raw) => {
      expect(toScopeStrings(expandFor('bob', [raw]))).toEqual([])
    },
  )
  test('self has 15 scopes, the role admin 45', () => {
    expect(closure('self')).toHaveLength(15)
    const admin = defaultRoles.find((role) => role.name === 'admin')
    expect(expandScopes(admin?.scopes ?? [], { customScopes }).size).toBe(45)
  })
})

test('there are 48 scopes, every sub-scope is one, and roles hold only such', () => {
  const names = Object.keys(scopeTable)
  expect(names).toHaveLength(48)
  for (const scope of Object.values<ScopeDefinition>(scopeTable)) {
    for (const subscope of scope.subscopes ?? []) expect(names).toContain(subscope)
  }
  for (const role of defaultRoles) {
    for (const scope of role.scopes)
      expect([scope, isScope(scope, customScopes)]).toEqual([scope, true])
  }
})

// Source: contract scopes-and-roles §2, "Full closures".
test.each([
  ['admin:users', 10],
  ['users', 6],
  ['admin:servers', 6],
  ['servers', 4],
  ['admin:groups', 6],
  ['groups', 3],
  ['admin:services', 4],
  ['shares', 6],
  ['read:roles', 3],
])('%s includes %i others', (base, count) => {
  expect(expandScopes([base], { customScopes }).size).toBe(count + 1)
})

test.each([
  ['admin:users', 'tokens'],
  ['admin:servers', 'access:servers'],
  ['read:users', 'read:roles:users'],
  ['read:users', 'list:users'],
  ['list:users', 'read:users:groups'],
  ['shares', 'servers'],
  ['self', 'list:users'],
  ['self', 'shares'],
  ['self', 'admin:server_state'],
])('%s does not imply %s', (bigger, other) => {
  expect(expandFor('bob', [bigger]).has(other)).toBe(false)
})

test.each([
  ['servers!server=a/x', 4],
  ['read:users!server=a/x', 0],
  ['users!server=a/x', 3],
  ['shares!server=a/x', 6],
])('%s expands to %i scopes, all with the filter', (raw, count) => {
  const texts = toScopeStrings(expandFor('bob', [raw]))
  expect(texts).toHaveLength(count)
  expect(texts.every((text) => text.endsWith('!server=a/x'))).toBe(true)
})

describe('tokens against their owner (§12.3)', () => {
  const owner = { kind: 'user', name: 'o' } as const
  const effective = (ownerRaw: string[], tokenRaw: string[], client?: ScopeClient) => {
    const held = expandFor('o', ownerRaw)
    if (tokenRaw.includes('inherit')) return toScopeStrings(held)
    const access = client === undefined ? [] : ['access:servers!server']
    const wanted = expandFor('o', [...tokenRaw, ...identifyScopes(owner), ...access], client)
    return toScopeStrings(intersectScopes(wanted, held, groupsOf))
  }
  const bobServer = ['delete:', 'read:', 'start:', ''].map((kind) => `${kind}servers!server=bob/n1`)
  const readUsers = (filter: string) =>
    ['', ':activity', ':groups', ':name'].map((part) => `read:users${part}${filter}`).toSorted()

  test.each<[number, string[], string[], string[]]>([
    [64, ['users'], ['read:users:name'], ['read:users:groups!user=o', 'read:users:name']],
    [65, ['read:users:name'], ['users'], ['read:users:name']],
    [66, ['users!group=g1'], ['read:users!user=bob'], readUsers('!user=bob')],
    [67, ['users!group=g1'], ['read:users!user=carol'], []],
    [68, ['read:users!user=bob'], ['users!group=g1'], readUsers('!user=bob')],
    [69, ['servers!user=bob'], ['servers!server=bob/n1'], bobServer.toSorted()],
    [70, ['servers!server=bob/n1'], ['servers!user=bob'], bobServer.toSorted()],
    [71, ['servers!group=g1'], ['servers!server=bob/n1'], bobServer.toSorted()],
    [
      72,
      ['read:users!group=g1', 'read:users!user=carol'],
      ['read:users!group=g2', 'read:users!user=carol'],
      readUsers('!user=carol'),
    ],
    [
      73,
      ['list:users!group=g1'],
      ['list:users!user=bob'],
      ['list:users!user=bob', 'read:users:name!user=bob'],
    ],
    [74, ['read:users'], ['inherit', 'list:users'], readUsers('')],
    [75, ['self'], [], ['read:users:groups!user=o', 'read:users:name!user=o']],
    [77, [], ['inherit'], []],
  ])('%i: owner %j, token %j', (_number, ownerRaw, tokenRaw, expected) => {
    expect(effective(ownerRaw, tokenRaw)).toEqual(expected)
  })
  test('76: self against self is everything of the own', () => {
    expect(effective(['self'], ['self'])).toHaveLength(15)
  })
  test('78: a shared server can be entered with a token of its client', () => {
    const shared = ['self', 'access:servers!server=own/']
    expect(effective(shared, [], own)).toContain('access:servers!server=own/')
    expect(effective(['self'], [], own)).not.toContain('access:servers!server=own/')
  })
})

// Source of the numbers: contract scopes-and-roles §12.4.
test.each<[number, string[], string[], string[], string[], ScopeClient | undefined]>([
  [80, ['access:servers!server'], ['access:servers!user=own'], ['access:servers!server'], [], own],
  [81, ['read:users!user'], ['self'], ['read:users!user'], [], undefined],
  [
    82,
    ['self'],
    ['read:users!user', 'read:servers!user'],
    [
      'read:servers!user=bob',
      'read:users!user=bob',
      'read:users:activity!user=bob',
      'read:users:groups!user=bob',
      'read:users:name!user=bob',
    ],
    ['self'],
    undefined,
  ],
  [83, ['users'], ['read:users:name'], ['read:users:name'], ['users'], undefined],
  [
    84,
    ['list:users'],
    ['list:users!group=g1'],
    ['list:users!group=g1', 'read:users:name!group=g1'],
    ['list:users'],
    undefined,
  ],
  [85, ['read:users'], ['inherit'], [], ['read:users'], undefined],
])('resolve %i: %j of %j', (_number, requested, have, allowed, refused, client) => {
  const context = { owner: { kind: 'user', name: 'bob' } as const, client, customScopes }
  const result = resolveScopes({ requested, have, context, groupsOf })
  expect(result.allowed.toSorted()).toEqual(allowed.toSorted())
  expect(result.refused).toEqual(refused)
})

test.each([
  '!user',
  'read:users!',
  'read:users!user=',
  'read:users!group',
  'read:users!x=y',
  'all',
])('%s is no scope', (text) => {
  expect(isScope(text, customScopes)).toBe(false)
})

test.each(['custom:ab', 'custom:-abc', 'custom:abc-', 'read:abc'])(
  '%s names no custom scope',
  (name) => {
    expect(() => parseCustomScopes({ [name]: { description: 'x' } })).toThrow(TypeError)
  },
)

test('custom scopes include what they say', () => {
  const custom = parseCustomScopes({
    'custom:abc': { description: 'x', subscopes: ['custom:abc:read'] },
    'custom:abc:read': { description: 'y' },
  })
  const set = expandScopes(['custom:abc!user=ada'], { customScopes: custom })
  expect(toScopeStrings(set)).toEqual(['custom:abc!user=ada', 'custom:abc:read!user=ada'])
})

test.each([
  ['ab', false],
  ['abc', true],
  ['a.b~c_d-e', true],
  ['1ab', false],
  ['abc-', false],
  ['Abc', false],
])('role name %s: %s', (name, valid) => {
  expect(isValidRoleName(name)).toBe(valid)
})
