import { expect, test } from 'vitest'
import { loadServices, type ServiceContent } from '../../src/startup/service-content.ts'
import { putServiceRun } from '../../src/storage/service-runs.ts'
import { findOAuthClient } from '../../src/storage/oauth.ts'
import { loadRoutes } from '../../src/storage/routes.ts'
import { putRole } from '../../src/storage/access.ts'
import type { Store } from '../../src/storage/store.ts'
import { isTokenOf } from '../../src/storage/token-hash.ts'
import { describeStores } from '../support/stores.ts'
import { ApiHub } from './api-hub.ts'

const configured = {
  name: 'announce',
  admin: false,
  url: 'http://127.0.0.1:9100/ignored',
  command: ['announce', '--all'],
  info: { contact: 'ada' },
  display: true,
  apiToken: undefined,
  oauthClientAllowedScopes: [],
  oauthRoles: [],
  oauthNoConfirm: false,
  oauthClientId: undefined,
  oauthRedirectUri: undefined,
}

/** What a start of the hub does with the configured services. */
function load(store: Store, content: Partial<ServiceContent> = {}): Promise<Map<string, number>> {
  const all = { services: [configured], serviceTokens: {}, baseUrl: '/', trustTokens: true }
  return store.write((tx) => loadServices(tx, { ...all, ...content }, new Date()))
}

async function serviceRoutes(store: Store) {
  const { routes } = await loadRoutes(store.db)
  return routes.map(({ routespec, target, data }) => ({ routespec, target, data }))
}

