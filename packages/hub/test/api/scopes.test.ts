import { afterEach, expect, it } from 'vitest'
import { parseCustomScopes } from '../../src/rbac/custom-scopes.ts'
import { findUser, updateUser } from '../../src/storage/users.ts'
import { describeStores } from '../support/stores.ts'
import { anyText, ApiHub } from './api-hub.ts'

/** Keys of the body: of the object, or of each item of the list. */
type Expected =
  | { readonly status: number }
  | { readonly status: 200; readonly keys: string }
  | { readonly status: 200; readonly names: string }

interface Example {
  /** Number in the contract's table. */
  readonly n: number
  readonly holds: string
  readonly request: string
  readonly body?: unknown
  readonly expected: Expected
}

const s = (status: number): Expected => ({ status })
const keys = (text: string): Expected => ({ status: 200, keys: text })
const names = (text: string): Expected => ({ status: 200, names: text })

/** Source: contract scopes-and-roles §12.1. */
const examples: readonly Example[] = [
  { n: 1, holds: '', request: 'GET /users/bob', expected: s(403) },
  { n: 2, holds: 'self', request: 'GET /users/bob', expected: s(404) },
  {
    n: 3,
    holds: 'self',
    request: 'GET /users/me',
    expected: keys(
      'admin created groups kind last_activity name pending roles server servers user_info',
    ),
  },
  {
    n: 4,
    holds: 'read:users!group=g1',
    request: 'GET /users/bob',
    expected: keys('admin created groups kind last_activity name pending roles server user_info'),
  },
  { n: 5, holds: 'read:users!group=g1', request: 'GET /users/carol', expected: s(404) },
  { n: 6, holds: 'read:users!group=g1', request: 'GET /users/nobody', expected: s(404) },
  { n: 7, holds: 'read:users', request: 'GET /users/nobody', expected: s(404) },
  { n: 8, holds: 'read:users!server=bob/', request: 'GET /users/bob', expected: s(403) },
  {
    n: 9,
    holds: 'list:users!user=bob',
    request: 'GET /users/bob',
    expected: keys('admin kind name user_info'),
  },
  {
    n: 10,
    holds: 'users:activity!user=bob',
    request: 'GET /users/bob',
    expected: keys('kind last_activity name'),
  },
  {
    n: 11,
    holds: 'read:roles',
    request: 'GET /users/bob',
    expected: keys('admin kind name roles'),
  },
  { n: 12, holds: 'admin:auth_state', request: 'GET /users/bob', expected: s(403) },
  {
    n: 13,
    holds: 'read:users:name admin:auth_state',
    request: 'GET /users/bob',
    expected: keys('admin auth_state kind name user_info'),
  },
  {
    n: 14,
    holds: 'admin:servers',
    request: 'GET /users/bob',
    expected: keys('admin kind name servers user_info'),
  },
  { n: 15, holds: 'read:servers!server=bob/n1', request: 'GET /users/bob', expected: s(404) },
  {
    n: 17,
    holds: 'read:users!user=bob read:servers!server=bob/n1',
    request: 'GET /users/bob',
    expected: keys('admin created groups kind last_activity name pending roles server user_info'),
  },
  { n: 18, holds: 'read:users', request: 'GET /users', expected: s(403) },
  { n: 19, holds: 'list:users!group=g1', request: 'GET /users', expected: names('alice bob') },
  {
    n: 20,
    holds: 'list:users!group=g1 list:users!user=dave',
    request: 'GET /users',
    expected: names('alice bob dave'),
  },
  { n: 21, holds: 'list:users!user=ghost', request: 'GET /users', expected: names('') },
  { n: 22, holds: 'list:users!server=bob/', request: 'GET /users', expected: s(403) },
  {
    n: 23,
    holds: 'list:users!group=g1 list:users!server=bob/',
    request: 'GET /users',
    expected: s(403),
  },
  {
    n: 31,
    holds: 'admin:groups!group=g3',
    request: 'POST /groups',
    body: { groups: ['g3'] },
    expected: s(403),
  },
  { n: 31, holds: 'admin:groups!group=g3', request: 'POST /groups/g3', expected: s(201) },
  { n: 42, holds: 'list:groups!group=g1', request: 'GET /groups', expected: names('g1') },
  { n: 43, holds: 'list:groups!user=x', request: 'GET /groups', expected: s(403) },
  { n: 44, holds: 'list:services!user=x', request: 'GET /services', expected: keys('') },
  { n: 45, holds: 'self', request: 'GET /groups/g1', expected: s(403) },
  { n: 46, holds: 'read:groups!user=bob', request: 'GET /groups/g1', expected: s(404) },
  {
    n: 26,
    holds: 'list:users!user=alice read:users!user=bob',
    request: 'GET /users',
    expected: names('alice'),
  },
  {
    n: 27,
    holds: 'admin:users!group=g1',
    request: 'PATCH /users/bob',
    body: {},
    expected: s(200),
  },
  { n: 28, holds: 'admin:users!group=g1', request: 'POST /users/new', expected: s(404) },
  { n: 29, holds: 'admin:users!user=new', request: 'POST /users/new', expected: s(201) },
  {
    n: 30,
    holds: 'admin:users!user=new',
    request: 'POST /users',
    body: { usernames: ['new'] },
    expected: s(403),
  },
  { n: 33, holds: 'users', request: 'DELETE /users/carol', expected: s(403) },
  { n: 34, holds: 'servers!group=g1', request: 'POST /users/alice/server', expected: s(201) },
  {
    n: 35,
    holds: 'start:servers!server=alice/n2',
    request: 'PUT /users/alice/servers/n2',
    expected: s(201),
  },
  {
    n: 36,
    holds: 'read:servers!server=alice',
    request: 'GET /users/alice/server',
    expected: s(404),
  },
  {
    n: 37,
    holds: 'read:servers!server=alice/',
    request: 'DELETE /users/alice/server',
    expected: s(403),
  },
  {
    n: 38,
    holds: 'servers!server=alice/x',
    request: 'DELETE /users/alice/server',
    expected: s(404),
  },
  { n: 39, holds: 'start:servers', request: 'GET /users/bob/server/progress', expected: s(403) },
  {
    n: 40,
    holds: 'users:activity!server=bob/',
    request: 'POST /users/bob/activity',
    body: { last_activity: '2026-01-01T00:00:00Z' },
    expected: s(404),
  },
  { n: 47, holds: 'read:hub!user=x', request: 'GET /info', expected: s(403) },
  { n: 48, holds: 'tokens!group=g1', request: 'POST /users/bob/tokens', expected: s(201) },
  { n: 49, holds: 'tokens!group=g1', request: 'POST /users/carol/tokens', expected: s(403) },
  { n: 49, holds: 'tokens!group=g1', request: 'GET /users/carol/tokens', expected: s(404) },
  { n: 50, holds: 'tokens!server=bob/', request: 'POST /users/bob/tokens', expected: s(403) },
  { n: 51, holds: 'read:shares!server=bob/', request: 'GET /shares/bob/', expected: s(200) },
  { n: 51, holds: 'read:shares!server=bob/', request: 'GET /shares/bob', expected: s(404) },
  {
    n: 51,
    holds: 'read:shares!server=bob/None',
    request: 'GET /shares/bob',
    expected: s(404),
  },
  {
    n: 52,
    holds: 'self',
    request: 'POST /shares/me/',
    body: { user: 'bob' },
    expected: s(403),
  },
  {
    n: 53,
    holds: 'self shares!user',
    request: 'POST /shares/me/',
    body: { user: 'bob' },
    expected: s(403),
  },
  {
    n: 54,
    holds: 'self shares!user read:users:name!user=bob',
    request: 'POST /shares/me/',
    body: { user: 'bob' },
    expected: s(200),
  },
  {
    n: 55,
    holds: 'self shares!user read:users:name!user=bob',
    request: 'POST /shares/me/',
    body: { user: 'bob', scopes: ['admin:servers'] },
    expected: s(403),
  },
  {
    n: 55,
    holds: 'self shares!user read:users:name!user=bob',
    request: 'POST /shares/me/',
    body: { user: 'bob', scopes: ['start:servers'] },
    expected: s(200),
  },
]

