import { expect, test } from 'vitest'
import { HubError } from '../../src/domain/errors.ts'
import { createServer, findServer, updateServer } from '../../src/storage/servers.ts'
import {
  claimOperation,
  createOperation,
  findOperation,
  listClaimable,
  renewLease,
  updateOperation,
} from '../../src/storage/operations.ts'
import { listRouteChanges, loadRoutes, putRoute, removeRoute } from '../../src/storage/routes.ts'
import { putRole } from '../../src/storage/access.ts'
import {
  createToken,
  deleteTokens,
  findTokenByValue,
  listTokensOfUser,
} from '../../src/storage/tokens.ts'
import { consumeOAuthCode, createOAuthCode, putOAuthClient } from '../../src/storage/oauth.ts'
import {
  createUser,
  findUser,
  getUser,
  listUsers,
  touchUser,
  updateUser,
} from '../../src/storage/users.ts'
import type { Store } from '../../src/storage/store.ts'
import { describeStores } from '../support/stores.ts'

const now = new Date('2026-11-24T12:00:00Z')

function addUser(store: Store, name: string, admin = false) {
  return store.write((tx) => createUser(tx, { name, admin }, now))
}

async function addServer(store: Store, username: string, name = '') {
  const user = (await findUser(store.db, username)) ?? (await addUser(store, username))
  return store.write((tx) => createServer(tx, { userId: user.id, name, displayName: null }, now))
}

