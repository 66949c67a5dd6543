import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestInstallation } from '../../hub/test/support/hub-process.ts'
import { type Client, createClient, type ServerEvent, unwrap } from '../src/index.ts'

// The client against a hub, its edge and servers as real processes.

const token = 'client-test-token-0123456789'
const tinyServer = fileURLToPath(new URL('../../hub/test/support/tiny-server.mjs', import.meta.url))
let orrery: TestInstallation
let hub: Client

beforeAll(async () => {
  orrery = await TestInstallation.create({
    homes: true,
    config: {
      JupyterHub: {
        spawner_class: 'simple',
        authenticator_class: 'dummy',
        api_tokens: { [token]: 'root' },
        allow_named_servers: true,
        services: [
          { name: 'watcher', url: 'http://127.0.0.1:9', api_token: 'watcher-token-0123456789' },
        ],
        tornado_settings: { slow_spawn_timeout: 0 },
      },
      Authenticator: { admin_users: ['root'], allow_all: true },
      Spawner: { cmd: [process.execPath, tinyServer] },
    },
  })
  await orrery.start()
  hub = createClient({ url: `${orrery.url}/hub/api`, token })
})

afterAll(() => orrery?.destroy())

/** Signs in through the form, as a browser, and gives what a page's script has. */
async function signIn(name: string): Promise<Client> {
  const jar = new Map<string, string>()
  await visit('/hub/login', { jar })
  const form = { username: name, password: 'x', _xsrf: jar.get('_xsrf') ?? '' }
  await visit('/hub/login', { jar, form: new URLSearchParams(form).toString() })
  const page = await visit('/hub/token', { jar })
  const xsrf = /data-xsrf="([^"]+)"/.exec(page)?.[1]
  expect(xsrf).toBeDefined()
  // A page's own requests are of the mode `cors`, in Node as in browsers.
  const fetchWithCookies: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers)
    headers.set('cookie', cookiesOf(jar))
    return fetch(input, { ...init, headers })
  }
  return createClient({ url: `${orrery.url}/hub/api`, xsrf, fetch: fetchWithCookies })
}

