import { afterEach, expect, it } from 'vitest'
import { putRoute } from '../../src/storage/routes.ts'
import { putService } from '../../src/storage/services.ts'
import { createToken } from '../../src/storage/tokens.ts'
import { describeStores } from '../support/stores.ts'
import { anyText, ApiHub, edgeToken, textWith } from './api-hub.ts'

const paged = { accept: 'application/jupyterhub-pagination+json' }

describeStores('the hub itself', (open) => {
  let hub: ApiHub
  afterEach(() => hub.close())

  async function start(scopes: readonly string[]) {
    hub = await ApiHub.start(await open())
    await hub.addPeople()
    return hub.callerWith(scopes)
  }

  it('tells what it runs with', async () => {
    const call = await start(['read:hub'])
    expect((await call('GET /info')).json()).toEqual({
      version: textWith('6.'),
      python: '3.12',
      sys_executable: '/usr/bin/python3',
      spawner: { class: anyText, version: anyText },
      authenticator: { class: anyText, version: anyText },
    })
    const filtered = await hub.callerWith(['read:hub!user=x'], 'filtered')
    expect((await filtered('GET /info')).statusCode).toBe(403)
  })

  it('shuts down after it has answered, as asked', async () => {
    const call = await start(['shutdown'])
    const cases: [body: unknown, status: number, expected?: object][] = [
      [undefined, 202, {}],
      [null, 202, {}],
      [[], 202, {}],
      [{ proxy: true, servers: false }, 202, { proxy: true, servers: false }],
      [{ proxy: 0, servers: 1, other: [] }, 202, { proxy: false, servers: true }],
      [{ proxy: 'yes' }, 400],
      [{ proxy: 2 }, 400],
      [{ servers: null }, 400],
      [{ servers: {} }, 400],
      [['proxy'], 400],
      ['"proxy"', 400],
      ['{', 400],
    ]
    for (const [body, status, expected] of cases) {
      hub.shutdowns.length = 0
      const answer = await call('POST /shutdown', body)
      expect([body, answer.statusCode]).toEqual([body, status])
      if (status === 202) expect(answer.json()).toEqual({ message: anyText })
      await expect.poll(() => hub.shutdowns).toEqual(expected === undefined ? [] : [expected])
    }
    const other = await hub.callerWith(['shutdown!user=me', 'proxy'], 'other')
    expect((await other('POST /shutdown')).statusCode).toBe(403)
  })

  it('shows the routing table in pages', async () => {
    const call = await start(['proxy', 'servers'])
    await call('POST /users/bob/servers/lab')
    await call('POST /proxy')
    const table = await call('GET /proxy')
    expect(table.json()).toEqual({
      '/': { routespec: '/', target: 'http://127.0.0.1:8081', data: { hub: true } },
      '/user/bob/lab/': {
        routespec: '/user/bob/lab/',
        target: textWith('http://127.0.0.1:'),
        data: { user: 'bob', server_name: 'lab', last_activity: anyText },
      },
    })
    const page = await call('GET /proxy?limit=1', undefined, { ...paged, host: 'h.x' })
    expect(page.json()).toMatchObject({
      items: { '/': { data: { hub: true } } },
      _pagination: {
        offset: 0,
        limit: 1,
        total: 2,
        next: { offset: 1, limit: 1, url: 'http://h.x/hub/api/proxy?limit=1&offset=1' },
      },
    })
    expect((await call('GET /proxy?offset=1&limit=1')).json()).toEqual({
      '/user/bob/lab/': expect.any(Object) as unknown,
    })
    expect((await call('GET /proxy?limit=x')).statusCode).toBe(400)
  })

  it('brings the routing table in line when asked', async () => {
    const call = await start(['proxy', 'servers'])
    await call('POST /users/bob/server')
    await hub.store.write(async (tx) => {
      await putRoute(tx, { routespec: '/user/gone/', target: 'http://h:1', data: { user: 'gone' } })
      await putRoute(tx, { routespec: '/user/bob/', target: 'http://h:2', data: { user: 'x' } })
      await putRoute(tx, { routespec: '/else/', target: 'http://h:3', data: {} })
    })
    const answer = await call('POST /proxy', '{not read')
    expect([answer.statusCode, answer.body, answer.headers['content-type']]).toEqual([
      200,
      '',
      'application/json',
    ])
    const table = (await call('GET /proxy')).json<Record<string, { target: string }>>()
    expect(Object.keys(table)).toEqual(['/', '/else/', '/user/bob/'])
    expect(table['/user/bob/']?.target).not.toBe('http://h:2')
  })

  it('is told of a new proxy', async () => {
    const call = await start(['proxy'])
    const cases: [body: unknown, status: number][] = [
      [undefined, 400],
      [null, 400],
      [[], 400],
      ['"x"', 400],
      ['{', 400],
      [{ api_url: 5 }, 400],
      [{ api_url: 'nowhere' }, 400],
      [{ auth_token: '' }, 400],
      [{}, 200],
      [{ other: 1 }, 200],
      [{ api_url: 'http://127.0.0.1:8001', auth_token: 'new-secret' }, 200],
    ]
    for (const [body, status] of cases) {
      expect([body, (await call('PATCH /proxy', body)).statusCode]).toEqual([body, status])
    }
    for (const secret of ['new-secret', edgeToken]) {
      const ack = await hub.withToken(secret)('POST /edge/ack', { edge: 'e', seq: 1 })
      expect([secret, ack.statusCode]).toEqual([secret, 204])
    }
    const wrong = await hub.withToken('wrong')('POST /edge/ack', { edge: 'e', seq: 1 })
    expect(wrong.statusCode).toBe(403)
    for (const scopes of [['proxy!user=me'], ['admin:servers']]) {
      const other = await hub.callerWith(scopes, 'other')
      for (const method of ['GET', 'POST', 'PATCH']) {
        expect((await other(`${method} /proxy`)).statusCode).toBe(403)
      }
    }
  })

  it('resolves tokens for old services', async () => {
    const call = await start([])
    const bob = await hub.callerWith(['read:servers'], 'bob')
    const answer = await call(`GET /authorizations/token/${bob.token}`)
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({
      kind: 'user',
      name: 'bob',
      admin: false,
      user_info: null,
      groups: ['g1'],
    })
    expect(hub.activity).toEqual(['bob'])
    const wide = await hub.callerWith(['read:users', 'read:servers'], 'wide')
    expect((await wide(`GET /authorizations/token/${bob.token}`)).json()).toMatchObject({
      created: anyText,
      servers: {},
    })
    const cookie = { cookie: await hub.cookieOf('bob') }
    const cases: [
      call: typeof call,
      line: string,
      headers: Record<string, string>,
      status: number,
    ][] = [
      [call, 'GET /authorizations/token/nonsense', {}, 404],
      [hub.anonymous(), `GET /authorizations/token/${bob.token}`, {}, 403],
      [hub.anonymous(), `GET /authorizations/token/${bob.token}`, cookie, 403],
      [hub.anonymous(), 'POST /authorizations/token', {}, 404],
      [call, 'GET /authorizations/token', {}, 405],
      [call, `POST /authorizations/token/${bob.token}`, {}, 405],
    ]
    for (const [caller, line, headers, status] of cases) {
      expect([line, (await caller(line, undefined, headers)).statusCode]).toEqual([line, status])
    }
    const hint = await hub.anonymous()('POST /authorizations/token', 'user=x')
    expect(hint.body).toContain('/users/:user/tokens')
  })

  it('resolves the tokens of services', async () => {
    const call = await start([])
    const value = 'service-token-value'
    await hub.store.write(async (tx) => {
      const id = await putService(tx, newService)
      const owner = { kind: 'service', id } as const
      await createToken(tx, { value, owner, scopes: ['inherit'], note: '' }, new Date())
    })
    const answer = await call(`GET /authorizations/token/${value}`)
    expect(answer.json()).toEqual({ kind: 'service', name: 'culler', admin: false })
  })

  it('resolves login cookies for old services', async () => {
    const call = await start([])
    const wide = await hub.callerWith(['read:users:name'], 'wide')
    const [pair = ''] = (await hub.cookieOf('bob')).split(';')
    const value = pair.slice(pair.indexOf('"') + 1, -1)
    const path = `/authorizations/cookie/jupyterhub-hub-login/${encodeURIComponent(value)}`
    expect((await wide(`GET ${path}`)).json()).toMatchObject({ kind: 'user', name: 'bob' })
    expect((await call(`GET ${path}`)).json()).toEqual({})
    const inBody = await wide('GET /authorizations/cookie/jupyterhub-hub-login', value)
    expect(inBody.json()).toMatchObject({ name: 'bob' })
    const cases: [line: string, status: number][] = [
      [`GET /authorizations/cookie/other-name/${encodeURIComponent(value)}`, 404],
      ['GET /authorizations/cookie/jupyterhub-hub-login/nonsense', 404],
      ['GET /authorizations/cookie/jupyterhub-hub-login', 404],
    ]
    for (const [line, status] of cases) {
      expect([line, (await wide(line)).statusCode]).toEqual([line, status])
    }
    expect((await hub.anonymous()(`GET ${path}`)).statusCode).toBe(403)
  })
})

const newService = {
  name: 'culler',
  admin: false,
  url: '',
  command: [],
  info: {},
  display: true,
  oauthNoConfirm: false,
  fromConfig: false,
}
