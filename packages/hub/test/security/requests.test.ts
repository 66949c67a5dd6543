import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findUser } from '../../src/storage/users.ts'
import { Site, type SiteBrowser, sitePassword } from '../support/site.ts'
import { openStore } from '../../src/storage/open.ts'

let site: Site
beforeEach(async () => {
  site = await Site.start(await openStore({ url: 'sqlite:///:memory:', directory: '.' }))
})
afterEach(async () => {
  await site.close()
  await site.store.close()
})

const ownOrigin = 'http://localhost'

describe('open redirects', () => {
  const evil = 'evil.example'
  const hostile = [
    `//${evil}`,
    `///${evil}`,
    `////${evil}/%2e%2e`,
    `https://${evil}`,
    `https:${evil}`,
    `https:/${evil}`,
    `HTTPS://${evil}`,
    `ftp://${evil}`,
    `javascript:alert(1)//`,
    `data:text/html,x`,
    `\\\\${evil}`,
    `/\\${evil}`,
    `\\/${evil}`,
    `/\t/${evil}`,
    `/\n/${evil}`,
    `/\r\n/${evil}`,
    `\t//${evil}`,
    `\u0000//${evil}`,
    ` //${evil}`,
    `\u00a0//${evil}`,
    `/\u2028/${evil}`,
    `／／${evil}`,
    `/%2F/${evil}`,
    `/%5C${evil}`,
    `%2F%2F${evil}`,
    `/.//${evil}`,
    `/..//${evil}`,
    `http://localhost//${evil}`,
    `http://localhost:80//${evil}`,
    `//localhost:80//${evil}`,
    `http://localhost:80@${evil}/`,
    `http://localhost:80.${evil}/`,
    `http://localhost:80\\@${evil}/`,
    `//${evil}\\@localhost:80/`,
    `x\r\nLocation: https://${evil}`,
  ]

  /** Where a browser would go. */
  const destination = (location: unknown) => new URL(String(location), `${ownOrigin}/hub/login`)

  test.each(hostile.map((next) => [JSON.stringify(next), next]))('%s', async (_shown, next) => {
    const query = `next=${encodeURIComponent(next)}`
    const browser = site.browser()
    const answers = [await browser.signIn('ada', next)]
    for (const page of ['login', '', 'spawn', 'logout']) {
      if (page === 'logout') await site.addServer('bob')
      answers.push(await browser.get(`/hub/${page}?${query}`))
    }
    answers.push(await browser.get(`/hub/accept-share?code=x&${query}`))
    for (const { headers } of answers) {
      if (headers.location === undefined) continue
      expect(headers.location).toMatch(/^[\x21-\x7e]+$/)
      expect(destination(headers.location).origin).toBe(ownOrigin)
    }
    expect(answers[0]?.statusCode).toBe(302)
  })

  test('next is text in every page that shows it', async () => {
    const next = '/"><script>alert(1)</script>\'&x'
    for (const page of ['login', 'spawn', 'accept-share', 'home', 'error/503']) {
      const answer = await site.browser().get(`/hub/${page}?next=${encodeURIComponent(next)}`)
      expect(answer.body).not.toContain('<script>alert')
      expect(answer.body).not.toContain('"><script')
    }
    const form = (await site.browser().get(`/hub/login?next=${encodeURIComponent(next)}`)).body
    const action = /<form action="([^"]*)"/.exec(form)?.[1]?.replaceAll('&#39;', "'") ?? ''
    expect(new URL(action, ownOrigin).searchParams.get('next')).toBe(next)
  })
})

