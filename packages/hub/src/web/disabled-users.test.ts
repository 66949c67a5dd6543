import { afterEach, beforeEach, expect, test } from 'vitest'
import { setUserDisabled } from '../storage/disabled-users.ts'
import { findUser } from '../storage/users.ts'
import { createPasswordLink } from './accounts.ts'
import { type Browser, startTestHub, type TestHub } from './web-test-kit.ts'

let hub: TestHub
let browser: Browser
const password = 'three unrelated words'
const xsrf = (of: Browser) => of.cookies.get('_xsrf') ?? ''

beforeEach(async () => {
  hub = await startTestHub()
  browser = hub.browser()
  await browser.get('/hub/signup')
  const account = { username: 'ada', password, confirmation: password }
  await browser.post('/hub/signup', { _xsrf: xsrf(browser), ...account })
})
afterEach(() => hub.close())

async function ada() {
  const user = await findUser(hub.store.db, 'ada')
  if (user === undefined) throw new TypeError('she signed up')
  return user
}

async function disable(disabled: boolean) {
  const { id } = await ada()
  await hub.store.write((tx) => setUserDisabled(tx, id, disabled))
}

async function logIn(secret: string) {
  const fresh = hub.browser()
  await fresh.get('/hub/login')
  const fields = { _xsrf: xsrf(fresh), username: 'ada', password: secret }
  const answer = await fresh.post('/hub/login', fields)
  return { status: answer.statusCode, text: /role="alert">([^<]*)/.exec(answer.body)?.[1] }
}

test('a disabled user is refused with the words for a wrong password', async () => {
  const wrong = await logIn('not the password')
  expect(wrong.status).toBe(403)
  await disable(true)
  expect(await logIn(password)).toEqual(wrong)
  await disable(false)
  expect((await logIn(password)).status).toBe(302)
})

test('browser sessions of a disabled user are over, also when the user is enabled again', async () => {
  expect((await browser.get('/hub/home')).statusCode).toBe(200)
  await disable(true)
  await disable(false)
  const answer = await browser.get('/hub/home')
  expect([answer.statusCode, answer.headers.location]).toEqual([
    302,
    '/hub/login?next=%2Fhub%2Fhome',
  ])
})

test('a link for a new password lets no disabled user in', async () => {
  if (hub.deps.accounts === undefined) throw new TypeError('accounts are native')
  const token = await createPasswordLink(hub.deps.accounts, await ada(), 'user root')
  const open = async () => (await hub.browser().get(`/hub/set-password?token=${token}`)).statusCode
  expect(await open()).toBe(200)
  await disable(true)
  expect(await open()).toBe(403)
})