describeStores('worked examples of the scopes', (open) => {
  let hub: ApiHub
  afterEach(() => hub.close())

  it('gives every documented outcome', async () => {
    hub = await ApiHub.start(await open())
    await hub.addPeople()
    for (const example of examples) {
      const { n, holds, request, body, expected } = example
      const call = await hub.callerWith(holds === '' ? [] : holds.split(' '))
      const answer = await call(request, body)
      const label = `${n}: ${holds}: ${request}`
      expect([label, answer.statusCode, answer.body]).toEqual([label, expected.status, anyText])
      if ('keys' in expected) {
        expect([label, Object.keys(answer.json<object>()).toSorted().join(' ')]).toEqual([
          label,
          expected.keys,
        ])
      }
      if ('names' in expected) {
        const listed = answer.json<{ name: string }[]>().map(({ name }) => name)
        expect([label, listed.join(' ')]).toEqual([label, expected.names])
      }
    }
  })

  it('shows different keys for different users of one list', async () => {
    hub = await ApiHub.start(await open())
    await hub.addPeople()
    const call = await hub.callerWith(['list:users', 'read:users!group=g1'])
    const users = (await call('GET /users')).json<{ name: string }[]>()
    const full = users.filter((user) => 'created' in user).map(({ name }) => name)
    expect(full).toEqual(['alice', 'bob'])
    expect(users).toHaveLength(5)
  })

  it('hides the scope that is missing for the renamed server', async () => {
    hub = await ApiHub.start(await open())
    await hub.addPeople()
    const call = await hub.callerWith(['start:servers!server=alice/n2'])
    expect((await call('PUT /users/alice/servers/n2')).statusCode).toBe(201)
    expect((await call('PATCH /users/alice/servers/n2', { name: 'n3' })).statusCode).toBe(200)
    expect((await call('PATCH /users/alice/servers/n3', { name: 'n4' })).statusCode).toBe(404)
  })

  it('16, 25, 32, 41, 56: what takes more than a request', async () => {
    hub = await ApiHub.start(await open())
    await hub.addPeople()
    const root = await hub.callerWith(['admin:servers', 'admin:users'], 'root')
    await root('POST /users/bob/servers/n1')
    const narrow = await hub.callerWith(['read:users!user=bob', 'read:servers!server=bob/n1'])
    const bob = (await narrow('GET /users/bob')).json<{ servers: object }>()
    expect(Object.keys(bob.servers)).toEqual(['n1'])
    // Not copied from JupyterHub 6.0: a server filter without owner reveals nothing of anybody.
    const quirk = await hub.callerWith([
      'read:users',
      'read:servers',
      'admin:server_state!server=n1',
    ])
    const shown = (await quirk('GET /users/bob')).json<{ servers: { n1: object } }>()
    expect(shown.servers.n1).not.toHaveProperty('state')

    const lister = await hub.callerWith(['list:users', 'read:users:activity', 'read:users:groups'])
    for (const user of (await lister('GET /users')).json<object[]>()) {
      const shownKeys = Object.keys(user).toSorted().join(' ')
      expect(shownKeys).toBe('admin groups kind last_activity name user_info')
    }

    await hub.store.write(async (tx) => {
      const carol = await findUser(tx.db, 'carol')
      if (carol !== undefined) await updateUser(tx, carol, { admin: true })
    })
    expect((await root('PATCH /users/carol', {})).statusCode).toBe(403)

    const server = await hub.callerWith(['users:activity!user', 'access:servers!server'], 'bob')
    const report = { last_activity: '2026-01-01T00:00:00Z' }
    const outcomes = [
      await server('POST /users/bob/activity', report),
      await server('POST /users/alice/activity', report),
      await server('GET /users'),
    ]
    expect(outcomes.map(({ statusCode }) => statusCode)).toEqual([200, 404, 403])

    const sharer = await hub.callerWith(['shares', 'read:users:name'], 'sharer')
    await sharer('POST /shares/alice/', { user: 'dave' })
    const dave = await hub.callerWith(['self'], 'dave')
    expect((await dave('GET /users/alice/server')).statusCode).toBe(404)
  })

  it('uses custom scopes in roles, tokens and what callers learn of themselves', async () => {
    const customScopes = parseCustomScopes({
      'custom:grades': { description: 'Grades', subscopes: ['custom:grades:read'] },
      'custom:grades:read': { description: 'Read grades' },
    })
    hub = await ApiHub.start(await open(), { customScopes })
    await hub.addPeople()
    const call = await hub.callerWith(['self', 'custom:grades!group=g1'])
    const custom = async (who: typeof call) =>
      (await who('GET /user'))
        .json<{ scopes: string[] }>()
        .scopes.filter((scope) => scope.startsWith('custom:'))
    expect(await custom(call)).toEqual(['custom:grades!group=g1', 'custom:grades:read!group=g1'])
    const made = await call('POST /users/me/tokens', { scopes: ['custom:grades:read!user=bob'] })
    expect(made.statusCode).toBe(201)
    const narrowed = hub.withToken(made.json<{ token: string }>().token)
    expect(await custom(narrowed)).toEqual(['custom:grades:read!user=bob'])
    for (const scope of ['custom:grades!user=carol', 'custom:grades', 'custom:nothing']) {
      const refused = await call('POST /users/me/tokens', { scopes: [scope] })
      expect([scope, refused.statusCode]).toEqual([scope, 400])
    }
  })

  it('refuses a caller without admin flag who edits or makes an administrator', async () => {
    hub = await ApiHub.start(await open())
    await hub.addPeople()
    const call = await hub.callerWith(['admin:users'])
    expect((await call('PATCH /users/bob', { admin: true })).statusCode).toBe(403)
    expect((await call('POST /users/eve', { admin: true })).statusCode).toBe(403)
    expect((await call('PATCH /users/bob', { admin: false })).statusCode).toBe(200)
  })
})
