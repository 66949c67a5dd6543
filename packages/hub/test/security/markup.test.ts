import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { putOAuthClient } from '../../src/storage/oauth.ts'
import { openStore } from '../../src/storage/open.ts'
import { createService } from '../../src/storage/services.ts'
import { ensureServer } from '../../src/storage/servers.ts'
import { hashToken } from '../../src/storage/token-hash.ts'
import { createToken } from '../../src/storage/tokens.ts'
import { findUser, getUser, grantUserRole } from '../../src/storage/users.ts'
import { Site, type SiteBrowser } from '../support/site.ts'

/** Tags, attributes, and what closes either, in names that anybody may choose. */
const payload = `"'><img src=x onerror=alert(1)>&amp;{{7*7}}`

let site: Site
beforeEach(async () => {
  site = await Site.start(await openStore({ url: 'sqlite:///:memory:', directory: '.' }))
})
afterEach(async () => {
  await site.close()
  await site.store.close()
})

/** A page in which no text of ours made an element, an attribute, or a header. */
function expectInert(label: string, answer: { body: string; headers: object }): void {
  const { body } = answer
  expect([label, /<img src=x|onerror=alert\(1\)>|"'>/i.exec(body)?.[0]]).toEqual([label, undefined])
  expect([label, body.match(/<script\b[^>]*>/g) ?? []]).toEqual([
    label,
    expect.not.arrayContaining([expect.stringMatching(/<script>/)]),
  ])
  for (const [name, value] of Object.entries(answer.headers)) {
    expect([label, name, /[\r\n]|onerror=alert\(1\)>/.test(String(value))]).toEqual([
      label,
      name,
      false,
    ])
  }
}

describe('names are text', () => {
  let browser: SiteBrowser
  const name = payload.toLowerCase()
  beforeEach(async () => {
    browser = await site.signedIn(payload)
    const user = await getUser(site.store.db, name)
    const now = new Date()
    await site.store.write(async (tx) => {
      await grantUserRole(tx, user.id, 'admin')
      const server = await ensureServer(
        tx,
        { userId: user.id, name: 'a', displayName: payload },
        now,
      )
      const service = { name: payload, admin: false, url: '', command: [], info: {}, display: true }
      await createService(tx, { ...service, oauthNoConfirm: false, fromConfig: false })
      await putOAuthClient(tx, {
        id: `jupyterhub-user-x`,
        description: payload,
        secretHash: hashToken('x'.repeat(32)),
        redirectUri: '/user/x/oauth_callback',
        allowedScopes: [],
        serverId: server.id,
        serviceId: null,
      })
      const owner = { kind: 'user', id: user.id } as const
      const token = { value: 'y'.repeat(32), owner, scopes: ['inherit'], note: payload }
      await createToken(tx, token, now)
      await createToken(tx, { ...token, value: 'z'.repeat(32), clientId: 'jupyterhub-user-x' }, now)
    })
    await site.callerWith(['admin-ui', 'list:users', 'admin:users', 'self'], name)
  })

  test('on every page of who is signed in', async () => {
    const user = encodeURIComponent(name)
    const query = encodeURIComponent(payload)
    const pages = [
      'home',
      'token',
      'admin',
      `admin?name_filter=${query}`,
      'spawn',
      `spawn/${user}`,
      `spawn/${user}/${query}`,
      `spawn?opt-${query}=${query}`,
      `spawn-pending/${user}/a`,
      `spawn-pending/${user}/${query}`,
      `user/${user}/`,
      `user/${user}/a/${query}?${query}=${query}`,
      `user-redirect/${query}?${query}`,
      `accept-share?code=${query}`,
      `error/404?${query}`,
      `${query}?${query}=${query}`,
      `api/oauth2/authorize?client_id=${query}&redirect_uri=${query}&state=${query}`,
      'api/oauth2/authorize?client_id=jupyterhub-user-x&response_type=code&redirect_uri=%2Fuser%2Fx%2Foauth_callback',
    ]
    for (const page of pages) expectInert(page, await browser.get(`/hub/${page}`))
    const home = await browser.get('/hub/home')
    expect(home.body).toContain('&lt;img src=x onerror=alert(1)&gt;')
    expect((await browser.get('/hub/admin')).body).toContain('&lt;img src=x')
    expect((await browser.get('/hub/token')).body).toContain('&lt;img src=x')
  })

  test('in what a form says of what is wrong with it', async () => {
    const _xsrf = browser.jar.get('_xsrf') ?? ''
    const text = payload
    for (const [page, fields] of [
      ['login', { username: payload, password: 'wrong' }],
      ['admin', { action: 'add', user: `${payload}/` }],
      ['admin', { action: 'stop', user: text, server: text }],
      ['home', { action: text, server: text }],
      ['token', { token: text }],
      ['accept-share', { code: text }],
    ] as const) {
      const answer = await browser.send('POST', `/hub/${page}`, { fields: { ...fields, _xsrf } })
      expectInert(page, answer)
    }
    const stranger = site.browser()
    const form = (await stranger.get(`/hub/login?username=${encodeURIComponent(payload)}`)).body
    expectInert('login with a name', { body: form, headers: {} })
    expectInert('login', await stranger.submitLogin(form, { username: 'x">', password: 'wrong' }))
  })

  test('and what the API says is never read as a page', async () => {
    const query = encodeURIComponent(payload)
    for (const path of [`users/${query}`, `users?state=${query}`, query, `groups/${query}`]) {
      const answer = await browser.get(`/hub/api/${path}`)
      expect([path, answer.headers['content-type']]).toEqual([path, 'application/json'])
      expect(answer.headers['content-security-policy']).toContain("default-src 'none'")
    }
    expect(await findUser(site.store.db, name)).toBeDefined()
  })
})

test('no page may be put into a frame of another, nor its type guessed', async () => {
  const browser = await site.signedIn('ada')
  for (const page of ['home', 'token', 'login', 'nowhere', 'error/404', 'api/oauth2/authorize']) {
    const { headers } = await browser.get(`/hub/${page}`)
    expect([page, headers['content-security-policy']]).toEqual([
      page,
      expect.stringContaining("frame-ancestors 'none'"),
    ])
    expect([page, headers['x-content-type-options']]).toEqual([page, 'nosniff'])
  }
})
