import { randomBytes } from 'node:crypto'
import { afterEach, expect, it } from 'vitest'
import { createAuthStateVault } from '../../src/access/auth-state-vault.ts'
import { createAuthStates } from '../../src/access/auth-states.ts'
import { findAuthStateText } from '../../src/storage/auth-state.ts'
import type { Store } from '../../src/storage/store.ts'
import { findUser } from '../../src/storage/users.ts'
import { authenticateCredentials } from '../../src/web/authenticate.ts'
import { LoginThrottle } from '../../src/web/login-throttle.ts'
import { silentLogger } from '../support/hubs.ts'
import { describeStores } from '../support/stores.ts'
import { ApiHub, textWith } from './api-hub.ts'

const key = () => randomBytes(32).toString('hex')

function statesOf(store: Store, keys: readonly string[]) {
  return createAuthStates({ store, vault: createAuthStateVault(keys), logger: silentLogger })
}

describeStores('auth_state', (open) => {
  let hub: ApiHub
  afterEach(() => hub.close())

  async function start(keys: readonly string[]) {
    const store = await open()
    hub = await ApiHub.start(store, { deps: { authStates: statesOf(store, keys) } })
    await hub.addPeople()
    return hub.callerWith(['admin:users', 'list:users'])
  }

  async function storedText(name: string): Promise<string | undefined> {
    const user = await findUser(hub.store.db, name)
    return findAuthStateText(hub.store.db, user?.id ?? 0)
  }

  it('is stored encrypted and shown to those with the scope', async () => {
    const call = await start([key()])
    expect((await call('GET /users/bob')).json()).toMatchObject({ auth_state: null })
    const state = { token: 'secret-value', more: [1] }
    const patched = await call('PATCH /users/bob', { auth_state: state })
    expect([patched.statusCode, patched.json()]).toMatchObject([200, { auth_state: state }])
    expect((await call('GET /users/bob')).json()).toMatchObject({ auth_state: state })
    expect(await storedText('bob')).toMatch(/^v1\./)
    expect(await storedText('bob')).not.toContain('secret-value')
    // Lists and other callers do not get it.
    expect((await call('GET /users')).body).not.toContain('secret-value')
    const reader = await hub.callerWith(['read:users'], 'reader')
    expect((await reader('GET /users/bob')).json()).not.toHaveProperty('auth_state')
    const narrow = await hub.callerWith(
      ['read:users:name', 'admin:auth_state!user=carol'],
      'narrow',
    )
    expect((await narrow('GET /users/bob')).json()).not.toHaveProperty('auth_state')
    const audits = await hub.store.db.selectFrom('audit_events').select('data').execute()
    expect(JSON.stringify(audits)).not.toContain('secret-value')
    // A rename takes it along, an edit of something else leaves it alone.
    const renamed = await call('PATCH /users/bob', { name: 'bobby' })
    expect(renamed.json()).toMatchObject({ name: 'bobby', auth_state: state })
    expect((await call('PATCH /users/bobby', { auth_state: {} })).json()).toMatchObject({
      auth_state: {},
    })
  })

  it('takes objects only, and needs a key', async () => {
    const call = await start([])
    const cases: [body: unknown, status: number, text: string][] = [
      [{ auth_state: null }, 400, 'body.auth_state'],
      [{ auth_state: 'x' }, 400, 'body.auth_state'],
      [{ auth_state: { a: 1 } }, 400, 'no encryption key'],
      [{}, 200, '"auth_state":null'],
    ]
    for (const [body, status, text] of cases) {
      const answer = await call('PATCH /users/bob', body)
      expect([body, answer.statusCode, answer.body]).toEqual([body, status, textWith(text)])
    }
  })

  it('is renewed with the first key when it is read, and null when no key fits', async () => {
    const [old, current] = [key(), key()]
    await start([old])
    const { store } = hub
    const user = await findUser(store.db, 'bob')
    if (user === undefined) throw new TypeError('bob is there')
    await store.write((tx) => statesOf(store, [old]).save(tx, user.id, { a: 1 }))
    const before = await storedText('bob')
    expect(await statesOf(store, [current]).load(user.id)).toBeNull()
    expect(await statesOf(store, []).load(user.id)).toBeNull()
    expect(await storedText('bob')).toBe(before)
    expect(await statesOf(store, [current, old]).load(user.id)).toEqual({ a: 1 })
    expect(await storedText('bob')).not.toBe(before)
    expect(await statesOf(store, [current]).load(user.id)).toEqual({ a: 1 })
  })

  it('follows each sign-in: kept while enabled, cleared by none and when it is off', async () => {
    await start([key()])
    const { store } = hub
    const states = statesOf(store, [key()])
    const steps: [isEnabled: boolean, given: { n: number } | null | undefined, kept: unknown][] = [
      [true, { n: 1 }, { n: 1 }],
      [true, { n: 2 }, { n: 2 }],
      [true, null, null],
      [true, { n: 3 }, { n: 3 }],
      [true, undefined, null],
      [true, { n: 4 }, { n: 4 }],
      [false, { n: 5 }, null],
    ]
    for (const [isEnabled, given, kept] of steps) {
      const user = await authenticateCredentials(
        {
          store,
          authenticator: {
            loginService: '',
            allowsAllByDefault: true,
            identify: async () => ({
              name: 'bob',
              admin: null,
              ...(given !== undefined && { authState: given }),
            }),
          },
          rules: {
            allowedUsers: new Set(),
            blockedUsers: new Set(),
            adminUsers: new Set(),
            manageGroups: false,
          },
          throttle: new LoginThrottle(store, () => new Date()),
          authStates: { isEnabled, save: (...input) => states.save(...input) },
          now: () => new Date(),
        },
        { username: 'bob', password: 'x', fields: {}, remoteAddress: '127.0.0.1' },
      )
      expect([isEnabled, given, await states.load(user.id)]).toEqual([isEnabled, given, kept])
    }
  })
})
