import { tmpdir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { putRole } from '../../src/storage/access.ts'
import { setGroupsOfUser } from '../../src/storage/groups.ts'
import { openStore } from '../../src/storage/open.ts'
import type { WriteTransaction } from '../../src/storage/store.ts'
import { deleteTokens } from '../../src/storage/tokens.ts'
import { findUser, stripUserRole, updateUser } from '../../src/storage/users.ts'
import { createPostgresDatabase } from '../support/stores.ts'
import { ApiHub, type Caller } from './api-hub.ts'

const adminUrl = inject('postgresUrl')
const absent = adminUrl === ''
const suffix = absent ? ' (skipped: no PostgreSQL server programs on this machine)' : ''

/** Issue of both: within this a change is known everywhere. */
const boundMs = 10_000

describe.skipIf(absent)(`two hubs on postgres${suffix}`, () => {
  const ends: (() => unknown)[] = []
  let here: ApiHub
  let there: ApiHub
  let root: Caller
  let me: Caller

  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end()
  })

  async function begin() {
    const database = await createPostgresDatabase(adminUrl)
    ends.push(() => database.drop())
    const open = async () => {
      const store = await openStore({ url: database.url, directory: tmpdir() })
      ends.push(() => store.close())
      return store
    }
    const lifecycle = { startTimeoutMs: 60_000 }
    here = await ApiHub.start(await open(), { lifecycle })
    ends.push(() => here.close())
    there = await ApiHub.start(await open(), { machines: here.machines, lifecycle })
    ends.push(() => there.close())
    await here.addPeople()
    const all = ['admin:users', 'admin:servers', 'tokens', 'groups', 'shares', 'list:users']
    root = await here.callerWith(all, 'root')
    me = there.withToken(
      (await here.callerWith(['self', 'list:users', 'read:users!group=g1'])).token,
    )
  }

  async function userId(tx: WriteTransaction, name: string): Promise<number> {
    const user = await findUser(tx.db, name)
    if (user === undefined) throw new TypeError(`no user ${name}`)
    return user.id
  }

  /** How long it takes until a request of the other hub has another outcome. */
  async function untilOutcome(ask: () => Promise<unknown>, expected: unknown): Promise<number> {
    const since = Date.now()
    for (;;) {
      const outcome = await ask()
      if (JSON.stringify(outcome) === JSON.stringify(expected)) return Date.now() - since
      if (Date.now() - since > boundMs) expect(outcome).toEqual(expected)
      await delay(10)
    }
  }

  const status = (call: Caller, line: string) => async () => (await call(line)).statusCode
  const nameOf = (call: Caller) => async () =>
    (await call('GET /user')).json<{ name: string }>().name

  const changes: [string, () => Promise<unknown>, () => Promise<unknown>, unknown, unknown][] = [
    [
      'the scopes of a role',
      () => status(me, 'GET /users')(),
      () =>
        here.store.write((tx) =>
          putRole(tx, { name: 'only-me', description: '', scopes: ['self'] }),
        ),
      200,
      403,
    ],
    [
      'who has a role',
      () => status(me, 'GET /users')(),
      () => here.store.write(async (tx) => stripUserRole(tx, await userId(tx, 'me'), 'only-me')),
      200,
      403,
    ],
    [
      'who is in a group that a filter names',
      async () => 'created' in (await me('GET /users/bob')).json<object>(),
      () => root('DELETE /groups/g1/users', { users: ['bob'] }),
      true,
      false,
    ],
    [
      'a token',
      () => status(me, 'GET /user')(),
      () => here.store.write(async (tx) => deleteTokens(tx, { userId: await userId(tx, 'me') })),
      200,
      403,
    ],
    [
      'a user who is deleted',
      () => status(me, 'GET /user')(),
      () => root('DELETE /users/me'),
      200,
      403,
    ],
    [
      'a user who is disabled',
      () => status(me, 'GET /user')(),
      () => root('PATCH /users/me', { disabled: true }),
      200,
      403,
    ],
    [
      'the name of a user',
      () => nameOf(me)(),
      () => root('PATCH /users/me', { name: 'you' }),
      'me',
      'you',
    ],
  ]

  it.each(changes)('%s changes everywhere at once', async (_what, ask, change, before, after) => {
    await begin()
    expect(await ask()).toEqual(before)
    await change()
    expect(await untilOutcome(ask, after)).toBeLessThan(boundMs)
  })

  it('the admin flag, a browser session, a group and a share change everywhere at once', async () => {
    await begin()
    const scopesOfMe = async () => {
      const { scopes } = (await me('GET /user')).json<{ scopes: string[] }>()
      return scopes.filter((scope) => /alice|read:hub/.test(scope))
    }
    expect(await scopesOfMe()).toEqual([])
    // Joining a group, leaving it, and what is shared with it.
    const sharer = await here.callerWith(['shares', 'read:groups:name'], 'sharer')
    expect((await sharer('POST /shares/alice/', { group: 'g2' })).statusCode).toBe(200)
    const join = (groups: string[]) =>
      here.store.write(async (tx) => setGroupsOfUser(tx, await userId(tx, 'me'), groups))
    await join(['g2'])
    await untilOutcome(scopesOfMe, ['access:servers!server=alice/'])
    await sharer('DELETE /shares/alice/')
    await untilOutcome(scopesOfMe, [])
    await sharer('POST /shares/alice/', { group: 'g2' })
    await untilOutcome(scopesOfMe, ['access:servers!server=alice/'])
    await join([])
    await untilOutcome(scopesOfMe, [])
    // The admin flag: only who has it may make administrators.
    const setAdmin = (admin: boolean) =>
      here.store.write(async (tx) => {
        const user = await findUser(tx.db, 'root')
        if (user !== undefined) await updateUser(tx, user, { admin })
      })
    const rootThere = there.withToken(root.token)
    const makeAdmin = async () => (await rootThere('PATCH /users/dave', { admin: true })).statusCode
    expect(await makeAdmin()).toBe(403)
    await setAdmin(true)
    await untilOutcome(makeAdmin, 200)
    await setAdmin(false)
    await untilOutcome(makeAdmin, 403)
    // A browser session.
    const cookie = { cookie: await here.cookieOf('bob') }
    const browse = async () => (await there.anonymous()('GET /user', undefined, cookie)).statusCode
    expect(await browse()).toBe(200)
    await root('PATCH /users/bob', { disabled: true })
    await untilOutcome(browse, 403)
  })

  it('streams end with the right of their reader', async () => {
    await begin()
    here.machines.behaviour.startDelayMs = 60_000
    const watcher = await here.callerWith(['read:servers'], 'watcher')
    void root('POST /users/alice/server').catch(() => undefined) // it waits for the start
    await untilOutcome(async () => {
      const { pending } = (await watcher('GET /users/alice/server')).json<{ pending: string }>()
      return pending
    }, 'spawn')
    for (const hub of [here, there]) {
      const again = await here.callerWith(['read:servers'], 'watcher')
      const stream = hub.withToken(again.token)('GET /users/alice/server/progress')
      const first = await Promise.race([stream.then(() => 'ended'), delay(300).then(() => 'open')])
      expect(first).toBe('open')
      const since = Date.now()
      await here.store.write(async (tx) =>
        deleteTokens(tx, { userId: await userId(tx, 'watcher') }),
      )
      const answer = await stream
      expect(Date.now() - since).toBeLessThan(boundMs)
      expect(answer.body).not.toMatch(/"ready":true|"failed":true/)
    }
    await root('DELETE /users/alice/server')
  }, 30_000)
})
