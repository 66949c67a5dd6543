import { afterEach, beforeEach, expect, test } from 'vitest'
import { putRole } from '../../src/storage/access.ts'
import {
  createUser,
  findUser,
  getUser,
  grantUserRole,
  updateUser,
} from '../../src/storage/users.ts'
import { type Browser, startTestHub, type TestHub } from '../../src/web/web-test-kit.ts'

/** Whoever sets the password of an account has it: links are worth as much as the account. */
let hub: TestHub
let manager: Browser
beforeEach(async () => {
  hub = await startTestHub()
  manager = hub.browser()
  await manager.get('/hub/signup')
  await manager.post('/hub/signup', {
    _xsrf: manager.cookies.get('_xsrf') ?? '',
    username: 'manager',
    ...passwords,
  })
  const { store } = hub
  const { id } = await getUser(store.db, 'manager')
  await store.write(async (tx) => {
    const scopes = ['admin-ui', 'list:users', 'admin:users', 'delete:users']
    await putRole(tx, { name: 'manager', description: '', scopes })
    await grantUserRole(tx, id, 'manager')
    await createUser(tx, { name: 'bob' }, new Date())
  })
})
afterEach(() => hub.close())

const passwords = { password: 'three unrelated words', confirmation: 'three unrelated words' }
const act = (fields: Record<string, string>) =>
  manager.post('/hub/admin', { _xsrf: manager.cookies.get('_xsrf') ?? '', ...fields })
const linkIn = (body: string) => /set-password\?token=([\w.%-]+)/.exec(body)?.[1]
const makeAdmin = async (name: string, admin: boolean) => {
  const user = await getUser(hub.store.db, name)
  await hub.store.write((tx) => updateUser(tx, user, { admin }))
}

test('a manager makes links for users, and for no administrator of now or of the next start', async () => {
  await manager.get('/hub/admin')
  expect(linkIn((await act({ action: 'link', user: 'bob' })).body)).toBeDefined()
  for (const name of ['root', 'Root']) {
    const answer = await act({ action: 'add', user: name })
    expect([name, answer.statusCode, linkIn(answer.body)]).toEqual([name, 403, undefined])
  }
  expect(await findUser(hub.store.db, 'root')).toBeUndefined()
  await hub.store.write((tx) => createUser(tx, { name: 'root' }, new Date()))
  expect((await act({ action: 'link', user: 'root' })).statusCode).toBe(403)
  await makeAdmin('bob', true)
  expect((await act({ action: 'link', user: 'bob' })).statusCode).toBe(403)
})

test('a link of before is worth nothing once its user is an administrator', async () => {
  await manager.get('/hub/admin')
  const token = decodeURIComponent(linkIn((await act({ action: 'link', user: 'bob' })).body) ?? '')
  const browser = hub.browser()
  expect((await browser.get(`/hub/set-password?token=${token}`)).statusCode).toBe(200)
  await makeAdmin('bob', true)
  expect((await browser.get(`/hub/set-password?token=${token}`)).statusCode).toBe(403)
  const _xsrf = browser.cookies.get('_xsrf') ?? ''
  const fields = { _xsrf, token, ...passwords }
  expect((await browser.post('/hub/set-password', fields)).statusCode).toBe(403)
  await makeAdmin('bob', false)
  expect((await browser.post('/hub/set-password', fields)).statusCode).toBe(302)
  expect((await browser.post('/hub/set-password', fields)).statusCode).toBe(403)
})
