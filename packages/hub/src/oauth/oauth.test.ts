import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addGroupMember, ensureGroup } from '../storage/groups.ts'
import { deleteClientsOfServer, putOAuthClient } from '../storage/oauth.ts'
import { toScopeStrings } from '../rbac/scope-set.ts'
import { deleteShare } from '../storage/shares.ts'
import { createToken } from '../storage/tokens.ts'
import { endBrowserSession } from '../storage/browser-sessions.ts'
import type { User } from '../domain/records.ts'
import {
  challenge,
  secret,
  startTestProvider,
  type TestBrowser,
  type TestProvider,
  verifier,
} from './oauth-test-kit.ts'

let provider: TestProvider
let ada: User
let bob: User
let server: { id: number; client: string }

beforeEach(() => start())
afterEach(() => provider.close())

async function start(options: Parameters<typeof startTestProvider>[0] = {}) {
  provider = await startTestProvider(options)
  ada = await provider.addUser('ada')
  bob = await provider.addUser('bob')
  server = await provider.addServer(ada)
}

async function restart(options: Parameters<typeof startTestProvider>[0]) {
  await provider.close()
  await start(options)
}

const redirectUri = '/user/ada/oauth_callback'
const request = (more: Record<string, string> = {}) => ({
  client_id: 'jupyterhub-user-ada',
  redirect_uri: redirectUri,
  response_type: 'code',
  state: 's+t/a=te',
  ...more,
})
const exchange = (code: string, more: Record<string, string> = {}) => ({
  client_id: 'jupyterhub-user-ada',
  client_secret: secret,
  grant_type: 'authorization_code',
  code,
  redirect_uri: redirectUri,
  ...more,
})
const locationOf = (response: { headers: Record<string, unknown> }) =>
  new URL(String(response.headers.location), 'http://hub')

async function codeFor(browser: TestBrowser, more: Record<string, string> = {}): Promise<string> {
  const response = await browser.authorize(request(more))
  expect(response.statusCode).toBe(302)
  return locationOf(response).searchParams.get('code') ?? ''
}

async function tokenFor(browser: TestBrowser): Promise<string> {
  const response = await provider.token(exchange(await codeFor(browser)))
  return response.json<{ access_token: string }>().access_token
}

async function scopesOf(token: string): Promise<string[]> {
  const principal = await provider.principals.findByToken(token)
  return principal === undefined ? ['(nobody)'] : toScopeStrings(principal.scopes)
}

const identity = (name: string) => [
  `read:users:groups!user=${name}`,
  `read:users:name!user=${name}`,
]

describe('a whole round', () => {
  test('the own server gets a token without confirmation', async () => {
    const browser = await provider.browser(ada)
    const code = await codeFor(browser)
    expect(code).toMatch(/^[A-Za-z0-9]{30}$/)
    const response = await provider.token(exchange(code))
    expect(response.statusCode).toBe(200)
    expect(response.headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      pragma: 'no-cache',
    })
    expect(response.json()).toEqual({
      access_token: expect.stringMatching(/^[A-Za-z0-9]{30}$/) as string,
      expires_in: 1_209_600,
      token_type: 'Bearer',
      scope: 'access:servers!server=ada/ read:users:groups!user read:users:name!user',
    })
    const token = response.json<{ access_token: string }>().access_token
    expect(await scopesOf(token)).toEqual(['access:servers!server=ada/', ...identity('ada')])
    const principal = await provider.principals.findByToken(token)
    expect(principal?.token?.sessionId).toBe(browser.cookies.get('jupyterhub-session-id'))
    expect(principal?.cookieId).toBeUndefined()
  })

  test.each([
    ['S256', challenge],
    ['plain', verifier],
  ])('with PKCE %s the right verifier is needed', async (method, code_challenge) => {
    const pkce = { code_challenge, code_challenge_method: method }
    const code = await codeFor(await provider.browser(ada), pkce)
    const without = await provider.token(exchange(code))
    expect([without.statusCode, without.json()]).toEqual([
      400,
      { error: 'invalid_request', error_description: 'Code verifier required.' },
    ])
    const wrong = await provider.token(exchange(code, { code_verifier: 'w'.repeat(43) }))
    expect([wrong.statusCode, wrong.json()]).toEqual([400, { error: 'invalid_grant' }])
    const right = await provider.token(exchange(code, { code_verifier: verifier }))
    expect(right.statusCode).toBe(200)
  })

  test('a verifier without challenge is ignored', async () => {
    const code = await codeFor(await provider.browser(ada))
    const response = await provider.token(exchange(code, { code_verifier: verifier }))
    expect(response.statusCode).toBe(200)
  })

  test('flows without challenge are refused where PKCE is required', async () => {
    await restart({ requirePkce: true })
    const response = await (await provider.browser(ada)).authorize(request())
    expect(locationOf(response).searchParams.get('error')).toBe('invalid_request')
  })

  test('a lifetime of 0 makes tokens that never expire', async () => {
    await restart({ tokenExpiresInSeconds: 0 })
    const browser = await provider.browser(ada)
    const response = await provider.token(exchange(await codeFor(browser)))
    expect(response.json()).not.toHaveProperty('expires_in')
  })

  test('state is echoed byte for byte', async () => {
    const state = 'a%2Fb+c%20%7e~*é'.replace('é', '%C3%A9')
    const browser = await provider.browser(ada)
    const response = await provider.app.inject({
      url: `/hub/api/oauth2/authorize?client_id=${server.client}&response_type=code&state=${state}`,
      headers: { cookie: [...browser.cookies].map((pair) => pair.join('=')).join('; ') },
    })
    expect(String(response.headers.location).endsWith(`&state=${state}`)).toBe(true)
  })
})

