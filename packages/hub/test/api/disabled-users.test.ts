import { afterEach, expect, it } from 'vitest'
import { findServer } from '../../src/storage/servers.ts'
import { findUser, updateUser } from '../../src/storage/users.ts'
import { describeStores } from '../support/stores.ts'
import { ApiHub, type Caller } from './api-hub.ts'

describeStores('disabled users', (open) => {
  let hub: ApiHub
  let root: Caller
  let bob: Caller
  afterEach(() => hub.close())

  async function start() {
    hub = await ApiHub.start(await open())
    await hub.addPeople()
    root = await hub.callerWith(['admin:users', 'admin:servers', 'tokens', 'list:users'], 'root')
    bob = await hub.callerWith(['self'], 'bob')
  }

  const disable = (disabled: unknown) => root('PATCH /users/bob', { disabled })
  const stateOf = async (name: string) =>
    (await findServer(hub.store.db, name, ''))?.state.kind ?? 'absent'
  async function until(isTrue: () => Promise<boolean>) {
    while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  it('show it on their model, and other models have no new key', async () => {
    await start()
    expect((await disable(true)).json()).toMatchObject({ name: 'bob', disabled: true })
    const users = (await root('GET /users')).json<{ name: string }[]>()
    const marked = users.filter((user) => 'disabled' in user).map(({ name }) => name)
    expect(marked).toEqual(['bob'])
    expect((await disable(false)).json()).not.toHaveProperty('disabled')
    expect((await root('GET /users/bob')).json()).not.toHaveProperty('disabled')
  })

  it('are refused as strangers are, with token and cookie, at once', async () => {
    await start()
    const cookie = { cookie: await hub.cookieOf('bob') }
    expect((await hub.anonymous()('GET /user', undefined, cookie)).statusCode).toBe(200)
    await disable(true)
    const stranger = await hub.withToken('f'.repeat(32))('GET /user')
    for (const answer of [
      await bob('GET /user'),
      await hub.anonymous()('GET /user', undefined, cookie),
    ]) {
      expect([answer.statusCode, answer.body]).toEqual([403, stranger.body])
    }
    // Enabled again: what the user made works, browser sessions are over for good.
    await disable(false)
    expect((await bob('GET /user')).statusCode).toBe(200)
    expect((await hub.anonymous()('GET /user', undefined, cookie)).statusCode).toBe(403)
  })

  it('have their servers stopped, and start none', async () => {
    await start()
    expect((await root('POST /users/bob/server')).statusCode).toBe(201)
    await disable(true)
    await until(async () => (await stateOf('bob')) === 'stopped')
    expect(hub.machines.running.size).toBe(0)
    const refused = await root('POST /users/bob/server')
    expect([refused.statusCode, refused.json()]).toEqual([
      403,
      { status: 403, message: 'The user is disabled' },
    ])
    await disable(false)
    expect((await root('POST /users/bob/server')).statusCode).toBe(201)
  })

  it('have a start under way cancelled', async () => {
    await start()
    hub.machines.behaviour.startDelayMs = 60_000
    await root('PUT /users/bob/servers/n1')
    const starting = root('POST /users/bob/server')
    await until(async () => (await stateOf('bob')) === 'spawning')
    await disable(true)
    await until(async () => (await stateOf('bob')) === 'stopped')
    await starting
    expect(hub.machines.running.size).toBe(0)
  })

  it('lose what OAuth handed out; their own tokens show that they may do nothing', async () => {
    await start()
    const now = Date.now()
    const user = await findUser(hub.store.db, 'bob')
    await hub.store.write(async (tx) => {
      const client = { description: '', secret_hash: '', redirect_uri: '', allowed_scopes: '[]' }
      await tx.db
        .insertInto('oauth_clients')
        .values({ id: 'app', ...client })
        .execute()
      const code = { client_id: 'app', redirect_uri: '', session_id: '', scopes: '[]' }
      await tx.db
        .insertInto('oauth_codes')
        .values({ hashed: 'h', user_id: user?.id ?? 0, expires_at: now + 60_000, ...code })
        .execute()
      await tx.db
        .insertInto('api_tokens')
        .values({
          hashed: 'x',
          prefix: 'x',
          user_id: user?.id ?? 0,
          client_id: 'app',
          note: '',
          scopes: '["inherit"]',
          created_at: now,
        })
        .execute()
    })
    const tokens = async () =>
      (await root('GET /users/bob/tokens')).json<{ api_tokens: { scopes: string[] }[] }>()
        .api_tokens
    expect(await tokens()).toHaveLength(2)
    await disable(true)
    expect((await tokens()).map(({ scopes }) => scopes)).toEqual([[]])
    expect(await hub.store.db.selectFrom('oauth_codes').selectAll().execute()).toEqual([])
    expect((await root('POST /users/bob/tokens')).statusCode).toBe(403)
  })

  it('are disabled by whoever may edit them, not by themselves', async () => {
    await start()
    const cases: [Caller, string, unknown, number][] = [
      [bob, 'PATCH /users/bob', { disabled: true }, 403],
      [root, 'PATCH /users/root', { disabled: true }, 400],
      [root, 'PATCH /users/root', { disabled: false }, 200],
      [root, 'PATCH /users/bob', { disabled: 'yes' }, 400],
      [root, 'PATCH /users/bob', { disabled: null }, 400],
      [root, 'PATCH /users/ghost', { disabled: true }, 404],
      [root, 'PATCH /users/bob', { disabled: true }, 200],
      [root, 'PATCH /users/bob', { disabled: true }, 200],
      [root, 'POST /users/eve', { disabled: true }, 400],
    ]
    for (const [call, line, body, status] of cases) {
      const answer = await call(line, body)
      const label = `${line} ${JSON.stringify(body)}`
      expect([label, answer.statusCode]).toEqual([label, status])
    }
    // An administrator's flag protects from those who have none.
    const carol = await findUser(hub.store.db, 'carol')
    if (carol === undefined) throw new TypeError('one of the people')
    await hub.store.write((tx) => updateUser(tx, carol, { admin: true }))
    expect((await root('PATCH /users/carol', { disabled: true })).statusCode).toBe(403)
  })
})