describeStores('services API', (open) => {
  async function start(): Promise<ApiHub> {
    const store = await open()
    const hub = await ApiHub.start(store)
    await load(store)
    return Object.assign(hub, { store })
  }

  test('the list holds the services that list:services covers, each with its visible keys', async () => {
    const hub = await start()
    const admin = await hub.callerWith(['admin:services'], 'boss')
    expect((await admin('POST /services/extern', { info: { a: 1 } })).statusCode).toBe(201)
    const announce = {
      kind: 'service',
      name: 'announce',
      admin: false,
      roles: [],
      url: configured.url,
      prefix: '/services/announce/',
      command: ['announce', '--all'],
      pid: 0,
      info: { contact: 'ada' },
      display: true,
    }
    const extern = {
      ...announce,
      name: 'extern',
      url: '',
      prefix: '',
      command: [],
      info: { a: 1 },
    }
    const named = (name: string) => ({ kind: 'service', name, admin: false })
    const { roles: _roles, ...withoutRoles } = announce
    const cases: readonly [readonly string[], number, unknown][] = [
      [['admin:services'], 200, { announce, extern }],
      [['list:services'], 200, { announce: named('announce'), extern: named('extern') }],
      [['list:services!service=extern'], 200, { extern: named('extern') }],
      [['list:services!user=extern'], 200, {}],
      [['list:services!service=nothing'], 200, {}],
      [
        ['list:services', 'read:services!service=announce'],
        200,
        { announce: withoutRoles, extern: named('extern') },
      ],
      [['read:services'], 403, undefined],
    ]
    for (const [scopes, status, body] of cases) {
      const caller = await hub.callerWith(scopes)
      const answer = await caller('GET /services')
      expect([scopes, answer.statusCode]).toEqual([scopes, status])
      if (body !== undefined) expect([scopes, answer.json()]).toEqual([scopes, body])
    }
    await hub.close()
  })

  test('one service is shown to whom a scope covers it, and hidden from others', async () => {
    const hub = await start()
    const cases: readonly [readonly string[], string, number][] = [
      [['read:services'], 'announce', 200],
      [['read:services:name!service=announce'], 'announce', 200],
      [['read:roles:services'], 'announce', 200],
      [['read:services!service=other'], 'announce', 404],
      [['read:services'], 'nothing', 404],
      [['list:users'], 'announce', 403],
    ]
    for (const [scopes, name, status] of cases) {
      const caller = await hub.callerWith(scopes)
      const answer = await caller(`GET /services/${name}`)
      expect([scopes, name, answer.statusCode]).toEqual([scopes, name, status])
    }
    const caller = await hub.callerWith(['read:roles:services!service=announce'])
    const answer = await caller('GET /services/announce')
    expect(answer.json()).toEqual({ kind: 'service', name: 'announce', admin: false, roles: [] })
    expect((await hub.anonymous()('GET /services')).statusCode).toBe(403)
    expect((await caller('POST /services', {})).statusCode).toBe(405)
    await hub.close()
  })

  test('the pid is that of the stored run', async () => {
    const hub = await start()
    await hub.store.write((tx) =>
      putServiceRun(tx, {
        name: 'announce',
        runId: 'r1',
        fingerprint: '',
        state: { pid: 4711 },
        startedAt: new Date(),
      }),
    )
    const caller = await hub.callerWith(['read:services'])
    expect((await caller('GET /services/announce')).json()).toMatchObject({ pid: 4711 })
    await hub.close()
  })

  test('a service that is added speaks with its token, and all of it goes when it is deleted', async () => {
    const hub = await start()
    const admin = await hub.callerWith(['admin:services', 'access:services', 'read:users'], 'boss')
    const body = {
      url: 'https://dash.example:8443/path',
      api_token: 'a-token-of-its-own',
      oauth_no_confirm: true,
      oauth_client_allowed_scopes: ['read:users!user'],
      name: 'another',
    }
    const created = await admin('POST /services/dash', body)
    expect(created.statusCode).toBe(201)
    expect(created.json()).toMatchObject({ name: 'dash', prefix: '/services/dash/', roles: [] })
    expect(created.body).not.toContain(body.api_token)
    const itself = await hub.withToken(body.api_token)('GET /user')
    expect(itself.json()).toMatchObject({ kind: 'service', name: 'dash', admin: false })
    const client = await findOAuthClient(hub.store.db, 'service-dash')
    expect(client).toMatchObject({
      redirectUri: '/services/dash/oauth_callback',
      description: 'JupyterHub service dash',
      allowedScopes: ['access:services!service=dash', 'read:users!user'],
    })
    expect(isTokenOf(client?.secretHash ?? '', body.api_token)).toBe(true)
    const route = {
      routespec: '/services/dash/',
      target: 'https://dash.example:8443',
      data: { service: 'dash' },
    }
    expect(await serviceRoutes(hub.store)).toContainEqual(route)
    expect((await admin('POST /services/dash', body)).statusCode).toBe(409)

    // A restart of the hub loads the configuration again.
    await load(hub.store)
    expect(await serviceRoutes(hub.store)).toContainEqual(route)
    expect((await hub.withToken(body.api_token)('GET /user')).statusCode).toBe(200)

    const deleted = await admin('DELETE /services/dash')
    expect([deleted.statusCode, deleted.body]).toEqual([200, ''])
    expect(await serviceRoutes(hub.store)).not.toContainEqual(route)
    expect(await findOAuthClient(hub.store.db, 'service-dash')).toBeUndefined()
    expect((await hub.withToken(body.api_token)('GET /user')).statusCode).toBe(403)
    expect((await admin('DELETE /services/dash')).statusCode).toBe(404)
    expect((await admin('DELETE /services/announce')).statusCode).toBe(405)
    expect((await admin('POST /services/dash', body)).statusCode).toBe(201)
    await hub.close()
  })

  test('what cannot become a service is refused, and nothing of it is left', async () => {
    const hub = await start()
    await hub.store.write((tx) =>
      putRole(tx, { name: 'admin', description: '', scopes: ['admin:users'] }),
    )
    const admin = await hub.callerWith(['admin:services', 'read:users'], 'boss')
    const refused: readonly [unknown, string][] = [
      [undefined, 'Invalid service data'],
      ['{', 'JSON'],
      [{}, ''],
      [[], ''],
      [null, ''],
      [{ timeout: 3 }, 'timeout'],
      [{ admin: 'yes' }, 'admin'],
      [{ info: [] }, 'info'],
      [{ admin: true }, 'not held'],
      [{ oauth_client_allowed_scopes: ['servers'] }, 'not held'],
      [{ oauth_client_allowed_scopes: ['no:such'] }, 'No such scopes'],
      [{ command: ['true'] }, 'Can not create managed service'],
      [{ url: 'ftp://host/' }, 'url'],
      [{ url: 'http://' }, 'url'],
      [{ api_token: 'short' }, 'api_token'],
      [{ api_token: 'with a space' }, 'api_token'],
      [{ url: 'http://h/\0' }, 'url'],
      [{ oauth_redirect_uri: '/\0' }, 'oauth_redirect_uri'],
      [{ oauth_client_id: 'mine' }, 'oauth_client_id'],
      [{ oauth_no_confirm: true }, 'oauth_redirect_uri'],
      [{ oauth_redirect_uri: 'javascript:alert(1)' }, 'oauth_redirect_uri'],
      [{ oauth_redirect_uri: '//evil.example/' }, 'oauth_redirect_uri'],
      [{ url: 'http://h', oauth_client_id: 'service-announce' }, 'belongs to somebody else'],
    ]
    for (const [body, message] of refused) {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      const answer = await admin('POST /services/bad', body === undefined ? undefined : text)
      expect([body, answer.statusCode]).toEqual([body, 400])
      expect(answer.json<{ message: string }>().message).toContain(message)
    }
    for (const name of ['a%2Fb', '..%2e', '%20x', 'x%2520y', 'n'.repeat(256), 'a%00b']) {
      const answer = await admin(`POST /services/${name}`, { display: false })
      expect([name, answer.statusCode]).toEqual([name, 400])
    }
    expect(Object.keys((await admin('GET /services')).json<object>())).toEqual(['announce'])
    const partly = await hub.callerWith(['admin:services!service=mine'], 'partly')
    expect((await partly('POST /services/yours', { display: false })).statusCode).toBe(404)
    expect((await partly('POST /services/mine', { display: false })).statusCode).toBe(201)
    expect((await partly('DELETE /services/yours')).statusCode).toBe(404)
    await hub.close()
  })

  test('of two that add the same service at once, one gets it', async () => {
    const hub = await start()
    const admin = await hub.callerWith(['admin:services'], 'boss')
    const answers = await Promise.all(
      [1, 2, 3].map((n) => admin('POST /services/x', { info: { n } })),
    )
    const statuses = answers.map(({ statusCode }) => statusCode)
    expect(statuses.toSorted((a, b) => a - b)).toEqual([201, 409, 409])
    await hub.close()
  })
})