describe('requests that a foreign page makes', () => {
  let root: SiteBrowser
  beforeEach(async () => {
    await site.addServer('ada')
    // Whatever is refused below is so for the way it was asked, not for a right that is missing.
    const scopes = ['admin-ui', 'admin:users', 'admin:groups', 'list:users', 'tokens', 'shutdown']
    await site.callerWith([...scopes, 'admin:servers'], 'root')
    root = await site.signedIn('root')
  })

  const admin: [string, string, object][] = [
    ['POST', '/hub/api/users', { usernames: ['eve'] }],
    ['PATCH', '/hub/api/users/ada', { admin: true }],
    ['DELETE', '/hub/api/users/ada', {}],
    ['POST', '/hub/api/users/ada/tokens', {}],
    ['POST', '/hub/api/groups/g1', {}],
    ['POST', '/hub/api/shutdown', {}],
  ]
  const names = async () => {
    const rows = await site.store.db.selectFrom('users').select(['name', 'admin']).execute()
    return rows.map(({ name, admin }) => `${name} ${admin}`).toSorted()
  }

  test.each(admin)('%s %s without the XSRF token changes nothing', async (method, url, json) => {
    const before = await names()
    for (const mode of [undefined, 'navigate', 'no-cors', 'cors', 'same-origin']) {
      for (const headers of [{}, { 'x-xsrftoken': 'forged' }, { origin: 'https://evil.example' }]) {
        const sent = { ...headers, ...(mode !== undefined && { 'sec-fetch-mode': mode }) }
        const answer = await root.send(method as 'POST', url, { json, headers: sent })
        expect(answer.statusCode).toBe(403)
      }
    }
    expect(await names()).toEqual(before)
    if (url.endsWith('/shutdown')) return
    const own = { 'x-xsrftoken': root.jar.get('_xsrf') ?? '' }
    const meant = await root.send(method as 'POST', url, { json, headers: own })
    expect(meant.statusCode).toBeLessThan(300)
  })

  test('a form sent with no-cors does nothing', async () => {
    const headers = { 'sec-fetch-mode': 'no-cors', 'sec-fetch-site': 'cross-site' }
    const fields = { action: 'stop', username: 'eve', password: sitePassword, token: 'a1' }
    for (const page of ['login', 'home', 'token', 'admin', 'spawn', 'accept-share']) {
      // Without hosts of their own, pages of users' servers are of the same origin.
      for (const from of ['cross-site', 'same-site', 'same-origin', 'none']) {
        const sent = { ...headers, 'sec-fetch-site': from }
        const answer = await root.send('POST', `/hub/${page}`, { fields, headers: sent })
        expect([page, from, answer.statusCode]).toEqual([page, from, 403])
      }
    }
    const stranger = site.browser()
    const login = await stranger.send('POST', '/hub/login', { fields, headers })
    expect([login.statusCode, stranger.jar.get('jupyterhub-hub-login')]).toEqual([403, undefined])
    for (const site of ['cross-site', 'same-site', 'none']) {
      const sent = { ...headers, 'sec-fetch-site': site }
      expect((await root.get('/hub/api/user', sent)).statusCode).toBe(403)
    }
    const own = { ...headers, 'sec-fetch-site': 'same-origin' }
    expect((await root.get('/hub/api/user', own)).statusCode).toBe(200)
  })

  test('a cookie counts in a POST with JSON only', async () => {
    const xsrf = root.jar.get('_xsrf') ?? ''
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      const answer = await root.send('POST', `/hub/api/users?_xsrf=${encodeURIComponent(xsrf)}`, {
        json: { usernames: ['eve'] },
        headers: { 'content-type': type },
      })
      expect([type, answer.statusCode]).toEqual([type, 403])
    }
    expect(await findUser(site.store.db, 'eve')).toBeUndefined()
    const url = `/hub/api/users?_xsrf=${encodeURIComponent(xsrf)}`
    const asJson = await root.send('POST', url, { json: { usernames: ['eve'] } })
    expect(asJson.statusCode).toBe(201)
  })
})

describe('guessing is limited over all hubs', () => {
  let second: Site
  beforeEach(async () => {
    second = await Site.start(site.store)
  })
  afterEach(() => second.close())

  /** Statuses of as many tries as it takes to be refused, at two hubs in turn. */
  async function untilRefused(
    attempt: (hub: Site) => Promise<{ statusCode: number; headers: object }>,
  ) {
    for (let tries = 0; tries < 60; tries += 1) {
      const answer = await attempt(tries % 2 === 0 ? site : second)
      if (answer.statusCode === 429) return { tries, headers: answer.headers }
    }
    return { tries: 60, headers: {} }
  }

  test('at the login page', async () => {
    const refused = await untilRefused(async (hub) => {
      const browser = hub.browser()
      const page = (await browser.get('/hub/login')).body
      return browser.submitLogin(page, { username: 'ada', password: 'guess' })
    })
    expect(refused.tries).toBe(5)
    expect(refused.headers).toHaveProperty('retry-after')
  })

  test('at the token endpoint, where the right secret still passes', async () => {
    const client = await site.addServer('ada')
    const refused = await untilRefused((hub) =>
      hub.exchange({ ...client, code: 'x', client_secret: 'guess' }),
    )
    expect(refused.tries).toBe(20)
    expect(refused.headers).toHaveProperty('retry-after')
    expect((await second.exchange({ ...client, code: 'x' })).json()).toEqual({
      error: 'invalid_grant',
    })
  })

  test('at the API that takes credentials', async () => {
    await site.addServer('ada')
    const refused = await untilRefused((hub) =>
      hub.app.inject({
        method: 'POST',
        url: '/hub/api/users/ada/tokens',
        payload: JSON.stringify({ auth: { username: 'ada', password: 'guess' } }),
      }),
    )
    expect(refused.tries).toBe(5)
    expect(refused.headers).toHaveProperty('retry-after')
  })
})

test('secrets of a request are in no answer to it, and pages tell other sites nothing', async () => {
  const secret = 'S3cretS3cretS3cretS3cretS3cret'
  const client = await site.addServer('ada')
  const browser = await site.signedIn('ada')
  const query = new URLSearchParams({ ...client, code: secret, state: secret }).toString()
  const answers = [
    await site.exchange({ ...client, code: secret, client_secret: secret, code_verifier: secret }),
    await browser.get('/hub/api/user', { authorization: `token ${secret}` }),
    await browser.get(`/hub/nowhere?${query}`),
    await browser.get(`/hub/api/oauth2/authorize?response_type=code&code=${secret}&client_id=x`),
    await browser.send('POST', '/hub/login', { fields: { password: secret, _xsrf: secret } }),
    await browser.get('/hub/token'),
  ]
  for (const answer of answers) {
    expect(answer.body).not.toContain(secret)
    if (answer.headers['content-type'] === 'text/html') {
      expect(answer.headers['referrer-policy']).toBe('same-origin')
    }
  }
})
