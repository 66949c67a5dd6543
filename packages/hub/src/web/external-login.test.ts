import { afterEach, describe, expect, test } from 'vitest'
import type { Authenticator } from '../plugin-api/authenticator.ts'
import { startTestHub, type TestHub } from './web-test-kit.ts'

let hub: TestHub
afterEach(() => hub.close())

const known = { name: 'ada', admin: null }
const authenticator = (more: Partial<Authenticator> = {}): Authenticator => ({
  loginService: 'the University',
  allowsAllByDefault: true,
  identify: () => Promise.resolve(null),
  ...more,
})
const elsewhere = authenticator({ loginUrl: (hubPrefix) => `${hubPrefix}oauth_login` })

describe('signing in that begins elsewhere', () => {
  test('is a button that names the service', async () => {
    hub = await startTestHub({ authenticator: elsewhere })
    const answer = await hub.browser().get('/hub/login?next=%2Fhub%2Fhome')
    expect(answer.statusCode).toBe(200)
    expect(answer.body).toContain('href="/hub/oauth_login?next=%2Fhub%2Fhome"')
    expect(answer.body).toContain('Sign in with the University')
    expect(answer.body).not.toContain('password')
  })

  test.each([
    ['', '/hub/oauth_login'],
    ['?next=%2Fhub%2Fhome', '/hub/oauth_login?next=%2Fhub%2Fhome'],
    ['?next=%2F%2Fevil.example', '/hub/oauth_login'],
  ])('with auto_login begins at once: /hub/login%s', async (query, location) => {
    hub = await startTestHub({ authenticator: elsewhere, settings: { autoLogin: true } })
    const answer = await hub.browser().get(`/hub/login${query}`)
    expect([answer.statusCode, answer.headers.location]).toEqual([302, location])
  })
})

describe('auto_login without another place', () => {
  test('asks the authenticator, and log-out does not lead back', async () => {
    const knows = authenticator({ identify: () => Promise.resolve(known) })
    hub = await startTestHub({ authenticator: knows, settings: { autoLogin: true } })
    const browser = hub.browser()
    const answer = await browser.get('/hub/login?next=%2Fhub%2Fhome')
    expect([answer.statusCode, answer.headers.location]).toEqual([302, '/hub/home'])
    expect((await browser.get('/hub/home')).body).toContain('ada')
    const out = await browser.get('/hub/logout')
    expect(out.statusCode).toBe(200)
    expect(out.body).toContain('You have signed out')
    expect([...browser.cookies.keys()]).toEqual([])
    expect((await browser.get('/hub/home')).statusCode).toBe(302)
  })

  test('is a 403 for whom it does not know, as often as they try', async () => {
    hub = await startTestHub({ authenticator: authenticator(), settings: { autoLogin: true } })
    for (let tries = 0; tries < 8; tries += 1) {
      expect((await hub.browser().get('/hub/login')).statusCode).toBe(403)
    }
  })
})
