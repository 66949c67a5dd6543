import * as openid from 'openid-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { User } from '../../domain/records.ts'
import { registerService } from '../../services/register-service.ts'
import { putRole } from '../../storage/access.ts'
import { addGroupMember, ensureGroup } from '../../storage/groups.ts'
import { grantUserRole, updateUser } from '../../storage/users.ts'
import {
  secret,
  startTestProvider,
  type TestBrowser,
  type TestProvider,
} from '../oauth-test-kit.ts'
import { subjectOf } from './claims.ts'

const redirectUri = 'https://grafana.example/login/generic_oauth'
const scope = 'openid profile email groups offline_access'

let provider: TestProvider
let ada: User
let browser: TestBrowser
let origin: string
let config: openid.Configuration

beforeEach(async () => {
  provider = await startTestProvider()
  provider.clock.now = new Date()
  ada = await provider.addUser('ada')
  await provider.store.write(async (tx) => {
    await putRole(tx, { name: 'visitor', description: '', scopes: ['access:services'] })
    await grantUserRole(tx, ada.id, 'visitor')
    await addGroupMember(tx, await ensureGroup(tx, 'physics'), ada.id)
    ada = await updateUser(tx, ada, {
      userInfo: { display_name: 'Ada Lovelace', email: 'ada@example.org', email_verified: true },
    })
  })
  await addService('grafana', ['openid', 'profile', 'email', 'groups'])
  origin = await provider.app.listen({ host: '127.0.0.1', port: 0 })
  config = await discover(openid.ClientSecretBasic(secret))
  browser = await provider.browser(ada)
})
afterEach(() => provider.close())

async function addService(name: string, oauthClientAllowedScopes: string[]): Promise<void> {
  const service = {
    name,
    admin: false,
    url: '',
    command: [],
    info: {},
    display: true,
    apiToken: secret,
    oauthClientAllowedScopes,
    oauthNoConfirm: true,
    oauthClientId: undefined,
    oauthRedirectUri: redirectUri,
  }
  const options = { baseUrl: '/', fromConfig: true, trustTokens: true, now: new Date() }
  await provider.store.write((tx) => registerService(tx, service, options))
}

function discover(authentication: openid.ClientAuth): Promise<openid.Configuration> {
  const issuer = new URL(`${origin}/hub/api/oauth2`)
  return openid.discovery(issuer, 'service-grafana', secret, authentication, {
    execute: [openid.allowInsecureRequests],
  })
}

/** Where the browser ends after the authorization endpoint. */
async function authorize(more: Record<string, string> = {}): Promise<URL> {
  const url = openid.buildAuthorizationUrl(config, { redirect_uri: redirectUri, scope })
  const answer = await browser.authorize({ ...Object.fromEntries(url.searchParams), ...more })
  expect(answer.statusCode).toBe(302)
  return new URL(String(answer.headers.location), origin)
}

async function signIn(more: Record<string, string> = {}) {
  const verifier = openid.randomPKCECodeVerifier()
  const [state, nonce] = [openid.randomState(), openid.randomNonce()]
  const url = await authorize({
    state,
    nonce,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  })
  return openid.authorizationCodeGrant(config, url, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
    ...(more['max_age'] !== undefined && { maxAge: Number(more['max_age']) }),
  })
}