/** What a browser does when it goes to a page; `fetch` cannot: it says that it is none. */
function visit(path: string, { jar, form }: { jar: Map<string, string>; form?: string }) {
  return new Promise<string>((resolve, reject) => {
    const headers = {
      cookie: cookiesOf(jar),
      'sec-fetch-mode': 'navigate',
      ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
    }
    const method = form === undefined ? 'GET' : 'POST'
    const sent = request(`${orrery.url}${path}`, { method, headers }, (response) => {
      for (const line of response.headers['set-cookie'] ?? []) {
        const [, key = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        jar.set(key, value)
      }
      text(response).then(resolve, reject)
    })
    sent.on('error', reject).end(form)
  })
}

function cookiesOf(jar: ReadonlyMap<string, string>): string {
  return [...jar].map((pair) => pair.join('=')).join('; ')
}

describe('with a token', () => {
  test('the hub says what it is, and who asks', async () => {
    expect(unwrap(await hub.hub.version()).version).toMatch(/^6\./)
    expect(unwrap(await hub.hub.info()).spawner.class).toContain('simple')
    expect(unwrap(await hub.hub.whoami())).toMatchObject({ kind: 'user', name: 'root' })
  })

  test('users come and go, a page at a time', async () => {
    const names = ['eve', 'fay', 'a/b c', 'ñandú']
    expect(unwrap(await hub.users.createMany(['eve', 'fay']))).toHaveLength(2)
    unwrap(await hub.users.create('ñandú', { admin: true }))
    expect(await hub.users.create('a/b c')).toMatchObject({ ok: false, error: { status: 400 } })
    const seen: (string | undefined)[] = []
    for await (const page of hub.users.pages({ limit: 1, sort: 'name' })) {
      seen.push(...unwrap(page).items.map(({ name }) => name))
    }
    expect(seen).toEqual(['eve', 'fay', 'root', 'ñandú'])
    expect(unwrap(await hub.users.get('ñandú')).admin).toBe(true)
    expect(unwrap(await hub.users.update('fay', { name: 'gil' })).name).toBe('gil')
    unwrap(await hub.users.reportActivity('gil', { last_activity: new Date().toISOString() }))
    for (const name of ['eve', 'gil', 'ñandú']) unwrap(await hub.users.remove(name))
    expect(unwrap(await hub.users.list({ nameFilter: 'e' })).total).toBe(0)
    expect(await hub.users.get(names[0] ?? '')).toMatchObject({ ok: false, error: { status: 404 } })
  })

  test('a server is started, followed, edited and removed', async () => {
    unwrap(await hub.users.create('ada'))
    const server = { user: 'ada', server: 'gpu' }
    unwrap(await hub.servers.create(server, { display_name: 'With GPU' }))
    const events: ServerEvent[] = []
    const started = await hub.servers.startAndWait(server, {
      onEvent: (event) => events.push(event),
    })
    expect(unwrap(started)).toMatchObject({
      ready: true,
      url: '/user/ada/gpu/',
      display_name: 'With GPU',
    })
    expect(events.at(0)).toMatchObject({ kind: 'progress', progress: 0 })
    expect(events.at(-1)).toMatchObject({ kind: 'ready', url: '/user/ada/gpu/' })
    expect(unwrap(await hub.servers.startAndWait(server)).ready).toBe(true)
    expect(await hub.servers.edit(server, { name: 'tpu' })).toMatchObject({ ok: false })
    expect(unwrap(await hub.servers.stopAndWait(server))).toBe('stopped')
    expect(unwrap(await hub.servers.edit(server, { name: 'tpu' })).name).toBe('tpu')
    unwrap(await hub.servers.remove({ user: 'ada', server: 'tpu' }))
    expect(await hub.servers.get({ user: 'ada', server: 'tpu' })).toMatchObject({ ok: false })
    expect(unwrap(await hub.servers.get({ user: 'ada' })).stopped).toBe(true)
  })

  test('tokens are made, listed and revoked', async () => {
    const made = unwrap(
      await hub.tokens.create('root', {
        note: 'n',
        lifetimeMs: 60_000,
        scopes: ['read:users!user'],
      }),
    )
    const limited = createClient({ url: `${orrery.url}/hub/api`, token: made.token })
    expect(unwrap(await limited.hub.whoami()).name).toBe('root')
    expect(await limited.users.list()).toMatchObject({
      ok: false,
      error: { kind: 'refused', status: 403 },
    })
    expect(unwrap(await hub.tokens.list('root')).map(({ note }) => note)).toContain('n')
    expect(unwrap(await hub.tokens.get('root', made.id)).expires_at).not.toBeNull()
    unwrap(await hub.tokens.revoke('root', made.id))
    expect(await limited.hub.whoami()).toMatchObject({ ok: false, error: { status: 403 } })
  })

  test('groups have members and properties', async () => {
    unwrap(await hub.users.createMany(['hal', 'ivy']))
    unwrap(await hub.groups.create('staff', ['hal']))
    expect(unwrap(await hub.groups.addMembers('staff', ['ivy'])).users).toEqual(['hal', 'ivy'])
    expect(unwrap(await hub.groups.removeMembers('staff', ['hal'])).users).toEqual(['ivy'])
    expect(unwrap(await hub.groups.setProperties('staff', { quota: 3 })).properties).toEqual({
      quota: 3,
    })
    const pages: (string | undefined)[] = []
    for await (const page of hub.groups.pages({ limit: 1 })) {
      pages.push(...unwrap(page).items.map(({ name }) => name))
    }
    expect(pages).toEqual(['staff'])
    expect(unwrap(await hub.groups.get('staff')).name).toBe('staff')
    unwrap(await hub.groups.remove('staff'))
    expect(unwrap(await hub.groups.list()).total).toBe(0)
  })

  test('services are listed, added and removed', async () => {
    expect(unwrap(await hub.services.get('watcher')).prefix).toBe('/services/watcher/')
    unwrap(await hub.services.create('other', { display: false }))
    expect(Object.keys(unwrap(await hub.services.list()))).toEqual(['watcher', 'other'])
    unwrap(await hub.services.remove('other'))
    expect(await hub.services.remove('watcher')).toMatchObject({
      ok: false,
      error: { status: 405 },
    })
  })

  test('roles and routes are read, and users disabled', async () => {
    expect(unwrap(await hub.roles.get('admin')).members).toMatchObject({ users: 1 })
    expect(unwrap(await hub.roles.list()).map(({ name }) => name)).toContain('user')
    const routes: string[] = []
    for await (const page of hub.routes.pages({ limit: 1 })) {
      routes.push(...unwrap(page).items.map(({ routespec }) => routespec))
    }
    expect(routes).toEqual(expect.arrayContaining(['/', '/services/watcher/']))
    unwrap(await hub.routes.check())
    unwrap(await hub.users.create('moe'))
    expect(unwrap(await hub.users.update('moe', { disabled: true })).disabled).toBe(true)
    unwrap(await hub.users.remove('moe'))
  })

  test('access to servers is shared and taken back', async () => {
    unwrap(await hub.users.createMany(['jay', 'kim']))
    const server = { user: 'jay', server: '' }
    unwrap(await hub.servers.startAndWait(server))
    expect(unwrap(await hub.shares.grant(server, { user: 'kim' })).scopes).toEqual([
      'access:servers!server=jay/',
    ])
    expect(unwrap(await hub.shares.list(server)).items).toHaveLength(1)
    expect(unwrap(await hub.shares.list({ user: 'jay' })).total).toBe(1)
    expect(unwrap(await hub.shares.listWithUser('kim')).items[0]?.server.user.name).toBe('jay')
    expect(unwrap(await hub.shares.revoke(server, { user: 'kim' }))).toBeUndefined()
    unwrap(await hub.shares.grant(server, { user: 'kim' }))
    unwrap(await hub.shares.leave({ user: 'kim' }, server))
    const code = unwrap(await hub.shares.createCode(server, { lifetimeMs: 60_000 }))
    expect(code.accept_url).toContain(code.code)
    expect(unwrap(await hub.shares.listCodes(server)).items[0]?.id).toBe(code.id)
    unwrap(await hub.shares.deleteCode(server, code.id))
    unwrap(await hub.shares.revokeAll(server))
    unwrap(await hub.servers.stopAndWait(server))
  })
})

describe('with the login cookie', () => {
  test("a page's client needs the XSRF token to write, and follows a start", async () => {
    const mine = await signIn('lea')
    expect(unwrap(await mine.hub.whoami())).toMatchObject({ name: 'lea', token_id: null })
    const events: string[] = []
    const started = await mine.servers.startAndWait(
      { user: 'lea' },
      { onEvent: ({ kind }) => events.push(kind) },
    )
    expect(unwrap(started).url).toBe('/user/lea/')
    expect(events.at(-1)).toBe('ready')
    expect(unwrap(await mine.servers.stopAndWait({ user: 'lea' }))).toBe('stopped')
    expect(unwrap(await mine.tokens.create('lea')).token).toMatch(/^[0-9a-f]{32}$/)
  })
})

test('the hub ends when it is told to', async () => {
  expect(unwrap(await hub.hub.shutDown({ proxy: true, servers: true })).message).not.toBe('')
  expect(await orrery.exited()).toBe(0)
})

test('a hub that does not answer is a value', async () => {
  const nobody = createClient({ url: 'http://127.0.0.1:9/hub/api', token })
  expect(await nobody.users.list()).toMatchObject({ ok: false, error: { kind: 'unreachable' } })
})
