import { afterEach, beforeEach, expect, test } from 'vitest'
import { dummyAuthenticator } from '../authenticators/dummy/dummy-authenticator.ts'
import { createUser, findUser } from '../storage/users.ts'
import { authenticateCredentials, type LoginDeps } from './authenticate.ts'
import { startTestHub, type TestHub } from './web-test-kit.ts'

let hub: TestHub
let login: LoginDeps
beforeEach(async () => {
  hub = await startTestHub()
  const authenticator = dummyAuthenticator.create({
    options: { password: '' },
    passwords: { findPasswordHash: () => Promise.resolve(undefined) },
  })
  login = { ...hub.deps.login, authenticator, rules: { ...hub.deps.login.rules, allowAll: true } }
})
afterEach(() => hub.close())

const credentials = (username: string) => ({
  username,
  password: 'x',
  fields: {},
  remoteAddress: '192.0.2.1',
})

test('credentials for a token make no user of somebody who never signed in', async () => {
  const asked = authenticateCredentials(login, credentials('new'), { mayCreate: false })
  await expect(asked).rejects.toMatchObject({ code: 'login_refused' })
  expect(await findUser(hub.store.db, 'new')).toBeUndefined()
})

test('credentials for a token of a known user are good', async () => {
  await hub.store.write((tx) => createUser(tx, { name: 'old' }, hub.clock.now))
  const user = await authenticateCredentials(login, credentials('old'), { mayCreate: false })
  expect(user.name).toBe('old')
})
