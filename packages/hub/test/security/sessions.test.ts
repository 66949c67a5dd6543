import { afterEach, expect, test } from 'vitest'
import { findUser, updateUser } from '../../src/storage/users.ts'
import { CookieJar } from '../support/cookie-jar.ts'
import { Site, type SiteBrowser, sitePassword } from '../support/site.ts'
import { describeStores } from '../support/stores.ts'

const loginCookie = 'jupyterhub-hub-login'
const sessionCookie = 'jupyterhub-session-id'

describeStores('browser sessions', (open) => {
  let site: Site
  const start = async () => {
    site = await Site.start(await open())
    return site
  }
  afterEach(() => site.close())

  const authorizeUrl = (client: { client_id: string; redirect_uri: string }) =>
    `/hub/api/oauth2/authorize?${new URLSearchParams({ ...client, response_type: 'code' }).toString()}`
  const codeOf = (location: unknown) =>
    new URL(String(location), 'http://hub').searchParams.get('code') ?? ''
  const whoIs = async (browser: SiteBrowser) => {
    const answer = await browser.get('/hub/api/user')
    return answer.statusCode === 200 ? answer.json<{ name: string }>().name : 'nobody'
  }
  const countRows = async (table: 'api_tokens' | 'oauth_codes' | 'browser_sessions') => {
    const rows = await site.store.db.selectFrom(table).selectAll().execute()
    return rows.length
  }

  test('log-out ends the session for a copied login cookie too', async () => {
    await start()
    const browser = await site.signedIn('ada')
    const thief = site.browser(browser.jar.copy())
    expect(await whoIs(thief)).toBe('ada')
    const other = await site.signedIn('ada')
    await browser.get('/hub/logout')
    expect(await whoIs(thief)).toBe('nobody')
    expect((await thief.get('/hub/home')).headers.location).toBe('/hub/login?next=%2Fhub%2Fhome')
    expect(await whoIs(other)).toBe('ada')
  })

  test('a request under way at log-out neither brings cookies back nor gives out anything', async () => {
    await start()
    const client = await site.addServer('ada')
    const browser = await site.signedIn('ada')
    const code = codeOf((await browser.get(authorizeUrl(client))).headers.location)
    const late = site.browser(browser.jar.copy())
    await browser.get('/hub/logout')
    expect((await site.exchange({ ...client, code })).json()).toEqual({ error: 'invalid_grant' })
    for (const url of ['/hub/login', '/hub/home', '/hub/token', authorizeUrl(client)]) {
      const answer = await site.browser(late.jar.copy()).get(url)
      const set = [answer.headers['set-cookie'] ?? []].flat()
      expect(set.filter((line) => line.startsWith('jupyterhub-') && !/=; /.test(line))).toEqual([])
      expect(answer.headers.location ?? '').not.toContain('code=')
    }
  })

  test('of authorizations, exchanges and log-outs at once nothing survives', async () => {
    await start()
    const client = await site.addServer('ada')
    for (let round = 0; round < 8; round += 1) {
      const browser = await site.signedIn('ada')
      const codes = await Promise.all(
        [1, 2, 3].map(async () =>
          codeOf((await browser.get(authorizeUrl(client))).headers.location),
        ),
      )
      const late = site.browser(browser.jar.copy())
      await Promise.all([
        ...codes.map((code) => site.exchange({ ...client, code })),
        late.get(authorizeUrl(client)),
        browser.get('/hub/logout'),
        late.get(authorizeUrl(client)),
      ])
      expect([await countRows('api_tokens'), await countRows('oauth_codes')]).toEqual([0, 0])
    }
    expect(await countRows('browser_sessions')).toBe(0)
  })

  test('a session id from outside is not taken over at sign-in', async () => {
    await start()
    const browser = site.browser()
    const planted = 'a'.repeat(32)
    browser.jar.set({ name: sessionCookie, value: planted, path: '/' })
    await browser.signIn('ada')
    expect(browser.jar.get(sessionCookie)).toMatch(/^[0-9a-f]{32}$/)
    expect(browser.jar.get(sessionCookie)).not.toBe(planted)
  })

  test("another user's sign-in ends the session before it", async () => {
    await start()
    const browser = await site.signedIn('ada')
    const before = site.browser(browser.jar.copy())
    await browser.signIn('bob')
    expect(await whoIs(browser)).toBe('ada') // signed in already: the form was not shown
    const form = { _xsrf: browser.jar.get('_xsrf') ?? '', username: 'bob', password: sitePassword }
    await browser.send('POST', '/hub/login', { fields: form })
    expect([await whoIs(browser), await whoIs(before)]).toEqual(['bob', 'nobody'])
  })

  test('signing in again in the same browser keeps its session', async () => {
    await start()
    const browser = await site.signedIn('ada')
    const before = browser.jar.copy()
    const form = { _xsrf: browser.jar.get('_xsrf') ?? '', username: 'ada', password: sitePassword }
    const answer = await browser.send('POST', '/hub/login', { fields: form })
    expect(answer.statusCode).toBe(302)
    expect(browser.jar.get(loginCookie)).toBe(before.get(loginCookie))
    expect(await countRows('browser_sessions')).toBe(1)
  })

  test('log-ins that one browser sends at once share a session', async () => {
    await start()
    const browser = site.browser()
    const page = (await browser.get('/hub/login')).body
    const credentials = { username: 'ada', password: sitePassword }
    const tabs = Array.from({ length: 5 }, () => site.browser(browser.jar.copy()))
    await Promise.all(tabs.map((tab) => tab.submitLogin(page, credentials)))
    expect(new Set(tabs.map((tab) => tab.jar.get(sessionCookie))).size).toBe(1)
    await tabs[0]?.get('/hub/logout')
    expect(await Promise.all(tabs.map(whoIs))).toEqual(Array(5).fill('nobody'))
  })

  test('a new cookie id ends every session with what it gave out', async () => {
    await start()
    const client = await site.addServer('ada')
    const browser = await site.signedIn('ada')
    const code = codeOf((await browser.get(authorizeUrl(client))).headers.location)
    expect((await site.exchange({ ...client, code })).statusCode).toBe(200)
    const user = await findUser(site.store.db, 'ada')
    if (user === undefined) throw new TypeError('ada has signed in')
    await site.store.write((tx) => updateUser(tx, user, { cookieId: 'b'.repeat(32) }))
    expect(await whoIs(browser)).toBe('nobody')
    expect([await countRows('api_tokens'), await countRows('browser_sessions')]).toEqual([0, 0])
  })

  test('a neighbour who sets cookies can neither become the user nor make the user another', async () => {
    await start()
    const client = await site.addServer('ada')
    const browser = await site.signedIn('ada')
    const eve = await site.signedIn('eve')
    const toss = (name: string, value: string, path: string) =>
      browser.jar.set({ name, value, path })
    toss(loginCookie, 'junk', '/hub/api/')
    toss(sessionCookie, 'e'.repeat(32), '/hub/')
    toss('_xsrf', eve.jar.get('_xsrf') ?? '', '/hub/api/')
    expect(await whoIs(browser)).toBe('ada')
    const created = async (xsrf: string) => {
      const url = `/hub/api/users/ada/tokens?_xsrf=${encodeURIComponent(xsrf)}`
      return (await browser.send('POST', url, { json: {} })).statusCode
    }
    const own = browser.jar
      .list()
      .find((cookie) => cookie.name === '_xsrf' && cookie.path === '/hub/')
    expect(await created(eve.jar.get('_xsrf') ?? '')).toBe(403)
    expect(await created(own?.value ?? '')).toBe(201)
    const code = codeOf((await browser.get(authorizeUrl(client))).headers.location)
    await site.exchange({ ...client, code })
    const ownSession = browser.jar
      .list()
      .find((cookie) => cookie.name === sessionCookie && cookie.path === '/')
    const sessions = await site.store.db.selectFrom('api_tokens').select('session_id').execute()
    expect(sessions.map((row) => row.session_id)).toContain(ownSession?.value)
    toss(loginCookie, eve.jar.get(loginCookie) ?? '', '/hub/api/')
    expect(await whoIs(browser)).toBe('nobody')
  })

  test('more log-ins than a browser has reason to send prove nothing', async () => {
    await start()
    const browser = await site.signedIn('ada')
    const eve = await site.signedIn('eve')
    const own = `${loginCookie}=${browser.jar.get(loginCookie) ?? ''}`
    const tossed = `${loginCookie}=${eve.jar.get(loginCookie) ?? ''}; `
    const who = async (cookie: string) => {
      const answer = await site.app.inject({ url: '/hub/api/user', headers: { cookie } })
      return answer.statusCode === 200 ? answer.json<{ name: string }>().name : 'nobody'
    }
    expect(await who(own)).toBe('ada')
    // Longer paths come first: those of a neighbour come before the hub's own.
    for (const count of [1, 9, 10, 11, 50]) {
      expect([count, await who(tossed.repeat(count) + own)]).toEqual([count, 'nobody'])
    }
  })

  test('whatever happens a browser holds three cookies of the hub', async () => {
    await start()
    const jar = new CookieJar()
    const browser = site.browser(jar)
    for (let i = 0; i < 150; i += 1) {
      jar.set({ name: `_xsrf-${i}`, value: 'x'.repeat(20), path: '/' })
    }
    for (let round = 0; round < 5; round += 1) {
      await browser.get('/hub/login?next=%2Fhub%2Fhome')
      await browser.signIn(round % 2 === 0 ? 'ada' : 'mallory')
      await browser.signIn('ada')
      jar.set({ name: loginCookie, value: `junk${round}`, path: '/hub/' })
      await browser.get('/hub/home')
      await browser.signIn('ada')
      await browser.get('/hub/nowhere')
      const hubs = jar.list().filter(({ name }) => !name.startsWith('_xsrf-'))
      expect(hubs.map(({ name, path }) => `${name} ${path}`).toSorted()).toEqual([
        '_xsrf /hub/',
        `${loginCookie} /hub/`,
        `${sessionCookie} /`,
      ])
      const size = hubs.reduce((sum, { name, value }) => sum + name.length + value.length, 0)
      expect(size).toBeLessThan(1024)
      if (round % 2 === 1) await browser.get('/hub/logout')
    }
  })
})