describe('authorize', () => {
  test('strangers are sent to the login page with the way back', async () => {
    const url = '/hub/api/oauth2/authorize?client_id=x&state=a%2Bb'
    const response = await provider.app.inject({ url })
    expect(response.statusCode).toBe(302)
    expect(response.headers.location).toBe(`/hub/login?next=${encodeURIComponent(url)}`)
  })

  test('strangers are sent where sign-in begins elsewhere', async () => {
    await restart({ loginUrl: (next) => `/hub/oauth_login?next=${encodeURIComponent(next)}` })
    const url = '/hub/api/oauth2/authorize?client_id=x'
    const response = await provider.app.inject({ url })
    expect(response.headers.location).toBe(`/hub/oauth_login?next=${encodeURIComponent(url)}`)
  })

  test('a token header is no login', async () => {
    const response = await provider.app.inject({
      url: '/hub/api/oauth2/authorize',
      headers: { authorization: `token ${await tokenFor(await provider.browser(ada))}` },
    })
    expect(response.headers.location).toMatch(/^\/hub\/login\?next=/)
  })

  test.each<[string, string]>([
    ['', 'Missing client_id parameter.'],
    ['client_id=nobody', 'Invalid client_id parameter value.'],
    ['client_id=jupyterhub', 'Invalid client_id parameter value.'],
    ['client_id=jupyterhub-user-ada&client_id=x', 'Duplicate client_id parameter.'],
    ['client_id=jupyterhub-user-ada&state=a&state=b', 'Duplicate state parameter.'],
    ['client_id=jupyterhub-user-ada&state=%zz', 'Malformed query.'],
    ['client_id=jupyterhub-user-ada&redirect_uri=x', 'Invalid redirect URI.'],
    [
      'client_id=jupyterhub-user-ada&redirect_uri=%2Fuser%2Fada%2Foauth_callback%2F',
      'Mismatching redirect URI.',
    ],
    ['client_id=jupyterhub-user-ada&redirect_uri=//evil.example', 'Mismatching redirect URI.'],
  ])('%s is refused on a page, not by redirect', async (query, message) => {
    const { cookies } = await provider.browser(ada)
    const response = await provider.app.inject({
      url: `/hub/api/oauth2/authorize?${query}`,
      headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
    })
    expect(response.statusCode).toBe(400)
    expect(response.headers['content-type']).toBe('text/html')
    expect(response.body).toContain(message)
  })

  test.each<[Record<string, string>, string]>([
    [{ response_type: '' }, 'error=unsupported_response_type'],
    [{ response_type: 'token' }, 'error=unsupported_response_type'],
    [
      { code_challenge: challenge, code_challenge_method: 'S512' },
      'error=invalid_request&error_description=Transform+algorithm+not+supported.',
    ],
    [{ scope: '' }, 'error=invalid_scope'],
    [{ scope: 'openid' }, 'error=invalid_scope'],
    [{ scope: 'no:such:scope' }, 'error=invalid_scope'],
    [{ scope: 'admin:users' }, 'error=invalid_scope'],
  ])('%j tells the client', async (more, expected) => {
    const response = await (await provider.browser(ada)).authorize(request(more))
    expect(response.statusCode).toBe(302)
    expect(response.headers.location).toBe(`${redirectUri}?${expected}&state=s%2Bt%2Fa%3Dte`)
  })

  test('a client of neither server nor service is a 500', async () => {
    const stray = { id: 'stray', description: 'Stray', secretHash: 'x', redirectUri: '/x' }
    await provider.store.write((tx) =>
      putOAuthClient(tx, { ...stray, allowedScopes: [], serverId: null, serviceId: null }),
    )
    const fields = { client_id: 'stray', response_type: 'code' }
    expect((await (await provider.browser(ada)).authorize(fields)).statusCode).toBe(500)
  })

  test("another user's server is a 403 page, on GET and on POST", async () => {
    const browser = await provider.browser(bob)
    const refused = await browser.authorize(request())
    expect([refused.statusCode, refused.headers['content-type']]).toEqual([403, 'text/html'])
    const share = await provider.share(server.id, ada, { userId: bob.id })
    const page = await browser.authorize(request())
    expect(page.statusCode).toBe(200)
    await provider.store.write((tx) => deleteShare(tx, share))
    expect((await browser.confirm(request(), page.body)).statusCode).toBe(403)
  })

  test('without its XSRF token a confirmation is refused', async () => {
    await provider.share(server.id, ada, { userId: bob.id })
    const browser = await provider.browser(bob)
    await browser.authorize(request())
    expect((await browser.confirm(request(), '')).statusCode).toBe(403)
  })

  test('scopes beyond those of the client cannot be posted', async () => {
    await provider.share(server.id, ada, { userId: bob.id })
    const browser = await provider.browser(bob)
    const page = (await browser.authorize(request())).body
    const forged = page.replace(/name="scopes" value="[^"]*"/, 'name="scopes" value="servers!user"')
    const response = await browser.confirm(request(), forged)
    expect(locationOf(response).searchParams.get('error')).toBe('invalid_scope')
  })
})

