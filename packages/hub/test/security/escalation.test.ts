import { afterEach, expect, test } from 'vitest'
import { findUser, updateUser } from '../../src/storage/users.ts'
import { ApiHub, type Caller } from '../api/api-hub.ts'
import { describeStores } from '../support/stores.ts'

/** What the role of a service manager, a user manager or a group's owner must not grow into. */
describeStores('no right makes a greater one', (open) => {
  let hub: ApiHub
  const start = async () => {
    hub = await ApiHub.start(await open())
    await hub.addPeople()
    return hub
  }
  afterEach(() => hub.close())

  const statusesOf = async (call: Caller, lines: readonly [line: string, body?: unknown][]) => {
    const answers: [string, number][] = []
    for (const [line, body] of lines) answers.push([line, (await call(line, body)).statusCode])
    return answers
  }
  const isAdmin = async (name: string) => (await findUser(hub.store.db, name))?.admin

  test('admin:users makes no administrator, by flag or by name', async () => {
    await start()
    const manager = await hub.callerWith(['admin:users', 'admin:groups', 'admin:servers', 'tokens'])
    const refused = await statusesOf(manager, [
      ['POST /users/eve', { admin: true }],
      ['POST /users', { usernames: ['eve'], admin: true }],
      ['PATCH /users/bob', { admin: true }],
      ['PATCH /users/me', { admin: true }],
      // Of `admin_users`: whoever has that name is one after the next start.
      ['POST /users/root'],
      ['POST /users/Root'],
      ['POST /users', { usernames: ['eve', 'ROOT'] }],
      ['PATCH /users/me', { name: 'root' }],
    ])
    expect(refused.filter(([, status]) => status !== 403)).toEqual([])
    expect([await isAdmin('me'), await isAdmin('bob')]).toEqual([false, false])
    expect([await isAdmin('eve'), await isAdmin('root')]).toEqual([undefined, undefined])

    await hub.store.write(async (tx) => {
      const carol = await findUser(tx.db, 'carol')
      if (carol !== undefined) await updateUser(tx, carol, { admin: true })
    })
    const asAdmin = await hub.callerWith(['admin:users'], 'carol')
    expect((await asAdmin('PATCH /users/bob', { admin: true })).statusCode).toBe(200)
    expect((await asAdmin('POST /users/root')).statusCode).toBe(201)
  })

  test('a token gets nothing that its owner has not, whoever asks', async () => {
    await start()
    const own = await hub.callerWith(['self'])
    const manager = await hub.callerWith(['tokens', 'admin:users', 'list:users'], 'manager')
    const wanted = ['admin:users', 'tokens', 'servers', 'servers!user=bob', 'admin-ui', 'read:hub']
    for (const scope of wanted) {
      expect((await own('POST /users/me/tokens', { scopes: [scope] })).statusCode).toBe(400)
      const forBob = scope === 'servers!user=bob' ? 201 : 400
      const asked = await manager('POST /users/bob/tokens', { scopes: [scope] })
      expect([scope, asked.statusCode]).toEqual([scope, forBob])
    }
    expect((await own('POST /users/me/tokens', { roles: ['admin'] })).statusCode).toBe(400)
    expect((await own('POST /users/bob/tokens')).statusCode).toBe(403)
    // A narrow token mints none, and a filter covers whom it names.
    const narrow = await own('POST /users/me/tokens', { scopes: ['read:users!user=me'] })
    const child = hub.withToken(narrow.json<{ token: string }>().token)
    expect((await child('POST /users/me/tokens')).statusCode).toBe(403)
    const filtered = await hub.callerWith(['tokens!user=bob'], 'filtered')
    expect((await filtered('POST /users/alice/tokens')).statusCode).toBe(403)
    expect((await filtered('POST /users/bob/tokens')).statusCode).toBe(201)
  })

  test('a service that is added may ask its visitors for no more than its maker may do', async () => {
    await start()
    const client = { oauth_no_confirm: true, oauth_redirect_uri: 'https://evil.example/cb' }
    const make = (call: Caller, scopes: readonly string[], rest: object = {}) => {
      const body = { ...client, api_token: 'x'.repeat(32), oauth_client_allowed_scopes: scopes }
      return call('POST /services/helper', { ...body, ...rest })
    }
    const manager = await hub.callerWith(['self', 'admin:services'])
    for (const scope of [
      'inherit',
      'self',
      'tokens!user',
      'servers!user',
      'admin:users',
      'tokens!user=bob',
      'access:servers!group=g1',
    ]) {
      expect([scope, (await make(manager, [scope])).statusCode]).toEqual([scope, 400])
    }
    expect((await make(manager, [], { admin: true })).statusCode).toBe(400)
    const outsider = await hub.callerWith(['admin:services', 'servers'], 'outsider')
    expect((await make(outsider, ['servers!user'])).statusCode).toBe(201)
    expect((await outsider('DELETE /services/helper')).statusCode).toBe(200)
    for (const id of ['jupyterhub', 'jupyterhub-user-bob', 'service-a\r\nb', 'service-ü']) {
      expect([id, (await make(manager, [], { oauth_client_id: id })).statusCode]).toEqual([id, 400])
    }
  })

  test('filtered scopes do not open what is about everybody', async () => {
    await start()
    const filters = ['!user=bob', '!group=g1', '!server=bob/', '!service=s']
    const lines: readonly [scope: string, line: string, body?: unknown][] = [
      ['admin:users', 'POST /users', { usernames: ['eve'] }],
      ['admin:groups', 'POST /groups', { groups: ['eve'] }],
      ['read:hub', 'GET /info'],
      ['shutdown', 'POST /shutdown', {}],
      ['proxy', 'GET /proxy'],
      ['proxy', 'POST /proxy'],
      ['proxy', 'PATCH /proxy', { auth_token: 'x' }],
    ]
    for (const [scope, line, body] of lines) {
      for (const filter of filters) {
        const call = await hub.callerWith([`${scope}${filter}`])
        const label = `${line} with ${scope}${filter}`
        expect([label, (await call(line, body)).statusCode]).toEqual([label, 403])
      }
    }
    expect(hub.shutdowns).toEqual([])
    expect(await findUser(hub.store.db, 'eve')).toBeUndefined()
  })

  test('a filter stays on what it names', async () => {
    await start()
    const call = await hub.callerWith([
      'admin:users!user=bob',
      'admin:groups!group=g1',
      'groups!group=g1',
      'servers!server=bob/a',
      'admin:services!service=s',
      'tokens!user=bob',
      'shares!server=bob/a',
      'access:servers!server=bob/a',
    ])
    const reached = await statusesOf(call, [
      ['PATCH /users/alice', { name: 'x' }],
      ['DELETE /users/alice'],
      ['POST /users/eve'],
      ['POST /groups/g2'],
      ['DELETE /groups/g2'],
      ['POST /groups/g2/users', { users: ['bob'] }],
      ['PUT /groups/g2/properties', { a: 1 }],
      ['POST /users/bob/servers/b'],
      ['POST /users/bob/server'],
      ['POST /users/alice/servers/a'],
      ['PATCH /users/bob/servers/b', { name: 'c' }],
      ['POST /services/t', {}],
      ['DELETE /services/t'],
      ['GET /users/alice/tokens'],
      ['DELETE /users/alice/tokens/a1'],
      ['POST /shares/bob/b', { user: 'dave' }],
      ['POST /share-codes/alice/a', {}],
      // However the path spells it.
      ['POST /users/bob%2Fservers%2Fa/server'],
      ['POST /users/bob/servers/a%2F..%2Fb'],
      ['POST /users/bob/servers/a/../b'],
      ['POST /users//servers/a'],
    ])
    expect(reached.filter(([, status]) => status !== 404 && status !== 403)).toEqual([])
  })

  test('ids of others are nobody’s', async () => {
    await start()
    const bob = await hub.callerWith(['self'], 'bob')
    const alice = await hub.callerWith(['self', 'shares!user', 'read:users:name'], 'alice')
    const token = (await alice('POST /users/alice/tokens')).json<{ id: string }>().id
    const share = await alice('POST /share-codes/alice/', {})
    expect([share.statusCode, token]).toEqual([200, expect.stringMatching(/^a\d+$/)])
    const { id, code } = share.json<{ id: string; code: string }>()
    const bobShares = await hub.callerWith(['self', 'shares!user'], 'bob')
    const reached = await statusesOf(bobShares, [
      [`GET /users/bob/tokens/${token}`],
      [`DELETE /users/bob/tokens/${token}`],
      [`GET /users/alice/tokens/${token}`],
      [`DELETE /share-codes/bob/?id=${id}`],
      [`DELETE /share-codes/bob/?code=${code}`],
    ])
    expect(reached.map(([, status]) => status)).toEqual([404, 404, 404, 404, 404])
    expect((await bob('GET /users/alice/server/progress')).statusCode).toBe(404)
    expect((await alice(`GET /users/alice/tokens/${token}`)).statusCode).toBe(200)
  })
})
