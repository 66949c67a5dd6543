import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { User } from '../domain/records.ts'
import type { ServiceDefinition } from '../domain/service-definition.ts'
import { registerService, unregisterService } from '../services/register-service.ts'
import { putRole } from '../storage/access.ts'
import { grantUserRole } from '../storage/users.ts'
import { secret, startTestProvider, type TestProvider } from './oauth-test-kit.ts'

let provider: TestProvider
let ada: User
let bob: User
beforeEach(async () => {
  provider = await startTestProvider()
  ada = await provider.addUser('ada')
  bob = await provider.addUser('bob')
  await provider.store.write(async (tx) => {
    const scopes = ['access:services!service=dash', 'servers!user']
    await putRole(tx, { name: 'visitor', description: '', scopes })
    await grantUserRole(tx, ada.id, 'visitor')
  })
})
afterEach(() => provider.close())

const dash: ServiceDefinition = {
  name: 'dash',
  admin: false,
  url: 'http://127.0.0.1:9100',
  command: [],
  info: {},
  display: true,
  apiToken: secret,
  oauthClientAllowedScopes: [],
  oauthNoConfirm: false,
  oauthClientId: undefined,
  oauthRedirectUri: undefined,
}

function register(changes: Partial<ServiceDefinition> = {}): Promise<number> {
  return provider.store.write((tx) =>
    registerService(
      tx,
      { ...dash, ...changes },
      { baseUrl: '/', fromConfig: true, trustTokens: true, now: provider.clock.now },
    ),
  )
}

const request = { client_id: 'service-dash', response_type: 'code' }

async function exchange(location: string): Promise<string> {
  const code = new URL(location, 'http://hub').searchParams.get('code') ?? ''
  const answer = await provider.token({
    client_id: 'service-dash',
    client_secret: secret,
    grant_type: 'authorization_code',
    code,
    redirect_uri: '/services/dash/oauth_callback',
  })
  expect(answer.statusCode).toBe(200)
  return answer.json<{ access_token: string }>().access_token
}

describe('the OAuth client of a service', () => {
  test('asks first, and its token opens the service and tells who it is', async () => {
    await register()
    const browser = await provider.browser(ada)
    const page = await browser.authorize(request)
    expect(page.statusCode).toBe(200)
    expect(page.body).toContain('JupyterHub service dash')
    const confirmed = await browser.confirm(request, page.body)
    expect(confirmed.headers.location).toMatch(/^\/services\/dash\/oauth_callback\?code=/)
    const token = await exchange(String(confirmed.headers.location))
    const principal = await provider.principals.findByToken(token)
    expect(principal?.scopes.get('access:services')).toEqual({ service: new Set(['dash']) })
    expect(principal?.scopes.has('servers')).toBe(false)
    expect((await browser.authorize(request)).statusCode).toBe(302)
  })

  test('does not ask when it is trusted, and asks again when it no longer is', async () => {
    await register({ oauthNoConfirm: true })
    expect((await (await provider.browser(ada)).authorize(request)).statusCode).toBe(302)
    await register()
    expect((await (await provider.browser(ada)).authorize(request)).statusCode).toBe(200)
  })

  test('gets of the configured scopes what the visitor holds', async () => {
    await register({ oauthNoConfirm: true, oauthClientAllowedScopes: ['servers', 'admin:users'] })
    const answer = await (await provider.browser(ada)).authorize(request)
    const principal = await provider.principals.findByToken(
      await exchange(String(answer.headers.location)),
    )
    expect(principal?.scopes.get('servers')).toEqual({ user: new Set(['ada']) })
    expect(principal?.scopes.has('admin:users')).toBe(false)
  })

  test('is closed to users without access:services for it', async () => {
    await register({ oauthNoConfirm: true })
    const refused = await (await provider.browser(bob)).authorize(request)
    expect([refused.statusCode, refused.headers['content-type']]).toEqual([403, 'text/html'])
  })

  test('is gone with its service, and so are the tokens of its visitors', async () => {
    const id = await register({ oauthNoConfirm: true })
    const answer = await (await provider.browser(ada)).authorize(request)
    const token = await exchange(String(answer.headers.location))
    expect(await provider.principals.findByToken(token)).toBeDefined()
    await provider.store.write((tx) =>
      unregisterService(tx, { id, name: 'dash' }, { baseUrl: '/' }),
    )
    expect(await provider.principals.findByToken(token)).toBeUndefined()
    expect((await (await provider.browser(ada)).authorize(request)).statusCode).toBe(400)
  })
})
