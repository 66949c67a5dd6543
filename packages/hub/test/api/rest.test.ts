import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { describeStores } from '../support/stores.ts'
import { anyText, ApiHub, textWith } from './api-hub.ts'

const all = ['admin:users', 'admin:servers', 'tokens', 'list:users', 'read:hub']

describeStores('REST API', (open) => {
  let hub: ApiHub
  afterEach(() => hub.close())

  async function start(options?: Parameters<typeof ApiHub.start>[1]) {
    hub = await ApiHub.start(await open(), options)
    await hub.addPeople()
    return hub.callerWith(all)
  }

  it('tells its version to everybody, with and without the final slash', async () => {
    await start()
    for (const path of ['GET /', 'GET ']) {
      const answer = await hub.anonymous()(path)
      expect(answer.statusCode).toBe(200)
      expect(answer.json()).toEqual({ version: textWith('6.') })
      expect(answer.headers['access-control-allow-origin']).toBe('*')
      expect(answer.headers['x-jupyterhub-version']).toMatch(/^6\./)
      expect(answer.headers['content-type']).toBe('application/json')
    }
  })

  it('answers methods and paths that are not there', async () => {
    const call = await start()
    const cases = [
      ['HEAD /users', 405, ''],
      ['OPTIONS /users/bob', 200, ''],
      ['PUT /users', 405, '{"status":405,"message":"Method Not Allowed"}'],
      ['GET /nothing', 404, '{"status":404,"message":"Not Found"}'],
      ['GET /users/', 404, anyText],
      ['GET /users/bob/server/', 404, anyText],
      ['GET /users/bob/tokens/', 404, anyText],
    ] as const
    for (const [line, status, body] of cases) {
      const answer = await call(line)
      expect([line, answer.statusCode, answer.body]).toEqual([line, status, body])
    }
  })

  it('says nothing of what exists to anonymous callers', async () => {
    await start()
    const answer = await hub.anonymous()('GET /users/bob')
    expect(answer.statusCode).toBe(403)
    expect(answer.json()).toEqual({
      status: 403,
      message: textWith('Missing or invalid credentials'),
    })
  })

  it('checks the scope before it reads a body', async () => {
    const call = await start()
    const poor = await hub.callerWith(['read:users'], 'poor')
    expect((await poor('POST /users', '{nonsense')).statusCode).toBe(403)
    const answer = await call('POST /users', '{nonsense')
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toEqual({ status: 400, message: 'Invalid JSON in body of request' })
  })

  it('refuses bad bodies, naming the field', async () => {
    const call = await start()
    const cases: [string, unknown, string][] = [
      ['POST /users', {}, 'usernames'],
      ['POST /users', { usernames: 'abc' }, 'body.usernames'],
      ['POST /users', { usernames: ['a', 7] }, 'body.usernames.1'],
      ['POST /users', { usernames: ['a'], colour: 1 }, 'colour'],
      ['POST /users', { usernames: ['a/b', ' c '] }, 'Invalid usernames: a/b,  c '],
      ['POST /users/new', { admin: 'yes' }, 'body.admin'],
      ['PATCH /users/bob', { groups: [] }, 'groups'],
      ['PATCH /users/bob', { name: 'carol' }, 'already exists'],
      ['PATCH /users/bob', { name: '' }, 'Invalid username'],
      ['POST /users/bob/activity', [], 'body'],
      ['POST /users/bob/activity', {}, 'last_activity'],
      ['POST /users/bob/activity', { last_activity: 5 }, 'body.last_activity'],
      ['POST /users/bob/activity', { last_activity: 'soon' }, 'body.last_activity'],
      ['POST /users/bob/activity', { last_activity: '2999-01-01' }, 'in the future'],
      [
        'POST /users/bob/activity',
        { servers: { x: { last_activity: '2026-01-01' } } },
        'No such server',
      ],
      ['POST /users/bob/server', [1], 'body'],
      ['POST /users/bob/server', { display_name: null }, 'body.display_name'],
      ['POST /users/bob/servers/Bad%20Name', {}, "Invalid server_name: 'Bad Name'"],
      ['PATCH /users/bob/server', {}, 'body'],
      ['PATCH /users/bob/server', { colour: 1 }, 'colour'],
      ['DELETE /users/bob/server', { remove: true }, 'default server'],
      ['DELETE /users/bob/server', [1], 'body'],
      ['POST /users/bob/tokens', [1], 'body'],
      ['POST /users/bob/tokens', { expires_in: 'x' }, 'body.expires_in'],
      ['POST /users/bob/tokens', { scopes: ['nope'] }, 'nope'],
      ['POST /users/bob/tokens', { scopes: ['admin:users'] }, 'Not assigning requested scopes'],
      ['POST /users/bob/tokens', { roles: ['nope'] }, 'No such role'],
      ['POST /users/bob/tokens', { roles: ['token'], scopes: [] }, 'not both'],
      ['GET /users?limit=1.5', undefined, 'limit'],
      ['GET /users?sort=--id', undefined, 'query.sort'],
      ['GET /users?state=odd', undefined, 'query.state'],
    ]
    for (const [line, body, text] of cases) {
      const answer = await call(line, body)
      expect([line, body, answer.statusCode, answer.body]).toEqual([
        line,
        body,
        400,
        textWith(JSON.stringify(text).slice(1, -1)),
      ])
    }
  })

  it('refuses bodies above a mebibyte', async () => {
    const call = await start()
    const answer = await call('POST /users', { usernames: ['x'.repeat(1_100_000)] })
    expect(answer.statusCode).toBe(413)
    expect(answer.json()).toMatchObject({ status: 413 })
  })

  it('reads JSON whatever its type says', async () => {
    const call = await start()
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'odd']) {
      const answer = await call('PATCH /users/bob', '{}', { 'content-type': type })
      expect([type, answer.statusCode]).toEqual([type, 200])
    }
  })

  it('pages, sorts and filters users', async () => {
    const call = await start()
    const paged = { accept: 'application/jupyterhub-pagination+json' }
    const answer = await call('GET /users?limit=2&sort=-name&x=', undefined, {
      ...paged,
      host: 'hub.example',
    })
    expect(answer.json()).toMatchObject({
      items: [{ name: 'me' }, { name: 'dave' }],
      _pagination: {
        offset: 0,
        limit: 2,
        total: 5,
        next: {
          offset: 2,
          limit: 2,
          url: 'http://hub.example/hub/api/users?limit=2&sort=-name&x=&offset=2',
        },
      },
    })
    const last = await call('GET /users?limit=2&offset=-4', undefined, paged)
    expect(last.json()).toMatchObject({ items: [{ name: 'me' }], _pagination: { next: null } })
    const filtered = await call('GET /users?name_filter=A_')
    expect(filtered.json()).toMatchObject([{ name: 'alice' }, { name: 'carol' }, { name: 'dave' }])
    expect((await call('GET /users?state=active')).json()).toEqual([])
  })

  it('creates, renames and deletes users', async () => {
    const call = await start()
    const created = await call('POST /users', { usernames: ['Eve', 'bob', 'frank'] })
    expect(created.statusCode).toBe(201)
    expect(created.json()).toMatchObject([{ name: 'eve', roles: ['user'] }, { name: 'frank' }])
    expect((await call('POST /users', { usernames: ['eve'] })).statusCode).toBe(409)
    expect((await call('POST /users/eve', { colour: 1 })).statusCode).toBe(409)
    const renamed = await call('PATCH /users/eve', { name: 'eva' })
    expect(renamed.json()).toMatchObject({ name: 'eva', auth_state: null })
    expect((await call('DELETE /users/eva')).statusCode).toBe(204)
    expect((await call('DELETE /users/eva')).statusCode).toBe(404)
    expect((await call('DELETE /users/me')).statusCode).toBe(400)
  })

  it('creates ten thousand users in one transaction, in the order of the request', async () => {
    const call = await start()
    const names = Array.from({ length: 10_000 }, (_, index) => `u${10_000 - index}`)
    const created = await call('POST /users', {
      usernames: ['bob', ...names.slice(1)],
      admin: false,
    })
    expect(created.statusCode).toBe(201)
    const models = created.json<{ name: string; roles: string[] }[]>()
    expect(models.map(({ name }) => name)).toEqual(names.slice(1))
    expect(models.at(-1)).toMatchObject({ admin: false, roles: ['user'], groups: [], servers: {} })
    const audits = await hub.store.db
      .selectFrom('audit_events')
      .select((eb) => eb.fn.countAll<number>().as('total'))
      .where('action', '=', 'user.create')
      .executeTakeFirstOrThrow()
    expect(audits.total).toBe(9_999)
    expect((await call('POST /users', { usernames: [...names, 'x', 'y'] })).statusCode).toBe(400)
  })

  it('keeps the users before one that the authenticator refuses', async () => {
    const beforeUserCreated = async (name: string) => {
      if (name === 'mallory') throw new Error('not this one')
    }
    const call = await start({ deps: { beforeUserCreated } })
    const answer = await call('POST /users', { usernames: ['eve', 'mallory', 'zoe'] })
    expect([answer.statusCode, answer.body]).toEqual([400, textWith('mallory')])
    expect((await call('GET /users/eve')).statusCode).toBe(200)
    expect((await call('GET /users/zoe')).statusCode).toBe(404)
    expect((await call('POST /users/mallory')).statusCode).toBe(400)
  })

  it('stops the servers of a user that is deleted', async () => {
    const call = await start()
    await call('POST /users/bob/server')
    await call('POST /users/bob/servers/lab')
    expect(hub.machines.running.size).toBe(2)
    expect((await call('DELETE /users/bob')).statusCode).toBe(204)
    expect(hub.machines.running.size).toBe(0)
  })

  it('takes a server through its life', async () => {
    const call = await start()
    const put = await call('PUT /users/bob/servers/lab', {
      display_name: 'Lab',
      user_options: { a: 1 },
    })
    expect(put.statusCode).toBe(201)
    expect(put.json()).toMatchObject({ name: 'lab', display_name: 'Lab', stopped: true })
    expect((await call('PUT /users/bob/servers/lab')).statusCode).toBe(409)
    const started = await call('POST /users/bob/servers/lab')
    expect([started.statusCode, started.body, started.headers['content-type']]).toEqual([
      201,
      '',
      'text/plain',
    ])
    expect((await call('POST /users/bob/servers/lab')).statusCode).toBe(400)
    expect((await call('GET /users/bob/servers/lab')).json()).toMatchObject({
      ready: true,
      pending: null,
      user_options: { a: 1 },
      url: '/user/bob/lab/',
      progress_url: '/hub/api/users/bob/servers/lab/progress',
    })
    expect((await call('GET /users/bob')).json()).toMatchObject({
      servers: { lab: { ready: true } },
    })
    expect((await call('PATCH /users/bob/servers/lab', { name: 'desk' })).statusCode).toBe(400)
    const removed = await call('DELETE /users/bob/servers/lab', { remove: true })
    expect(removed.statusCode).toBe(204)
    expect((await call('GET /users/bob/servers/lab')).statusCode).toBe(404)
  })

  it('writes the default server in three ways', async () => {
    const call = await start()
    expect((await call('POST /users/bob/servers/')).statusCode).toBe(201)
    expect((await call('GET /users/bob/servers/')).json()).toMatchObject({ name: '', ready: true })
    expect((await call('GET /users/bob/servers//progress')).body).toContain('"ready":true')
    expect((await call('DELETE /users/bob/server')).statusCode).toBe(204)
  })

  it('passes the failure of a start on', async () => {
    const call = await start()
    hub.machines.behaviour.startError = new Error('no more machines')
    const answer = await call('POST /users/bob/server')
    expect(answer.statusCode).toBe(500)
    const progress = await call('GET /users/bob/server/progress')
    expect(progress.body).toMatch(/"failed":true.*\n\n$/)
  })

  it('answers 202 at once when told not to wait', async () => {
    const call = await start({ settings: { slowSpawnTimeoutMs: 0 } })
    expect((await call('POST /users/bob/server')).statusCode).toBe(202)
  })

  it('refuses named servers where they are off', async () => {
    const call = await start({ settings: { allowNamedServers: false } })
    for (const method of ['POST', 'PUT', 'DELETE']) {
      expect((await call(`${method} /users/bob/servers/lab`)).statusCode).toBe(400)
    }
  })

  it('moves activity forward only', async () => {
    const call = await start()
    await call('PUT /users/bob/servers/lab')
    const later = '2026-01-02T00:00:00.000Z'
    const sent = { last_activity: later, servers: { lab: { last_activity: '2026-01-01 12:00' } } }
    const answer = await call('POST /users/bob/activity', sent)
    expect([answer.statusCode, answer.body]).toEqual([200, ''])
    await call('POST /users/bob/activity', { last_activity: '2025-01-01T00:00:00+02:00' })
    expect((await call('GET /users/bob')).json()).toMatchObject({ last_activity: later })
    expect((await call('GET /users/bob/servers/lab')).json()).toMatchObject({
      last_activity: '2026-01-01T12:00:00.000Z',
    })
  })

  it('issues, lists and revokes tokens', async () => {
    const call = await start()
    const created = await call('POST /users/bob/tokens', { note: 'mine', expires_in: 60 })
    expect(created.statusCode).toBe(201)
    const { token, id } = created.json<{ token: string; id: string }>()
    expect(token).toMatch(/^[0-9a-f]{32}$/)
    const bob = hub.withToken(token)
    expect((await bob('GET /user')).json()).toMatchObject({
      name: 'bob',
      kind: 'user',
      token_id: id,
    })
    const listed = await call('GET /users/bob/tokens')
    expect(listed.json()).toMatchObject({
      api_tokens: [{ id, user: 'bob', note: 'mine', kind: 'api_token', roles: [] }],
    })
    expect(listed.body).not.toContain(token)
    expect((await call(`GET /users/alice/tokens/${id}`)).statusCode).toBe(404)
    expect((await call(`DELETE /users/bob/tokens/${id}`)).statusCode).toBe(204)
    expect((await bob('GET /user')).statusCode).toBe(403)
  })

  it('bounds the lifetime of tokens, zero included', async () => {
    const call = await start({ settings: { tokenExpiresInMaxSeconds: 60 } })
    const answer = await call('POST /users/bob/tokens', { expires_in: 61 })
    expect(answer.json()).toMatchObject({ message: textWith('must not exceed 60') })
    const zero = await call('POST /users/bob/tokens', { expires_in: 0 })
    expect(zero.json()).toMatchObject({ expires_at: anyText })
  })

  it('gives a token for credentials, and only for right ones', async () => {
    await start()
    const call = hub.anonymous()
    expect((await call('POST /users/bob/tokens', '{')).statusCode).toBe(400)
    expect((await call('POST /users/bob/tokens')).statusCode).toBe(403)
    const wrong = { auth: { username: 'bob', password: 'wrong' } }
    expect((await call('POST /users/bob/tokens', wrong)).statusCode).toBe(403)
    const right = { auth: { username: 'bob', password: 'right' } }
    expect((await call('POST /users/bob/tokens', right)).statusCode).toBe(201)
    expect((await call('POST /users/carol/tokens', right)).statusCode).toBe(403)
  })

  it('takes a login cookie for reading, and with the XSRF token for writing', async () => {
    await start()
    const call = hub.anonymous({ cookie: await hub.cookieOf('bob') })
    expect((await call('GET /user')).json()).toMatchObject({ name: 'bob', token_id: null })
    const refused = await call('POST /users/bob/server')
    expect([refused.statusCode, refused.body]).toEqual([403, textWith('_xsrf')])
    expect((await call('POST /users/bob/tokens', {})).statusCode).toBe(403)
    expect((await call('PUT /users')).statusCode).toBe(403)
  })

  it('answers 304 to who has it already', async () => {
    const call = await start()
    const { etag } = (await call('GET /users/bob')).headers
    const again = await call('GET /users/bob', undefined, { 'if-none-match': `W/${etag}` })
    expect([again.statusCode, again.body]).toEqual([304, ''])
  })

  it('reads names with slashes and plus signs out of paths', async () => {
    const call = await start()
    const name = encodeURIComponent('a+b c')
    expect((await call(`POST /users/${name}`)).json()).toMatchObject({ name: 'a+b c' })
    expect((await call('GET /users/a%2Fb')).statusCode).toBe(404)
    expect((await call('GET /users/%ff')).statusCode).toBe(400)
  })

  it('frames the progress of a start, line by line', async () => {
    const call = await start({ settings: { slowSpawnTimeoutMs: 0 } })
    hub.machines.behaviour.startDelayMs = 300
    hub.machines.behaviour.messages = ['Pulling']
    await call('POST /users/bob/server')
    await hub.app.listen({ port: 0, host: '127.0.0.1' })
    const stream = await openStream(hub, '/hub/api/users/bob/server/progress', call.token)
    expect(stream.headers['content-type']).toBe('text/event-stream')
    expect(stream.headers['cache-control']).toBe('no-cache')
    let text = ''
    for await (const chunk of stream.setEncoding('utf8')) text += String(chunk)
    expect(text.startsWith('\n\ndata: {"progress":0,"message":"Server requested"}\n\n')).toBe(true)
    const lines = text.split('\n').filter((line) => line !== '')
    expect(lines.every((line) => line.startsWith('data: {'))).toBe(true)
    expect(JSON.parse(lines.at(-1)?.slice(6) ?? '')).toEqual({
      progress: 100,
      ready: true,
      message: 'Server ready at /user/bob/',
      html_message: 'Server ready at <a href="/user/bob/">/user/bob/</a>',
      url: '/user/bob/',
    })
  })

  it('has a page to try the API on, and its description', async () => {
    await start()
    const call = hub.anonymous()
    const page = await call('GET /docs/')
    expect(page.statusCode).toBe(200)
    expect(page.headers['content-security-policy']).toContain("script-src 'self'")
    const script = await call('GET /docs/static/swagger-initializer.js')
    expect(script.body).toContain('X-XSRFToken')
    expect((await call('GET /docs/json')).json()).toMatchObject({ openapi: '3.1.0' })
    expect((await call('GET /openapi.json')).json()).toMatchObject({ openapi: '3.1.0' })
  })
})

async function openStream(hub: ApiHub, path: string, token: string): Promise<IncomingMessage> {
  const { port } = hub.app.server.address() as AddressInfo // it listens on TCP
  const outgoing = httpRequest({
    port,
    host: '127.0.0.1',
    path,
    headers: { authorization: `token ${token}` },
  }).end()
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
  return answer
}
