import { afterEach, expect, it } from 'vitest'
import { findUser } from '../../src/storage/users.ts'
import { describeStores } from '../support/stores.ts'
import { ApiHub, textWith } from './api-hub.ts'

const all = ['admin:groups', 'list:groups']
const paged = { accept: 'application/jupyterhub-pagination+json' }

describeStores('groups', (open) => {
  let hub: ApiHub
  afterEach(() => hub.close())

  async function start(scopes = all) {
    // A page's next one is at the origin that the client asked, whatever is public.
    const settings = { publicUrl: new URL('https://public.example/') }
    hub = await ApiHub.start(await open(), { settings })
    await hub.addPeople()
    return hub.callerWith(scopes)
  }

  it('are created, read, changed and deleted', async () => {
    const call = await start([...all, 'read:roles:groups'])
    const steps: [line: string, body: unknown, status: number, expected: unknown][] = [
      [
        'POST /groups/g3',
        undefined,
        201,
        { kind: 'group', name: 'g3', users: [], properties: {}, roles: [] },
      ],
      ['POST /groups/g3', undefined, 409, { status: 409, message: 'Group g3 already exists' }],
      [
        'POST /groups/g4',
        { users: ['Bob', 'carol', 'bob'], name: 'x', roles: [] },
        201,
        { users: ['bob', 'carol'] },
      ],
      ['POST /groups/g3/users', { users: ['alice', 'dave'] }, 200, { users: ['alice', 'dave'] }],
      ['POST /groups/g3/users', { users: ['dave'] }, 200, { users: ['alice', 'dave'] }],
      ['POST /groups/g3/users', { users: [] }, 200, { users: ['alice', 'dave'] }],
      ['DELETE /groups/g3/users', { users: ['bob', 'alice'] }, 200, { users: ['dave'] }],
      [
        'PUT /groups/g3/properties',
        { a: [1], b: { c: null } },
        200,
        { properties: { a: [1], b: { c: null } } },
      ],
      ['PUT /groups/g3/properties', {}, 200, { properties: {} }],
      ['GET /groups/g3', undefined, 200, { name: 'g3', users: ['dave'] }],
      ['POST /groups/a%2Fb%20%C3%BC', null, 201, { name: 'a/b ü' }],
      ['GET /groups/a%2Fb%20%C3%BC', undefined, 200, { name: 'a/b ü' }],
    ]
    for (const [line, body, status, expected] of steps) {
      const answer = await call(line, body)
      expect([line, answer.statusCode]).toEqual([line, status])
      expect(answer.json()).toMatchObject(expected as object)
    }
    const deleted = await call('DELETE /groups/g3')
    expect([deleted.statusCode, deleted.body]).toEqual([204, ''])
    expect(deleted.headers['content-type']).toBeUndefined()
    expect((await call('GET /groups/g3')).statusCode).toBe(404)
  })

  it('refuses what is no group, and changes nothing by half', async () => {
    const call = await start()
    const cases: [line: string, body: unknown, status: number, text: string][] = [
      ['POST /groups', undefined, 400, ''],
      ['POST /groups', {}, 400, 'groups'],
      ['POST /groups', { groups: [] }, 400, 'groups'],
      ['POST /groups', { groups: 'abc' }, 400, 'body.groups'],
      ['POST /groups', { groups: ['x', 7] }, 400, 'body.groups.1'],
      ['POST /groups', { groups: ['x', ''] }, 400, 'Invalid group name'],
      ['POST /groups', { groups: ['x'], properties: {} }, 400, 'properties'],
      ['POST /groups', { groups: ['x'], users: ['ghost'] }, 400, 'No such user: ghost'],
      [`POST /groups/${'x'.repeat(256)}`, undefined, 400, 'Invalid group name'],
      ['POST /groups/x', [], 400, 'body'],
      ['POST /groups/x', '0', 400, 'body'],
      ['POST /groups/x', { users: 'bob' }, 400, 'body.users'],
      ['POST /groups/x', { users: [5] }, 400, 'body.users.0'],
      ['POST /groups/x', { users: ['bob', 'ghost'] }, 400, 'No such user: ghost'],
      ['POST /groups/g1', { colour: 1 }, 400, 'colour'],
      ['POST /groups/g2/users', undefined, 400, ''],
      ['POST /groups/g2/users', {}, 400, 'users'],
      ['POST /groups/g2/users', { users: ['alice', 'ghost'] }, 400, 'No such user: ghost'],
      ['DELETE /groups/g2/users', { users: ['carol', 'ghost'] }, 400, 'No such user: ghost'],
      ['POST /groups/ghost/users', '{nonsense', 404, 'No such group'],
      ['POST /groups/g1/users', '{nonsense', 400, 'JSON'],
      ['POST /groups/ghost/users', { users: ['alice'] }, 404, 'No such group: ghost'],
      ['PUT /groups/g2/properties', [1], 400, 'body'],
      ['PUT /groups/g2/properties', undefined, 400, ''],
      ['PUT /groups/ghost/properties', {}, 404, 'No such group'],
      ['DELETE /groups/ghost', undefined, 404, 'No such group'],
      ['GET /groups/g2/users', undefined, 405, ''],
      ['PATCH /groups/g2', {}, 405, ''],
      ['GET /groups/', undefined, 404, ''],
    ]
    for (const [line, body, status, text] of cases) {
      const answer = await call(line, body)
      const seen = [line, body, answer.statusCode, answer.body]
      expect(seen).toEqual([line, body, status, textWith(text)])
    }
    expect((await call('GET /groups/g2')).json()).toMatchObject({ users: ['carol'] })
    expect((await call('GET /groups/x')).statusCode).toBe(404)
  })

  it('are created several at a time, up to the first that exists', async () => {
    const call = await start()
    const made = await call('POST /groups', { groups: ['n1', 'n2'], users: ['dave'] })
    expect(made.statusCode).toBe(201)
    expect(made.json()).toMatchObject([
      { name: 'n1', users: ['dave'] },
      { name: 'n2', users: ['dave'] },
    ])
    const clash = await call('POST /groups', { groups: ['n3', 'g1', 'n4'] })
    expect([clash.statusCode, clash.body]).toEqual([409, textWith('g1 already exists')])
    expect((await call('GET /groups/n3')).statusCode).toBe(200)
    expect((await call('GET /groups/n4')).statusCode).toBe(404)
  })

  it('are listed in pages of what the caller may list, and counted so', async () => {
    const call = await start()
    await call('POST /groups', { groups: ['g3', 'g4', 'g5'] })
    const page = await call('GET /groups?limit=2&offset=1', undefined, { ...paged, host: 'h.x' })
    expect(page.json()).toMatchObject({
      items: [{ name: 'g2' }, { name: 'g3' }],
      _pagination: {
        offset: 1,
        limit: 2,
        total: 5,
        next: { offset: 3, limit: 2, url: 'http://h.x/hub/api/groups?limit=2&offset=3' },
      },
    })
    expect((await call('GET /groups')).json()).toHaveLength(5)
    const few = await hub.callerWith(['list:groups!group=g1', 'list:groups!group=ghost'], 'few')
    expect((await few('GET /groups', undefined, paged)).json()).toEqual({
      items: [{ kind: 'group', name: 'g1' }],
      _pagination: { offset: 0, limit: 50, total: 1, next: null },
    })
    const none = await hub.callerWith(['list:groups!group=ghost'], 'none')
    expect((await none('GET /groups')).json()).toEqual([])
  })

  it('answers by scope and filter', async () => {
    await start()
    const cases: [scopes: string[], line: string, status: number][] = [
      [[], 'GET /groups', 403],
      [['list:groups!user=x'], 'GET /groups', 403],
      [['read:groups'], 'GET /groups', 403],
      [['self'], 'GET /groups/g1', 403],
      [['read:groups!user=bob'], 'GET /groups/g1', 404],
      [['read:groups!group=g2'], 'GET /groups/g1', 404],
      [['read:groups:name!group=g1'], 'GET /groups/g1', 200],
      [['admin:groups!group=g3'], 'POST /groups', 403],
      [['admin:groups!group=g3'], 'POST /groups/g3', 201],
      [['admin:groups!group=g3'], 'POST /groups/g4', 404],
      [['groups!group=g1'], 'POST /groups/g1', 403],
      [['groups!group=g1'], 'DELETE /groups/g1', 403],
      [['delete:groups!group=g9'], 'DELETE /groups/g1', 404],
      [['delete:groups!group=g1'], 'DELETE /groups/g1', 204],
    ]
    for (const [index, [scopes, line, status]] of cases.entries()) {
      const call = await hub.callerWith(scopes, `caller${index}`)
      expect([scopes, line, (await call(line)).statusCode]).toEqual([scopes, line, status])
    }
  })

  it('shows each key to who holds the scope for it', async () => {
    await start()
    const cases: [scope: string, keys: string[]][] = [
      ['read:groups:name', ['kind', 'name']],
      ['read:groups', ['kind', 'name', 'properties', 'users']],
      ['read:roles:groups', ['kind', 'name', 'roles']],
    ]
    for (const [index, [scope, keys]] of cases.entries()) {
      const call = await hub.callerWith([scope], `viewer${index}`)
      const model = (await call('GET /groups/g1')).json<object>()
      expect([scope, Object.keys(model).toSorted()]).toEqual([scope, keys])
    }
  })

  it('gives and takes what group filters allow, at once', async () => {
    const call = await start()
    const viewer = await hub.callerWith(['read:users:name!group=g3'], 'viewer')
    expect((await viewer('GET /users/dave')).statusCode).toBe(404)
    await call('POST /groups/g3', { users: ['dave'] })
    expect((await viewer('GET /users/dave')).statusCode).toBe(200)
    await call('DELETE /groups/g3/users', { users: ['dave'] })
    expect((await viewer('GET /users/dave')).statusCode).toBe(404)
    await call('POST /groups/g3/users', { users: ['dave'] })
    await call('DELETE /groups/g3')
    expect((await viewer('GET /users/dave')).statusCode).toBe(404)
  })

  it('leaves an audit record of every change', async () => {
    const call = await start()
    await call('POST /groups/g3', { users: ['dave'] })
    await call('DELETE /groups/g3/users', { users: ['dave'] })
    await call('PUT /groups/g3/properties', { a: 1 })
    await call('DELETE /groups/g3')
    const rows = await hub.store.db
      .selectFrom('audit_events')
      .select(['actor', 'action', 'subject'])
      .where('subject', '=', 'g3')
      .orderBy('id')
      .execute()
    expect(rows.map(({ action }) => action)).toEqual([
      'group.create',
      'group.remove-users',
      'group.properties',
      'group.delete',
    ])
    expect(rows.every(({ actor }) => actor === 'user me')).toBe(true)
    expect(await findUser(hub.store.db, 'dave')).toBeDefined()
  })
})
