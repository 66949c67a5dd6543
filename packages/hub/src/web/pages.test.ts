import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findServer, updateServer } from '../storage/servers.ts'
import { findUser } from '../storage/users.ts'
import { createPasswordLink, createSetupLink } from './accounts.ts'
import { LoginThrottle } from './login-throttle.ts'
import { type Browser, startTestHub, type TestHub } from './web-test-kit.ts'

let hub: TestHub
beforeEach(async () => {
  hub = await startTestHub()
})
afterEach(() => hub.close())

const password = 'three unrelated words'

async function signUpAs(username: string): Promise<Browser> {
  const browser = hub.browser()
  await browser.get('/hub/signup')
  const answer = await browser.post('/hub/signup', {
    _xsrf: browser.cookies.get('_xsrf') ?? '',
    username,
    password,
    confirmation: password,
  })
  expect(answer.statusCode).toBe(302)
  return browser
}

async function logIn(browser: Browser, username: string, secret: string) {
  await browser.get('/hub/login')
  return browser.post('/hub/login?next=%2Fhub%2Fhome', {
    _xsrf: browser.cookies.get('_xsrf') ?? '',
    username,
    password: secret,
  })
}

async function setUp(browser: Browser, token: string, username = 'ada') {
  await browser.get(`/hub/setup?token=${token}`)
  return browser.post('/hub/setup', {
    _xsrf: browser.cookies.get('_xsrf') ?? '',
    token,
    username,
    password,
    confirmation: password,
  })
}

describe('the first account', () => {
  test('is an administrator who is signed in, and the link works once', async () => {
    const token = (await createSetupLink(hub.store, hub.clock.now)) ?? ''
    const browser = hub.browser()
    expect((await setUp(browser, token)).headers['location']).toBe('/hub/spawn')
    expect((await findUser(hub.store.db, 'ada'))?.admin).toBe(true)
    expect((await browser.get('/hub/admin')).body).toContain('Users and servers')
    expect((await setUp(hub.browser(), token, 'eve')).statusCode).toBe(403)
    expect(await createSetupLink(hub.store, hub.clock.now)).toBeUndefined()
  })

  test('goes to one of two concurrent requests', async () => {
    const token = (await createSetupLink(hub.store, hub.clock.now)) ?? ''
    const answers = await Promise.all(
      ['ada', 'eve'].map((name) => setUp(hub.browser(), token, name)),
    )
    expect(answers.map((answer) => answer.statusCode).toSorted((a, b) => a - b)).toEqual([302, 403])
  })

  test('is refused after a day, and with a weak password the form says why', async () => {
    const token = (await createSetupLink(hub.store, hub.clock.now)) ?? ''
    const browser = hub.browser()
    await browser.get(`/hub/setup?token=${token}`)
    const fields = { _xsrf: browser.cookies.get('_xsrf') ?? '', token, username: 'ada' }
    const weak = { ...fields, password: 'short', confirmation: 'short' }
    const answer = await browser.post('/hub/setup', weak)
    expect(answer.statusCode).toBe(400)
    expect(answer.body).toContain('at least 8 characters')
    hub.clock.now = new Date(hub.clock.now.getTime() + 25 * 3_600_000)
    expect((await browser.get(`/hub/setup?token=${token}`)).statusCode).toBe(403)
  })
})