describe('with openid-client', () => {
  test.each([
    ['basic', openid.ClientSecretBasic(secret)],
    ['post', openid.ClientSecretPost(secret)],
  ])('a user signs in, client_secret_%s', async (_name, authentication) => {
    config = await discover(authentication)
    const tokens = await signIn({ max_age: '600' })
    const claims = {
      sub: subjectOf(ada),
      preferred_username: 'ada',
      name: 'Ada Lovelace',
      email: 'ada@example.org',
      email_verified: true,
      groups: ['physics'],
    }
    expect(tokens.claims()).toMatchObject({
      ...claims,
      iss: `${origin}/hub/api/oauth2`,
      aud: 'service-grafana',
      auth_time: Math.floor(provider.clock.now.getTime() / 1000),
      at_hash: expect.stringMatching(/^[\w-]{22}$/) as string,
    })
    expect(await openid.fetchUserInfo(config, tokens.access_token, claims.sub)).toEqual(claims)
  })

  test('claims are those of the scopes, and the subject outlives a rename', async () => {
    const tokens = await signIn({ scope: 'openid' })
    expect(Object.keys(tokens.claims() ?? {}).toSorted()).toEqual(
      ['at_hash', 'aud', 'auth_time', 'exp', 'iat', 'iss', 'nonce', 'sub'].toSorted(),
    )
    const renamed = await provider.store.write((tx) => updateUser(tx, ada, { name: 'augusta' }))
    expect(subjectOf(renamed)).toBe(tokens.claims()?.sub)
  })

  test('the access token opens no more than any other of this client', async () => {
    const tokens = await signIn()
    const principal = await provider.principals.findByToken(tokens.access_token)
    expect([...(principal?.scopes.keys() ?? [])].toSorted()).toEqual([
      'access:services',
      'read:users:groups',
      'read:users:name',
    ])
  })

  test('keys rotate: new ones are published before they sign, old ones stay for a while', async () => {
    const kidOf = async () => {
      const tokens = await signIn()
      const [header = ''] = (tokens.id_token ?? '').split('.')
      return (JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string }).kid
    }
    const published = async () => {
      const answer = await provider.app.inject({ url: '/hub/api/oauth2/jwks.json' })
      return answer.json<{ keys: Record<string, unknown>[] }>().keys
    }
    const first = await kidOf()
    const [only] = await published()
    expect(only).toMatchObject({ kid: first, kty: 'RSA', use: 'sig', alg: 'RS256' })
    expect(only).not.toHaveProperty('d')
    await ageKeys(90 * 86_400_000)
    config = await discover(openid.ClientSecretBasic(secret))
    expect(await kidOf()).toBe(first)
    expect(await published()).toHaveLength(2)
    await ageKeys(11 * 60_000)
    const second = await kidOf()
    expect(second).not.toBe(first)
    await ageKeys(90 * 86_400_000)
    await kidOf()
    expect((await published()).map((key) => key['kid'])).not.toContain(first)
  })

  /** As if so much time had passed for the keys, and for what the hub remembers of them. */
  async function ageKeys(ms: number): Promise<void> {
    for (const row of await provider.store.db.selectFrom('signing_keys').selectAll().execute()) {
      await provider.store.write((tx) =>
        tx.db
          .updateTable('signing_keys')
          .set({ created_at: row.created_at - ms })
          .where('kid', '=', row.kid)
          .execute(),
      )
    }
    provider.clock.now = new Date(provider.clock.now.getTime() + 61_000)
  }
})

describe('discovery', () => {
  test.each([
    '/hub/api/oauth2/.well-known/openid-configuration',
    '/.well-known/openid-configuration/hub/api/oauth2',
    '/.well-known/oauth-authorization-server/hub/api/oauth2',
  ])('%s is public, and not for scripts of other origins', async (url) => {
    const answer = await provider.app.inject({ url, headers: { origin: 'https://other.example' } })
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'application/json'])
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
    expect(answer.json()).toMatchObject({ issuer: 'http://localhost:80/hub/api/oauth2' })
  })
})

