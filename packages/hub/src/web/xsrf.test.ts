import Fastify from 'fastify'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { needsXsrfToken } from './xsrf.ts'
import { type Browser, startTestHub, type TestHub } from './web-test-kit.ts'

// Source: contract rest-api §2.3, table for cookie principals (true: a token is needed).
const table = [
  [undefined, undefined, false, true],
  ['navigate', undefined, false, true],
  ['cors', 'same-origin', true, true],
  ['same-origin', 'same-origin', true, true],
  ['no-cors', 'same-origin', false, true],
  ['no-cors', 'cross-site', true, true],
  ['websocket', undefined, false, false],
] as const

describe('when a token is needed', () => {
  test.each(table)('mode %s, site %s: GET %s, POST %s', async (mode, site, get, post) => {
    const app = Fastify({ exposeHeadRoutes: false })
    const kinds = ['api', 'page'] as const
    app.route({
      method: ['GET', 'HEAD', 'POST'],
      url: '/',
      handler: async (request) => kinds.map((kind) => needsXsrfToken(request, kind)),
    })
    const headers = {
      ...(mode !== undefined && { 'sec-fetch-mode': mode }),
      ...(site !== undefined && { 'sec-fetch-site': site }),
    }
    const ask = async (method: 'GET' | 'POST') =>
      (await app.inject({ method, url: '/', headers })).json<boolean[]>()
    expect(await ask('GET')).toEqual([get, false])
    expect(await ask('POST')).toEqual([post, post])
    await app.close()
  })
})

describe('a token', () => {
  let hub: TestHub
  beforeEach(async () => {
    hub = await startTestHub()
  })
  afterEach(() => hub.close())

  const refusal = async (browser: Browser, _xsrf: string) =>
    (await browser.post('/hub/home', { _xsrf, action: 'none' })).body

  test('is needed, must be the cookie, and is bound to the session', async () => {
    const browser = hub.browser()
    await browser.get('/hub/signup')
    const anonymous = browser.cookies.get('_xsrf') ?? ''
    const password = 'three unrelated words'
    const account = { username: 'ada', password, confirmation: password }
    await browser.post('/hub/signup', { _xsrf: anonymous, ...account })
    const signedIn = browser.cookies.get('_xsrf') ?? ''
    expect(signedIn).not.toBe(anonymous)
    expect(await refusal(browser, '')).toContain('&#39;_xsrf&#39; argument missing from POST')
    expect(await refusal(browser, anonymous)).toContain('XSRF cookie does not match POST argument')
    const passed = await browser.post('/hub/home', { _xsrf: signedIn, action: 'none' })
    expect(passed.statusCode).toBe(404) // the check is over: there is no server to act on
    await browser.get('/hub/logout')
    browser.cookies.set('_xsrf', signedIn)
    expect(await refusal(browser, signedIn)).toContain('XSRF cookie does not match POST argument')
  })

  test('is found among several cookies of the name', async () => {
    const browser = hub.browser()
    await browser.get('/hub/login')
    const good = browser.cookies.get('_xsrf') ?? ''
    const answer = await hub.app.inject({
      method: 'POST',
      url: '/hub/login',
      headers: {
        cookie: `_xsrf=bogus; _xsrf=${good}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      payload: new URLSearchParams({ _xsrf: good, username: 'eve', password: 'x' }).toString(),
    })
    expect(answer.body).toContain('Invalid username or password')
  })
})