describe('signing in', () => {
  test('sets the cookies of the contract and goes to next', async () => {
    await signUpAs('ada')
    const browser = hub.browser()
    const answer = await logIn(browser, ' ADA ', password)
    expect(answer.statusCode).toBe(302)
    expect(answer.headers['location']).toBe('/hub/home')
    const lines = [answer.headers['set-cookie'] ?? []].flat()
    expect(lines.find((line) => line.startsWith('jupyterhub-hub-login='))).toMatch(
      /^jupyterhub-hub-login="2\|1:0\|.*"; Expires=.*; Path=\/hub\/; HttpOnly$/,
    )
    expect(lines.find((line) => line.startsWith('jupyterhub-session-id='))).toMatch(
      /^jupyterhub-session-id=[0-9a-f]{32}; Path=\/; HttpOnly$/,
    )
    expect(lines.find((line) => line.startsWith('_xsrf='))).toMatch(/^_xsrf=[\w-]+; Path=\/hub\/$/)
    expect((await browser.get('/hub/home')).statusCode).toBe(200)
  })

  test('fails alike for a wrong password and an unknown user', async () => {
    await signUpAs('ada')
    const [wrong, unknown] = [
      await logIn(hub.browser(), 'ada', 'wrong password'),
      await logIn(hub.browser(), 'eve', 'wrong password'),
    ]
    expect(wrong.statusCode).toBe(403)
    expect(wrong.body).toContain('Invalid username or password')
    expect(unknown.statusCode).toBe(403)
    const plain = (body: string) =>
      body.replace(/name="_xsrf" value="[^"]*"|data-xsrf="[^"]*"/g, '').replace(/ada|eve/g, '')
    expect(plain(wrong.body)).toBe(plain(unknown.body))
  })

  test('needs the XSRF token of its form', async () => {
    const browser = hub.browser()
    const answer = await browser.post('/hub/login', { username: 'ada', password })
    expect(answer.statusCode).toBe(403)
    expect(answer.body).toContain('Login form invalid or expired. Try again.')
  })

  test('stops after five failures, for the right password too, until the block is over', async () => {
    await signUpAs('ada')
    for (let count = 0; count < 5; count += 1) {
      expect((await logIn(hub.browser(), 'ada', 'wrong')).statusCode).toBe(403)
    }
    const blocked = await logIn(hub.browser(), 'ada', password)
    expect(blocked.statusCode).toBe(429)
    expect(Number(blocked.headers['retry-after'])).toBe(30)
    hub.clock.now = new Date(hub.clock.now.getTime() + 31_000)
    expect((await logIn(hub.browser(), 'ada', password)).statusCode).toBe(302)
  })

  test('the block outlives a restart, and ends where it should', async () => {
    const attempt = { username: 'ada', ip: '192.0.2.1' }
    const now = () => hub.clock.now
    for (let count = 0; count < 5; count += 1) {
      await new LoginThrottle(hub.store, now).begin(attempt)
    }
    const restarted = new LoginThrottle(hub.store, now)
    await expect(restarted.begin(attempt)).rejects.toMatchObject({ code: 'login_throttled' })
    await expect(restarted.begin({ ...attempt, ip: '192.0.2.2' })).resolves.toBeUndefined()
    await expect(restarted.begin({ ...attempt, username: 'bob' })).resolves.toBeUndefined()
    hub.clock.now = new Date(hub.clock.now.getTime() + 31_000)
    await restarted.begin(attempt)
    await expect(restarted.begin(attempt)).rejects.toMatchObject({
      headers: { 'retry-after': '60' }, // each further failure doubles the block
    })
  })

  test('concurrent guesses cannot get around the limit', async () => {
    await signUpAs('ada')
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => logIn(hub.browser(), 'ada', 'wrong')),
    )
    expect(answers.filter((answer) => answer.statusCode === 403)).toHaveLength(5)
    expect(answers.filter((answer) => answer.statusCode === 429)).toHaveLength(15)
  })

  test('never leads to another host', async () => {
    await signUpAs('ada')
    const browser = await signUpAs('bob')
    const answer = await browser.get('/hub/login?next=https%3A%2F%2Fevil.example%2F')
    expect(answer.headers['location']).toBe('/hub/spawn')
  })
})

describe('signing out', () => {
  test('clears the cookies; the old ones were one browser only', async () => {
    const browser = await signUpAs('ada')
    expect((await browser.get('/hub/logout')).headers['location']).toBe('/hub/login')
    expect([...browser.cookies.keys()]).toEqual([])
    expect((await browser.get('/hub/home')).headers['location']).toBe(
      '/hub/login?next=%2Fhub%2Fhome',
    )
  })

  test('a password link ends the sessions that were open and works once', async () => {
    const old = await signUpAs('ada')
    const user = await findUser(hub.store.db, 'ada')
    if (user === undefined || hub.deps.accounts === undefined) throw new Error('no account')
    const token = await createPasswordLink(hub.deps.accounts, user, 'user root')
    const browser = hub.browser()
    await browser.get(`/hub/set-password?token=${token}`)
    const _xsrf = browser.cookies.get('_xsrf') ?? ''
    const fields = { _xsrf, token, password: 'a different one', confirmation: 'a different one' }
    expect((await browser.post('/hub/set-password', fields)).statusCode).toBe(302)
    expect((await browser.get('/hub/home')).statusCode).toBe(200)
    expect((await old.get('/hub/home')).statusCode).toBe(302)
    expect((await browser.get(`/hub/set-password?token=${token}`)).statusCode).toBe(403)
  })
})