describeStores('configured services', (open) => {
  test('a start that changes nothing announces no route and keeps the OAuth client', async () => {
    const store = await open()
    await load(store, { services: [{ ...configured, apiToken: 'configured-token' }] })
    const before = [await loadRoutes(store.db), await findOAuthClient(store.db, 'service-announce')]
    await load(store, { services: [{ ...configured, apiToken: 'configured-token' }] })
    const after = [await loadRoutes(store.db), await findOAuthClient(store.db, 'service-announce')]
    expect(after).toEqual(before)
  })

  test('what left the configuration is gone, with its route', async () => {
    const store = await open()
    await load(store)
    expect(await serviceRoutes(store)).toHaveLength(1)
    await load(store, { services: [] })
    expect(await serviceRoutes(store)).toEqual([])
    expect(await findOAuthClient(store.db, 'service-announce')).toBeUndefined()
  })

  test('another base URL takes the routes along', async () => {
    const store = await open()
    await load(store)
    await load(store, { baseUrl: '/base/' })
    const specs = (await serviceRoutes(store)).map(({ routespec }) => routespec)
    expect(specs).toEqual(['/base/services/announce/'])
  })

  test('a configured service takes nothing over from one that was added through the API', async () => {
    const store = await open()
    const hub = await ApiHub.start(store)
    const admin = await hub.callerWith(['admin:services'], 'boss')
    await admin('POST /services/announce', { api_token: 'known-to-somebody' })
    expect((await hub.withToken('known-to-somebody')('GET /user')).statusCode).toBe(200)
    await load(store)
    expect((await hub.withToken('known-to-somebody')('GET /user')).statusCode).toBe(403)
    expect((await admin('DELETE /services/announce')).statusCode).toBe(405)
    await hub.close()
  })

  test('service_tokens name configured services, added ones, and new ones', async () => {
    const store = await open()
    const hub = await ApiHub.start(store)
    const admin = await hub.callerWith(['admin:services'], 'boss')
    await admin('POST /services/added', { display: false })
    const serviceTokens = { token1234: 'announce', token2345: 'added', token3456: 'fresh' }
    await load(store, { serviceTokens })
    for (const [token, name] of Object.entries(serviceTokens)) {
      expect((await hub.withToken(token)('GET /user')).json()).toMatchObject({ name })
    }
    expect((await admin('DELETE /services/added')).statusCode).toBe(200)
    expect((await admin('DELETE /services/fresh')).statusCode).toBe(405)
    await hub.close()
  })

  test('scopes of oauth_roles count where no scopes are given; an unknown role is an error', async () => {
    const store = await open()
    await store.write((tx) => putRole(tx, { name: 'reader', description: '', scopes: ['users'] }))
    await load(store, { services: [{ ...configured, oauthRoles: ['reader'] }] })
    expect(await findOAuthClient(store.db, 'service-announce')).toMatchObject({
      allowedScopes: ['access:services!service=announce', 'users'],
    })
    const services = [{ ...configured, oauthRoles: ['raeder'] }]
    await expect(load(store, { services })).rejects.toThrow(/'raeder', which is no role/)
  })

  test('two services with one OAuth client are an error', async () => {
    const store = await open()
    const services = [configured, { ...configured, name: 'two', oauthClientId: 'service-announce' }]
    await expect(load(store, { services })).rejects.toThrow(/'two'.*belongs to somebody else/)
  })
})