describe('shared servers', () => {
  const reached = ['access:servers!server=ada/', ...identity('bob')]

  test.each(['user', 'group'] as const)('a share with a %s lets in after consent', async (kind) => {
    const groupId = await provider.store.write(async (tx) => {
      const id = await ensureGroup(tx, 'g1')
      await addGroupMember(tx, id, bob.id)
      return id
    })
    const to = kind === 'user' ? { userId: bob.id } : { groupId }
    const share = await provider.share(server.id, ada, to)
    const browser = await provider.browser(bob)
    const page = await browser.authorize(request())
    expect(page.body).toContain('Authorize access')
    const agreed = await browser.confirm(request(), page.body)
    const code = locationOf(agreed).searchParams.get('code') ?? ''
    const answer = await provider.token(exchange(code))
    const token = answer.json<{ access_token: string }>().access_token
    // Contract scopes-and-roles §12.3, examples 78 and 79 (as intended, D18).
    expect(await scopesOf(token)).toEqual(reached)
    expect((await browser.authorize(request())).statusCode).toBe(302)
    await provider.store.write((tx) => deleteShare(tx, share))
    expect(await scopesOf(token)).toEqual(identity('bob'))
  })

  test('a share ends at its instant, without an announcement', async () => {
    const share = await provider.share(server.id, ada, { userId: bob.id })
    await provider.store.write((tx) =>
      tx.db
        .updateTable('shares')
        .set({ expires_at: provider.clock.now.getTime() + 1000 })
        .where('id', '=', share.id)
        .execute(),
    )
    const access = async () => (await provider.principals.findUserById(bob.id))?.scopes
    expect(toScopeStrings((await access()) ?? new Map())).toContain('access:servers!server=ada/')
    provider.clock.now = new Date(provider.clock.now.getTime() + 1001)
    expect(toScopeStrings((await access()) ?? new Map())).not.toContain(
      'access:servers!server=ada/',
    )
  })
})