describe('servers', () => {
  test('spawn goes to the pending page, which goes on when the server is ready', async () => {
    const browser = await signUpAs('ada')
    const started = await browser.get('/hub/spawn?next=%2Fuser%2Fada%2Flab')
    expect(started.headers['location']).toBe('/hub/spawn-pending/ada?next=%2Fuser%2Fada%2Flab')
    const pending = await browser.get('/hub/spawn-pending/ada')
    expect(pending.body).toContain('id="progress-bar"')
    expect(pending.body).toContain('data-owner="ada" data-server-name=""')
    const server = await findServer(hub.store.db, 'ada', '')
    if (server === undefined) throw new Error('no server')
    const target = new URL('http://127.0.0.1:1')
    const state = { kind: 'ready', startedAt: new Date(), target } as const
    await hub.store.write((tx) => updateServer(tx, server, { state }))
    expect((await browser.get('/hub/spawn-pending/ada')).headers['location']).toBe('/user/ada/')
    expect((await browser.get('/hub/home')).body).toContain('id="stop"')
    const looped = await browser.get('/hub/user/ada/lab?redirects=4')
    expect(looped.statusCode).toBe(500)
    const back = await browser.get('/hub/user/ada/lab?x=1')
    expect(back.headers['location']).toBe('/user/ada/lab?x=1&redirects=1')
  })

  test('a stopped server answers 424, to programs in JSON', async () => {
    const browser = await signUpAs('ada')
    const page = await browser.get('/hub/user/ada/lab')
    expect(page.statusCode).toBe(424)
    expect(page.body).toContain('href="/hub/spawn/ada?next=%2Fhub%2Fuser%2Fada%2Flab"')
    const api = await browser.get('/hub/user/ada/api/kernels')
    expect(api.statusCode).toBe(424)
    expect(api.headers['content-type']).toBe('application/json')
    expect(api.json()).toEqual({
      message:
        'JupyterHub server no longer running at /user/ada/api/kernels. Restart the server at http://localhost:80/hub/spawn/ada',
    })
  })

  test('of others are hidden, existing or not', async () => {
    await signUpAs('bob')
    const browser = await signUpAs('ada')
    for (const url of ['/hub/user/bob/lab', '/hub/user/nobody/lab', '/hub/spawn/bob']) {
      expect((await browser.get(url)).statusCode).toBe(404)
    }
    expect((await browser.get('/hub/admin')).statusCode).toBe(403)
  })
})

describe('routes', () => {
  test.each([
    ['/', '/hub/'],
    ['/hub', '/hub/'],
    ['/hub/', '/hub/login?next=%2Fhub%2F'],
    ['/user/ada', '/user/ada/'],
    ['/user/ada/lab?x=1', '/hub/user/ada/lab?x=1'],
    ['//evil.example/x', '/hub/evil.example/x'],
  ])('%s redirects to %s', async (url, location) => {
    const answer = await hub.app.inject({ method: 'GET', url: `http://localhost${url}` })
    expect(answer.headers['location']).toBe(location)
  })

  test.each([
    ['GET', '/hub/nothing', 404],
    ['GET', '/hub/api/nothing', 404],
    ['GET', '/hub/home/', 404],
    ['HEAD', '/hub/login', 405],
    ['OPTIONS', '/hub/login', 405],
    ['HEAD', '/hub/health', 200],
    ['GET', '/hub/error/503', 200],
    ['POST', '/user/ada/api', 403],
    ['GET', '/hub/static/../identify.ts', 404],
    ['GET', '/hub/logo', 200],
  ] as const)('%s %s is %i', async (method, url, status) => {
    const answer = await hub.app.inject({ method, url })
    expect(answer.statusCode).toBe(status)
  })

  test('pages carry the headers of the contract, files do not', async () => {
    const page = await hub.app.inject({ url: '/hub/login' })
    expect(page.headers).toMatchObject({
      'content-type': 'text/html',
      'content-security-policy': "frame-ancestors 'none'; report-uri /hub/security/csp-report",
      'access-control-allow-headers': 'accept, content-type, authorization',
    })
    expect(page.headers['x-jupyterhub-version']).toMatch(/^6\.0\.0\+orrery\.[0-9a-z.]+$/)
    const file = await hub.app.inject({ url: '/hub/static/hub.css?v=1' })
    expect(file.headers['cache-control']).toBe('max-age=315360000')
    expect(file.headers['x-jupyterhub-version']).toBeUndefined()
  })
})