describe('what is refused', () => {
  test.each<[Record<string, string>, string]>([
    [{ prompt: 'login' }, 'login_required'],
    [{ prompt: 'select_account' }, 'account_selection_required'],
    [{ prompt: 'none login' }, 'invalid_request'],
    [{ prompt: 'whatever' }, 'invalid_request'],
    [{ max_age: '-1' }, 'invalid_request'],
    [{ nonce: 'n'.repeat(513) }, 'invalid_request'],
    [{ response_mode: 'fragment' }, 'invalid_request'],
    [{ response_type: 'code id_token' }, 'unsupported_response_type'],
    [{ request: 'x' }, 'request_not_supported'],
    [{ request_uri: 'https://x' }, 'request_uri_not_supported'],
    [{ scope: 'profile' }, 'invalid_scope'],
    [{ scope: 'openid admin:users' }, 'invalid_scope'],
    [{ prompt: 'none consent' }, 'invalid_request'],
  ])('%j', async (more, error) => {
    expect((await authorize(more)).searchParams.get('error')).toBe(error)
  })

  test('prompt=none of a stranger, of who has not agreed, and a sign-in long ago', async () => {
    const errorOf = async (more: Record<string, string>) =>
      (await authorize(more)).searchParams.get('error')
    provider.clock.now = new Date(provider.clock.now.getTime() + 61_000)
    expect(await errorOf({ max_age: '60' })).toBe('login_required')
    expect(await errorOf({ max_age: '62', prompt: 'none' })).toBeNull()
    await provider.store.write((tx) =>
      tx.db.updateTable('services').set({ oauth_no_confirm: 0 }).execute(),
    )
    expect(await errorOf({ prompt: 'none' })).toBe('consent_required')
    browser.cookies.clear()
    expect(await errorOf({ prompt: 'none' })).toBe('login_required')
    expect((await authorize()).pathname).toBe('/hub/login')
  })

  test('openid for clients that may not, and basic authentication with it', async () => {
    await addService('plain', [])
    const fields = { client_id: 'service-plain', response_type: 'code' }
    const refused = await browser.authorize({ ...fields, scope: 'openid' })
    expect(String(refused.headers.location)).toContain('error=invalid_scope')
    const answer = await browser.authorize(fields)
    const code = new URL(String(answer.headers.location)).searchParams.get('code') ?? ''
    const basic = Buffer.from(`service-plain:${secret}`).toString('base64')
    const exchange = { grant_type: 'authorization_code', code }
    const denied = await provider.token(exchange, { authorization: `Basic ${basic}` })
    expect([denied.statusCode, denied.json()]).toEqual([401, { error: 'invalid_client' }])
    const posted = { ...exchange, client_id: 'service-plain', client_secret: secret }
    const granted = await provider.token(posted)
    expect(granted.statusCode).toBe(200)
    expect(granted.json()).not.toHaveProperty('id_token')
    const { access_token: token } = granted.json<{ access_token: string }>()
    const userinfo = await provider.app.inject({
      url: '/hub/api/oauth2/userinfo',
      headers: { authorization: `Bearer ${token}` },
    })
    expect([userinfo.statusCode, userinfo.headers['www-authenticate']]).toEqual([
      403,
      'Bearer error="insufficient_scope", scope="openid"',
    ])
  })

  test.each([
    [{}, 'Bearer'],
    [{ authorization: 'Bearer nonsense' }, 'Bearer error="invalid_token"'],
  ])('userinfo for %j', async (headers, expected) => {
    const answer = await provider.app.inject({ url: '/hub/api/oauth2/userinfo', headers })
    expect([answer.statusCode, answer.headers['www-authenticate']]).toEqual([401, expected])
  })

  test('wrong nonce, wrong state, wrong verifier, wrong secret', async () => {
    const nonce = openid.randomNonce()
    const verifier = openid.randomPKCECodeVerifier()
    const code_challenge = await openid.calculatePKCECodeChallenge(verifier)
    const pkce = { code_challenge, code_challenge_method: 'S256' }
    const url = await authorize({ nonce, state: 's', ...pkce })
    const grant = (checks: openid.AuthorizationCodeGrantChecks) =>
      openid.authorizationCodeGrant(config, url, {
        expectedState: 's',
        pkceCodeVerifier: verifier,
        ...checks,
      })
    await expect(grant({ expectedState: 'other' })).rejects.toThrow()
    await expect(grant({ pkceCodeVerifier: 'v'.repeat(43) })).rejects.toMatchObject({
      error: 'invalid_grant',
    })
    config = await discover(openid.ClientSecretBasic('wrong'))
    await expect(grant({ expectedNonce: nonce })).rejects.toMatchObject({ status: 401 })
    config = await discover(openid.ClientSecretBasic(secret))
    await expect(grant({ expectedNonce: 'other' })).rejects.toThrow('claim value')
  })
})