describe('token endpoint', () => {
  test('a code works once', async () => {
    const code = await codeFor(await provider.browser(ada))
    expect((await provider.token(exchange(code))).statusCode).toBe(200)
    const replay = await provider.token(exchange(code))
    expect([replay.statusCode, replay.json()]).toEqual([400, { error: 'invalid_grant' }])
  })

  test('of concurrent exchanges exactly one wins', async () => {
    const code = await codeFor(await provider.browser(ada))
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => provider.token(exchange(code))),
    )
    expect(answers.filter((answer) => answer.statusCode === 200)).toHaveLength(1)
    const rows = await provider.store.db.selectFrom('api_tokens').select('id').execute()
    expect(rows).toHaveLength(1)
  })

  test.each<[Record<string, string>, number, object]>([
    [{ client_secret: 'wrong' }, 401, { error: 'invalid_client' }],
    [{ client_secret: '' }, 401, { error: 'invalid_client' }],
    [{ client_id: 'nobody' }, 401, { error: 'invalid_client' }],
    [{ client_id: 'jupyterhub', client_secret: 'x' }, 401, { error: 'invalid_client' }],
    [
      { redirect_uri: '/elsewhere' },
      400,
      { error: 'invalid_request', error_description: 'Mismatching redirect URI.' },
    ],
    [{ grant_type: 'password' }, 400, { error: 'unsupported_grant_type' }],
    [
      { grant_type: 'refresh_token' },
      400,
      { error: 'invalid_request', error_description: 'Missing refresh token parameter.' },
    ],
    [{ grant_type: 'refresh_token', refresh_token: 'x' }, 400, { error: 'unauthorized_client' }],
    [{ code: '' }, 400, { error: 'invalid_grant' }],
    [{ code: 'x'.repeat(30) }, 400, { error: 'invalid_grant' }],
  ])('%j fails and leaves the code as it was', async (more, status, body) => {
    const code = await codeFor(await provider.browser(ada))
    const response = await provider.token(exchange(code, more))
    expect([response.statusCode, response.json()]).toEqual([status, body])
    expect(response.headers['www-authenticate']).toBe(
      status === 401 ? 'Bearer error="invalid_client"' : undefined,
    )
    expect((await provider.token(exchange(code))).statusCode).toBe(200)
  })

  test('a code ends after 300 s', async () => {
    const code = await codeFor(await provider.browser(ada))
    provider.clock.now = new Date(provider.clock.now.getTime() + 300_001)
    expect((await provider.token(exchange(code))).json()).toEqual({ error: 'invalid_grant' })
  })

  test("another client's code is worth nothing", async () => {
    const code = await codeFor(await provider.browser(ada))
    const { client } = await provider.addServer(bob)
    const response = await provider.token(exchange(code, { client_id: client }))
    expect(response.json()).toEqual({ error: 'invalid_grant' })
  })

  test('GET is a 405 in JSON', async () => {
    const response = await provider.app.inject({ url: '/hub/api/oauth2/token' })
    expect(response.statusCode).toBe(405)
    expect(response.headers['content-type']).toBe('application/json')
    expect(response.json()).toEqual({ status: 405, message: 'Method Not Allowed' })
  })

  test('a request with Origin needs a hub token or an XSRF token', async () => {
    const browser = await provider.browser(ada)
    const headers = { origin: 'https://elsewhere.example' }
    const refused = await provider.token(exchange(await codeFor(browser)), headers)
    expect(refused.statusCode).toBe(403)
    expect(refused.json<{ message: string }>().message).toContain("'_xsrf' argument missing")
    const authorization = `token ${await tokenFor(browser)}`
    const code = await codeFor(browser)
    const allowed = await provider.token(exchange(code), { ...headers, authorization })
    expect(allowed.statusCode).toBe(200)
  })

  test('guessing secrets is throttled, and does not lock out who knows the secret', async () => {
    const browser = await provider.browser(ada)
    await tokenFor(browser)
    const guess = () => provider.token(exchange('x', { client_secret: 'guess' }))
    const statuses: number[] = []
    for (let i = 0; i < 22; i += 1) statuses.push((await guess()).statusCode)
    expect(statuses.filter((status) => status === 401)).toHaveLength(20)
    expect(statuses.at(-1)).toBe(429)
    expect((await provider.token(exchange(await codeFor(browser)))).statusCode).toBe(200)
  })
})

describe('what ends a token', () => {
  test('log-out of its browser session', async () => {
    const browser = await provider.browser(ada)
    const token = await tokenFor(browser)
    expect(await scopesOf(token)).toContain('access:servers!server=ada/')
    const sessionId = browser.cookies.get('jupyterhub-session-id') ?? ''
    expect(sessionId).not.toBe('')
    await provider.store.write((tx) => endBrowserSession(tx, { userId: ada.id, id: sessionId }))
    expect(await scopesOf(token)).toEqual(['(nobody)'])
  })

  test('the end of its client', async () => {
    const token = await tokenFor(await provider.browser(ada))
    expect(await scopesOf(token)).toContain('access:servers!server=ada/')
    await provider.store.write((tx) => deleteClientsOfServer(tx, server.id))
    expect(await scopesOf(token)).toEqual(['(nobody)'])
  })

  test('its lifetime', async () => {
    const value = 'b'.repeat(32)
    await provider.store.write((tx) =>
      createToken(
        tx,
        {
          value,
          owner: { kind: 'user', id: ada.id },
          scopes: ['inherit'],
          note: '',
          expiresAt: new Date(provider.clock.now.getTime() + 1000),
        },
        provider.clock.now,
      ),
    )
    expect(await scopesOf(value)).not.toEqual(['(nobody)'])
    provider.clock.now = new Date(provider.clock.now.getTime() + 1001)
    expect(await scopesOf(value)).toEqual(['(nobody)'])
  })
})
