import { expect, test } from 'vitest'
import { putService } from '../storage/services.ts'
import { putRole } from '../storage/access.ts'
import { grantUserRole, findUser } from '../storage/users.ts'
import { startTestHub } from './web-test-kit.ts'

const scopes = {
  none: [],
  one: ['access:services!service=dash'],
  all: ['access:services'],
  other: ['access:services!user=dash'],
} as const

test.each([
  ['none', []],
  ['one', ['dash']],
  ['all', ['dash', 'wiki pages']],
  ['other', []],
] as const)('with %s of the access scopes, pages link to %j', async (held, linked) => {
  const hub = await startTestHub()
  await hub.store.write(async (tx) => {
    const shared = { admin: false, info: {}, fromConfig: true, command: [], oauthNoConfirm: false }
    const shown = { ...shared, display: true, url: 'http://127.0.0.1:9100' }
    await putService(tx, { ...shown, name: 'dash' })
    await putService(tx, { ...shown, name: 'wiki pages' })
    await putService(tx, { ...shown, name: 'hidden', display: false })
    await putService(tx, { ...shown, name: 'pageless', url: '' })
  })
  const browser = hub.browser()
  await browser.get('/hub/signup')
  const password = 'three unrelated words'
  await browser.post('/hub/signup', {
    _xsrf: browser.cookies.get('_xsrf') ?? '',
    username: 'ada',
    password,
    confirmation: password,
  })
  await hub.store.write(async (tx) => {
    const ada = await findUser(tx.db, 'ada')
    await putRole(tx, { name: 'visitor', description: '', scopes: scopes[held] })
    await grantUserRole(tx, ada?.id ?? 0, 'visitor')
  })
  const { body } = await browser.get('/hub/home')
  const links = [...body.matchAll(/href="\/services\/([^"]*)\/"/g)].map(([, name = '']) =>
    decodeURIComponent(name),
  )
  expect(links).toEqual(linked)
  await hub.close()
})
