import { afterEach, expect, it } from 'vitest'
import {
  addGroupMember,
  deleteGroup,
  ensureGroup,
  getGroup,
  setGroupsOfUser,
} from '../../src/storage/groups.ts'
import { createUser, deleteUser, findUser, updateUser } from '../../src/storage/users.ts'
import { describeStores } from '../support/stores.ts'
import { anyText, ApiHub, type Caller, textWith } from './api-hub.ts'

interface WireShare {
  readonly server: { readonly user: { readonly name: string }; readonly name: string }
  readonly scopes: readonly string[]
  readonly user: { readonly name: string } | null
  readonly group: { readonly name: string } | null
}
interface Page {
  readonly items: readonly WireShare[]
  readonly _pagination: { readonly total: number; readonly next: object | null }
}

describeStores('shares', (open) => {
  let hub: ApiHub
  let root: Caller
  let alice: Caller
  let bob: Caller
  afterEach(() => hub.close())

  async function start() {
    hub = await ApiHub.start(await open())
    await hub.addPeople()
    root = await hub.callerWith(
      ['shares', 'read:users', 'read:groups', 'admin:users', 'servers'],
      'root',
    )
    const sharer = ['self', 'shares!user', 'read:users:name!user=bob', 'read:groups:name!group=g1']
    alice = await hub.callerWith(sharer, 'alice')
    bob = await hub.callerWith(['self'], 'bob')
    await alice('PUT /users/alice/servers/n1')
  }

  const scopesOf = async (call: Caller) =>
    (await call('GET /user')).json<{ scopes: string[] }>().scopes.filter((s) => s.includes('alic'))
  const getUserRow = async (name: string) => {
    const user = await findUser(hub.store.db, name)
    if (user === undefined) throw new TypeError(`no user ${name}`)
    return user
  }

  it('grants, extends, lists, narrows and ends', async () => {
    await start()
    const granted = await alice('POST /shares/alice/n1', { user: 'bob' })
    expect([granted.statusCode, granted.json()]).toEqual([
      200,
      {
        server: {
          user: { name: 'alice' },
          name: 'n1',
          url: '/user/alice/n1/',
          full_url: null,
          ready: false,
        },
        scopes: ['access:servers!server=alice/n1'],
        user: { name: 'bob' },
        group: null,
        kind: 'user',
        created_at: anyText,
      },
    ])
    const wanted = ['start:servers', 'access:servers!server=alice/n1']
    const both = ['access:servers!server=alice/n1', 'start:servers!server=alice/n1']
    const extended = await alice('POST /shares/alice/n1', { user: 'bob', scopes: wanted })
    expect(extended.json()).toMatchObject({
      scopes: both,
      created_at: granted.json<{ created_at: string }>().created_at,
    })
    expect(await scopesOf(bob)).toEqual(both)
    await alice('POST /shares/alice/', { group: 'g1' })
    // The default server is what it was before somebody shared it.
    const own = (await alice('GET /users/alice/server')).json<object>()
    expect(own).toMatchObject({ name: '', display_name: '', stopped: true })
    const lists: [Caller, string, number][] = [
      [alice, 'GET /shares/alice', 2],
      [alice, 'GET /shares/alice/n1', 1],
      [alice, 'GET /shares/alice/', 1],
      [bob, 'GET /users/bob/shared', 2],
      [root, 'GET /groups/g1/shared', 1],
      [root, 'GET /groups/g2/shared', 0],
      [bob, 'GET /shares/bob/', 0],
    ]
    for (const [call, line, count] of lists) {
      const page = (await call(line)).json<Page>()
      expect([line, page.items.length, page._pagination.total]).toEqual([line, count, count])
    }
    const first = (await alice('GET /shares/alice?limit=1')).json<Page>()
    expect(first._pagination).toMatchObject({
      total: 2,
      limit: 1,
      next: { offset: 1, url: textWith('/hub/api/shares/alice?limit=1&offset=1') },
    })
    expect((await bob('GET /users/bob/shared/alice/n1')).json()).toMatchObject({ scopes: both })
    expect((await bob('GET /users/bob/shared/alice/')).statusCode).toBe(404)
    expect((await root('GET /groups/g1/shared/alice/')).statusCode).toBe(200)
    const revoke = (body: object) => alice('PATCH /shares/alice/n1', body)
    expect((await revoke({ user: 'bob', scopes: ['start:servers'] })).json()).toMatchObject({
      scopes: both,
    })
    const left = await revoke({ user: 'bob', scopes: ['start:servers!server=alice/n1'] })
    expect(left.json<WireShare>().scopes).toEqual(['access:servers!server=alice/n1'])
    for (const body of [{ user: 'bob' }, { user: 'bob' }, { user: 'ghost' }, { group: 'ghost' }]) {
      const answer = await revoke(body)
      expect([answer.statusCode, answer.json()]).toEqual([200, {}])
    }
    // The group's share is left, and counts for tokens: contract D18.
    expect(await scopesOf(bob)).toEqual(['access:servers!server=alice/'])
    expect((await alice('DELETE /shares/alice/')).statusCode).toBe(204)
    expect(await scopesOf(bob)).toEqual([])
  })

  it('answers each request as the reference does', async () => {
    await start()
    await alice('POST /shares/alice/n1', { user: 'bob' })
    const cases: [Caller, string, unknown, number][] = [
      [alice, 'POST /shares/alice/n1', {}, 400],
      [alice, 'POST /shares/alice/n1', undefined, 400],
      [alice, 'POST /shares/alice/n1', '{', 400],
      [alice, 'POST /shares/alice/n1', [1], 400],
      [alice, 'POST /shares/alice/n1', { user: '' }, 400],
      [alice, 'POST /shares/alice/n1', { user: '', group: 'g1' }, 200],
      [alice, 'POST /shares/alice/n1', { user: 'bob', group: 'g1' }, 400],
      [alice, 'POST /shares/alice/n1', { user: 'bob', expires_in: 100 }, 400],
      [alice, 'POST /shares/alice/n1', { user: 'bob', scopes: 'x' }, 400],
      [alice, 'POST /shares/alice/n1', { user: 'bob', scopes: ['nope'] }, 400],
      [alice, 'POST /shares/alice/n1', { user: 'bob', scopes: ['access:servers!server'] }, 400],
      [alice, 'POST /shares/alice/n1', { user: 'bob', scopes: ['servers!server=alice/'] }, 400],
      [alice, 'POST /shares/alice/n1', { user: 'bob', scopes: ['servers!user=alice'] }, 400],
      [alice, 'POST /shares/alice/n1', { user: 'bob', scopes: ['admin:servers'] }, 403],
      [alice, 'POST /shares/alice/n1', { user: 'bob', scopes: null }, 200],
      [alice, 'POST /shares/alice/n1', { user: 'carol' }, 403],
      [alice, 'POST /shares/alice/n1', { group: 'g2' }, 403],
      [alice, 'POST /shares/alice/n1', { user: 'ghost' }, 403],
      [alice, 'POST /shares/alice/n1', { user: 'alice' }, 200],
      [root, 'POST /shares/alice/n1', { user: 'ghost' }, 400],
      [root, 'POST /shares/alice/n1', { group: 'ghost' }, 400],
      [alice, 'POST /shares/alice/nope', { user: 'bob' }, 404],
      [root, 'POST /shares/ghost/', { user: 'bob' }, 404],
      [alice, 'POST /shares/bob/', { user: 'bob' }, 404],
      [bob, 'POST /shares/alice/n1', { user: 'carol' }, 403],
      [bob, 'POST /shares/bob/', { user: 'alice' }, 403],
      [hub.anonymous(), 'POST /shares/alice/n1', { user: 'carol' }, 403],
      [alice, 'PATCH /shares/alice/n1', {}, 400],
      [alice, 'PATCH /shares/alice/n1', { user: 'bob', scopes: ['zzz'] }, 400],
      [alice, 'PATCH /shares/alice/nope', { user: 'bob' }, 404],
      [alice, 'POST /shares/alice', { user: 'bob' }, 405],
      [alice, 'PATCH /shares/alice', {}, 405],
      [alice, 'DELETE /share-codes/alice', undefined, 405],
      [bob, 'POST /shares/alice', undefined, 403],
      [alice, 'PUT /shares/alice', undefined, 405],
      [bob, 'GET /shares/alice', undefined, 404],
      [bob, 'GET /shares/alice/n1', undefined, 404],
      [root, 'GET /shares/ghost', undefined, 404],
      [alice, 'GET /shares/alice/nope', undefined, 404],
      [alice, 'GET /shares/alice?limit=x', undefined, 400],
      [root, 'GET /shares', undefined, 404],
      [alice, 'GET /users/bob/shared', undefined, 404],
      [root, 'GET /users/ghost/shared', undefined, 404],
      [bob, 'GET /users/bob/shared/alice', undefined, 404],
      [bob, 'GET /users/bob/shared/ghost/', undefined, 404],
      [bob, 'GET /groups/g1/shared', undefined, 403],
      [root, 'GET /groups/ghost/shared', undefined, 404],
      [root, 'GET /groups/g2/shared/alice/n1', undefined, 404],
      [bob, 'DELETE /groups/g1/shared/alice/n1', undefined, 403],
      [root, 'DELETE /groups/g1/shared/alice/n1', undefined, 204],
      [root, 'DELETE /groups/g1/shared/alice/n1', undefined, 404],
      [bob, 'DELETE /users/alice/shared/alice/n1', undefined, 404],
      [bob, 'DELETE /users/bob/shared/alice/n1', undefined, 204],
      [bob, 'DELETE /users/bob/shared/alice/n1', undefined, 404],
      [alice, 'DELETE /shares/alice/n1', undefined, 204],
      [alice, 'DELETE /shares/alice/', undefined, 204],
      [alice, 'DELETE /shares/alice/nope', undefined, 404],
    ]
    for (const [index, [call, line, body, status]] of cases.entries()) {
      const answer = await call(line, body)
      const label = `${index} ${line} ${JSON.stringify(body)}`
      expect([label, answer.statusCode]).toEqual([label, status])
    }
  })

  it('follows the names of server, owner, recipient and group; old names inherit nothing', async () => {
    await start()
    await alice('POST /shares/alice/n1', { user: 'bob' })
    await alice('POST /shares/alice/n1', { group: 'g1' })
    await alice('POST /share-codes/alice/n1')
    await alice('PATCH /users/alice/servers/n1', { name: 'n2' })
    await alice('PUT /users/alice/servers/n1')
    expect(await scopesOf(bob)).toEqual(['access:servers!server=alice/n2'])
    await hub.store.write(async (tx) => {
      await updateUser(tx, await getUserRow('alice'), { name: 'alicia' })
      await createUser(tx, { name: 'alice' }, new Date())
    })
    const moved = ['access:servers!server=alicia/n2']
    expect(await scopesOf(bob)).toEqual(moved)
    const listed = (await alice('GET /shares/alicia/n2')).json<Page>()
    expect(
      listed.items.map(({ server, scopes }) => [server.user.name, server.name, scopes]),
    ).toEqual([
      ['alicia', 'n2', moved],
      ['alicia', 'n2', moved],
    ])
    expect((await alice('GET /share-codes/alicia')).json<Page>().items).toMatchObject([
      { scopes: moved },
    ])
    expect((await root('GET /shares/alice')).json<Page>().items).toEqual([])
    await hub.store.write(async (tx) => {
      await updateUser(tx, await getUserRow('bob'), { name: 'bobby' })
      await createUser(tx, { name: 'bob' }, new Date())
    })
    expect(await scopesOf(bob)).toEqual(moved)
    const newBob = await hub.callerWith(['self'], 'bob')
    expect(await scopesOf(newBob)).toEqual([])
    // The group is deleted and made anew with the same member.
    await root('DELETE /users/bobby/shared/alicia/n2')
    expect(await scopesOf(bob)).toEqual(moved)
    await hub.store.write(async (tx) => {
      await deleteGroup(tx, (await getGroup(tx.db, 'g1')).id)
      await addGroupMember(tx, await ensureGroup(tx, 'g1'), (await getUserRow('bobby')).id)
    })
    expect(await scopesOf(bob)).toEqual([])
  })

  it('ends with membership, server and owner, also for new ones of the same name', async () => {
    await start()
    const bobRow = await getUserRow('bob')
    await alice('POST /shares/alice/n1', { group: 'g1' })
    const shared = ['access:servers!server=alice/n1']
    expect(await scopesOf(bob)).toEqual(shared)
    await hub.store.write((tx) => setGroupsOfUser(tx, bobRow.id, []))
    expect(await scopesOf(bob)).toEqual([])
    await hub.store.write((tx) => setGroupsOfUser(tx, bobRow.id, ['g1']))
    expect(await scopesOf(bob)).toEqual(shared)
    await alice('DELETE /users/alice/servers/n1', { remove: true })
    await alice('PUT /users/alice/servers/n1')
    expect(await scopesOf(bob)).toEqual([])
    await alice('POST /shares/alice/n1', { user: 'bob' })
    expect(await scopesOf(bob)).toEqual(shared)
    await hub.store.write(async (tx) => deleteUser(tx, (await getUserRow('alice')).id))
    expect(await scopesOf(bob)).toEqual([])
    const newAlice = await hub.callerWith(['self'], 'alice')
    await newAlice('PUT /users/alice/servers/n1')
    expect(await scopesOf(bob)).toEqual([])
    expect((await newAlice('GET /shares/alice')).json<Page>().items).toEqual([])
  })
})
