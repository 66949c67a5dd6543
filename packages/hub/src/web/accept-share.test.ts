import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Server, User } from '../domain/records.ts'
import { createShareCode, listShareCodes, newShareCode } from '../storage/share-codes.ts'
import { ensureServer } from '../storage/servers.ts'
import { listShares } from '../storage/shares.ts'
import { createUser, findUser } from '../storage/users.ts'
import { type Browser, startTestHub, type TestHub } from './web-test-kit.ts'

let hub: TestHub
let ada: User
let server: Server
let guest: Browser
const password = 'three unrelated words'

beforeEach(async () => {
  hub = await startTestHub()
  ada = await hub.store.write((tx) => createUser(tx, { name: 'ada' }, hub.clock.now))
  server = await hub.store.write((tx) =>
    ensureServer(tx, { userId: ada.id, name: 'n1', displayName: null }, hub.clock.now),
  )
  guest = await signUpAs('bob')
})
afterEach(() => hub.close())

async function signUpAs(username: string): Promise<Browser> {
  const browser = hub.browser()
  await browser.get('/hub/signup')
  const _xsrf = browser.cookies.get('_xsrf') ?? ''
  await browser.post('/hub/signup', { _xsrf, username, password, confirmation: password })
  return browser
}

async function makeCode(ownServer = server, scopes = ['access:servers']): Promise<string> {
  const { now } = hub.clock
  const value = newShareCode()
  const expiresAt = new Date(now.getTime() + 60_000)
  const code = { value, serverId: ownServer.id, scopes, now, expiresAt }
  await hub.store.write((tx) => createShareCode(tx, code))
  return value
}

const xsrf = (browser: Browser) => browser.cookies.get('_xsrf') ?? ''
const page = (code: string, next = '') =>
  `/hub/accept-share?code=${code}${next && `&next=${encodeURIComponent(next)}`}`
const accept = (url: string, code: string) => guest.post(url, { _xsrf: xsrf(guest), code })

async function received() {
  const bob = await findUser(hub.store.db, 'bob')
  const query = { selection: { receivedByUserId: bob?.id ?? 0 }, now: hub.clock.now }
  return (await listShares(hub.store.db, { ...query, offset: 0, limit: 10 })).shares
}

test('an invitation is shown, accepted, and leads to the server', async () => {
  const code = await makeCode()
  const shown = await guest.get(page(code))
  expect(shown.statusCode).toBe(200)
  expect(shown.body).toContain(`name="code" value="${code}"`)
  expect(shown.body).toContain(`name="_xsrf" value="${xsrf(guest)}"`)
  expect(await received()).toEqual([])
  const accepted = await accept(page(code), code)
  expect([accepted.statusCode, accepted.headers.location]).toEqual([302, '/user/ada/n1/'])
  expect(await received()).toMatchObject([{ scopes: ['access:servers'], server: { name: 'n1' } }])
})

test('a second code extends the share; uses are counted, also those that change nothing', async () => {
  const code = await makeCode()
  await accept(page(code), code)
  await accept(page(code), code)
  const more = await makeCode(server, ['start:servers'])
  await accept(page(more), more)
  expect(await received()).toMatchObject([{ scopes: ['access:servers', 'start:servers'] }])
  const query = { selection: { ownerId: ada.id }, now: hub.clock.now, offset: 0, limit: 10 }
  const { codes } = await listShareCodes(hub.store.db, query)
  expect(codes.map(({ exchangeCount }) => exchangeCount)).toEqual([2, 1])
  expect(codes[0]?.lastExchangedAt).toEqual(hub.clock.now)
})

test.each([
  ['/hub/home', '/hub/home'],
  ['//evil.example/x', '/user/ada/n1/'],
  ['https://evil.example/', '/user/ada/n1/'],
  ['/\\evil.example', '/%5Cevil.example'],
])('next %s leads to %s', async (next, location) => {
  const code = await makeCode()
  expect((await guest.get(page(code, next))).body).toContain(`href="${location}"`)
  const accepted = await accept(page(code, next), code)
  expect(accepted.headers.location).toBe(location)
})

test('without its XSRF token nothing is accepted', async () => {
  const code = await makeCode()
  expect((await guest.post(page(code), { code })).statusCode).toBe(403)
  expect(await received()).toEqual([])
})

test.each([
  ['without a code', '/hub/accept-share', 400, 400],
  ['with an empty code', '/hub/accept-share?code=', 404, 400],
  ['with an unknown code', page('x'.repeat(43)), 404, 400],
  ['with a hostile code', page('%22%3E%3Cscript%3E'), 404, 400],
])('%s it is GET %s: %i, POST %i', async (_name, url, get, post) => {
  const shown = await guest.get(url)
  expect(shown.statusCode).toBe(get)
  expect(shown.body).not.toContain('<script>')
  expect((await guest.post(url, { _xsrf: xsrf(guest) })).statusCode).toBe(post)
})

test('an expired code is as good as none', async () => {
  const code = await makeCode()
  hub.clock.now = new Date(hub.clock.now.getTime() + 60_001)
  expect((await guest.get(page(code))).statusCode).toBe(404)
  expect((await accept(page(code), code)).statusCode).toBe(400)
})

test('nobody accepts the own server', async () => {
  const bob = await findUser(hub.store.db, 'bob')
  const own = await hub.store.write((tx) =>
    ensureServer(tx, { userId: bob?.id ?? 0, name: '', displayName: null }, hub.clock.now),
  )
  const code = await makeCode(own)
  expect((await guest.get(page(code))).statusCode).toBe(403)
  expect((await accept(page(code), code)).statusCode).toBe(400)
  expect(await received()).toEqual([])
})

test('strangers sign in first; what they post is refused', async () => {
  const code = await makeCode()
  const stranger = hub.browser()
  const sent = await stranger.get(page(code))
  expect([sent.statusCode, sent.headers.location]).toEqual([
    302,
    `/hub/login?next=${encodeURIComponent(page(code))}`,
  ])
  await stranger.get('/hub/login')
  const refused = await stranger.post(page(code), { _xsrf: xsrf(stranger), code })
  expect(refused.statusCode).toBe(403)
})