describeStores('the store', (open) => {
  test('a write that throws leaves nothing behind and does not disturb its neighbours', async () => {
    const store = await open()
    const results = await Promise.allSettled([
      addUser(store, 'ada'),
      store.write(async (tx) => {
        await createUser(tx, { name: 'lost' }, now)
        throw new Error('changed my mind')
      }),
      addUser(store, 'grace'),
    ])
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await findUser(store.db, 'lost')).toBeUndefined()
    expect((await getUser(store.db, 'grace')).name).toBe('grace')
  })

  test('many concurrent writes all arrive', async () => {
    const store = await open()
    const names = Array.from({ length: 300 }, (_, index) => `user-${index}`)
    await Promise.all(names.map((name) => addUser(store, name)))
    const page = await listUsers(store.db, {
      selection: { kind: 'all' },
      sort: 'id',
      descending: false,
      offset: 0,
      limit: 1,
    })
    expect(page.total).toBe(300)
  })

  test('changes are announced after the commit only', async () => {
    const store = await open()
    const heard: unknown[] = []
    store.bus.on(['user'], (change) => heard.push(change?.id))
    const user = await addUser(store, 'ada')
    await store
      .write(async (tx) => {
        tx.changed('user', 99)
        throw new Error('no')
      })
      .catch(() => undefined)
    expect(new Set(heard)).toEqual(new Set([user.id]))
  })

  test('creating an existing user is a conflict', async () => {
    const store = await open()
    await addUser(store, 'ada')
    await expect(addUser(store, 'ada')).rejects.toMatchObject({ code: 'user_exists' })
  })

  test('of two concurrent writers of one server exactly one wins', async () => {
    const store = await open()
    const server = await addServer(store, 'ada')
    const spawning = { kind: 'spawning', since: now } as const
    const results = await Promise.all(
      [1, 2].map(() => store.write((tx) => updateServer(tx, server, { state: spawning }))),
    )
    expect(results.filter((result) => result !== undefined)).toHaveLength(1)
    expect((await findServer(store.db, 'ada', ''))?.state.kind).toBe('spawning')
  })

  test('a server cannot skip a state', async () => {
    const store = await open()
    const server = await addServer(store, 'ada')
    await expect(
      store.write((tx) => updateServer(tx, server, { state: { kind: 'stopping', since: now } })),
    ).rejects.toThrow(TypeError)
  })

  test('what a server is survives the way through the database', async () => {
    const store = await open()
    const server = await addServer(store, 'ada', 'lab-1')
    const at = new Date('2026-01-02T03:04:05.678Z')
    const stored = await store.write((tx) =>
      updateServer(tx, server, {
        state: { kind: 'spawning', since: at },
        userOptions: { image: 'ü', list: [1, null, { a: true }] },
        spawnerState: { pid: 7 },
        runId: 'r1',
        lastActivityAt: at,
      }),
    )
    expect(stored).toMatchObject({
      userOptions: { image: 'ü', list: [1, null, { a: true }] },
      spawnerState: { pid: 7 },
      runId: 'r1',
      lastActivityAt: at,
      state: { kind: 'spawning', since: at },
      version: 1,
    })
  })

  test('an operation is leased by one hub at a time and taken over when the lease ends', async () => {
    const store = await open()
    const server = await addServer(store, 'ada')
    const id = await store.write((tx) =>
      createOperation(
        tx,
        { serverId: server.id, userId: server.userId, kind: 'spawn', request: {} },
        now,
      ),
    )
    const soon = new Date(now.getTime() + 10_000)
    const later = new Date(now.getTime() + 20_000)
    const [operation] = await listClaimable(store.db, { now, limit: 10, kind: 'spawn' })
    expect(operation?.id).toBe(id)
    if (operation === undefined) return
    const claims = await Promise.all(
      ['a', 'b'].map((owner) =>
        store.write((tx) => claimOperation(tx, operation, { owner, now, expiresAt: soon })),
      ),
    )
    const winners = claims.filter((claim) => claim !== undefined)
    expect(winners).toHaveLength(1)
    expect(await listClaimable(store.db, { now, limit: 10, kind: 'spawn' })).toEqual([])
    const [orphan] = await listClaimable(store.db, { now: later, limit: 10, kind: 'spawn' })
    expect(orphan?.id).toBe(id)
    if (orphan === undefined || winners[0] === undefined) return
    const heir = await store.write((tx) =>
      claimOperation(tx, orphan, {
        owner: 'c',
        now: later,
        expiresAt: new Date(later.getTime() + 10_000),
      }),
    )
    expect(heir?.attempt).toBe(2)
    const former = { id, owner: winners[0].owner ?? '', attempt: 1 }
    expect(await store.write((tx) => updateOperation(tx, former, { step: 'started' }))).toBe(false)
    expect(await store.write((tx) => renewLease(tx, former, later))).toBeUndefined()
    expect((await findOperation(store.db, id))?.step).toBe('requested')
  })

  test('a server has one operation at work at a time', async () => {
    const store = await open()
    const server = await addServer(store, 'ada')
    const add = (kind: 'spawn' | 'stop') =>
      store.write((tx) =>
        createOperation(tx, { serverId: server.id, userId: server.userId, kind, request: {} }, now),
      )
    const first = await add('spawn')
    await add('stop')
    const spawns = await listClaimable(store.db, { now, limit: 10, kind: 'spawn' })
    expect(spawns.map((operation) => operation.id)).toEqual([first])
    expect(await listClaimable(store.db, { now, limit: 10, kind: 'stop' })).toEqual([])
  })

  test('routes carry growing numbers, and a reader that has n has all below', async () => {
    const store = await open()
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        store.write((tx) =>
          putRoute(tx, { routespec: `/user/u${index}/`, target: 'http://127.0.0.1:1', data: {} }),
        ),
      ),
    )
    await store.write((tx) => removeRoute(tx, '/user/u3/'))
    await store.write((tx) => removeRoute(tx, '/user/u3/'))
    const { seq, routes } = await loadRoutes(store.db)
    expect(seq).toBe(51)
    expect(routes).toHaveLength(49)
    const changes = await listRouteChanges(store.db, 0, 100)
    expect(new Set(changes.map((change) => change.seq)).size).toBe(50)
    expect(changes.at(-1)).toMatchObject({ routespec: '/user/u3/', deleted: true, seq: 51 })
  })

  test('a token is found by its value until it ends or is deleted', async () => {
    const store = await open()
    const user = await addUser(store, 'ada')
    const owner = { kind: 'user', id: user.id } as const
    const values = ['0123456789abcdef0123456789abcdef', '0123-another-with-the-same-prefix']
    for (const value of values) {
      await store.write((tx) =>
        createToken(
          tx,
          { value, owner, scopes: ['self'], note: value, stretched: value.includes('-') },
          now,
        ),
      )
    }
    for (const value of values) {
      expect((await findTokenByValue(store.db, value, now))?.note).toBe(value)
    }
    expect(
      await findTokenByValue(store.db, '0123456789abcdef0123456789abcdee', now),
    ).toBeUndefined()
    const expiresAt = new Date(now.getTime() + 1_000)
    await store.write((tx) =>
      createToken(tx, { value: 'short-lived', owner, scopes: [], note: '', expiresAt }, now),
    )
    expect(await findTokenByValue(store.db, 'short-lived', now)).toBeDefined()
    const after = new Date(now.getTime() + 2_000)
    expect(await findTokenByValue(store.db, 'short-lived', after)).toBeUndefined()
    await store.write((tx) => deleteTokens(tx, { userId: user.id }))
    expect(await listTokensOfUser(store.db, user.id)).toEqual([])
  })

  test('a code is used up by exactly one of two exchanges', async () => {
    const store = await open()
    const user = await addUser(store, 'ada')
    await store.write(async (tx) => {
      await putOAuthClient(tx, {
        id: 'service-x',
        description: 'x',
        secretHash: 'x',
        redirectUri: '/x',
        allowedScopes: [],
        serverId: null,
        serviceId: null,
      })
      await createOAuthCode(tx, 'the-code', {
        clientId: 'service-x',
        userId: user.id,
        redirectUri: '/x',
        sessionId: 's',
        scopes: [],
        codeChallenge: null,
        codeChallengeMethod: null,
        nonce: null,
        signedInAt: null,
        expiresAt: new Date(now.getTime() + 300_000),
      })
    })
    const results = await Promise.all(
      [1, 2].map(() => store.write((tx) => consumeOAuthCode(tx, 'the-code'))),
    )
    expect(results.filter(Boolean)).toHaveLength(1)
  })

  test('users are listed by state, name and activity, nulls first going up', async () => {
    const store = await open()
    await store.write((tx) => putRole(tx, { name: 'user', description: '', scopes: ['self'] }))
    await addUser(store, 'ada')
    await addUser(store, 'Grace')
    await addUser(store, 'alan')
    await addServer(store, 'ada')
    const server = await findServer(store.db, 'ada', '')
    if (server === undefined) throw new Error('no server')
    await store.write((tx) => updateServer(tx, server, { state: { kind: 'spawning', since: now } }))
    const page = {
      selection: { kind: 'all' },
      sort: 'name',
      descending: false,
      offset: 0,
      limit: 9,
    } as const
    const names = async (query: Partial<Parameters<typeof listUsers>[1]>) =>
      (await listUsers(store.db, { ...page, ...query })).users.map((user) => user.name)
    expect(await names({ state: 'active' })).toEqual(['ada'])
    expect(await names({ state: 'ready' })).toEqual([])
    expect((await names({ state: 'inactive' })).toSorted()).toEqual(['Grace', 'alan'])
    expect(await names({ nameFilter: 'GRA' })).toEqual(['Grace'])
    expect(await names({ nameFilter: 'a_a' })).toEqual(['ada', 'alan'])
    expect(await names({ selection: { kind: 'some', users: [], groups: [] } })).toEqual([])
    const ada = await getUser(store.db, 'ada')
    await store.write((tx) => touchUser(tx, ada.id, now))
    expect((await names({ sort: 'last_activity' })).at(-1)).toBe('ada')
    expect((await names({ sort: 'last_activity', descending: true }))[0]).toBe('ada')
  })

  test('the admin flag and the role go together', async () => {
    const store = await open()
    await store.write((tx) => putRole(tx, { name: 'admin', description: '', scopes: [] }))
    const user = await addUser(store, 'ada', true)
    const roles = () => store.db.selectFrom('user_roles').selectAll().execute()
    expect(await roles()).toHaveLength(1)
    await store.write((tx) => updateUser(tx, user, { admin: false }))
    expect(await roles()).toEqual([])
  })

  test('a store that is opened again still holds everything', async () => {
    const first = await open()
    await addUser(first, 'ada')
    const again = await open({ sameAs: first.url ?? '' })
    expect((await getUser(again.db, 'ada')).name).toBe('ada')
  })

  test('failures keep their codes', async () => {
    const store = await open()
    await expect(getUser(store.db, 'nobody')).rejects.toBeInstanceOf(HubError)
  })
})
