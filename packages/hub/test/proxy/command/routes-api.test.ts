import { beforeAll, describe, expect, test } from 'vitest'
import * as kit from './peer-kit.ts'
import type { Peer, RouteData } from './peer-kit.ts'

/** Source: contract proxy §2. */

const target = 'http://127.0.0.1:8998'

/** Names of routes below a prefix, so that cases do not see each other's. */
const below = (prefix: string, routes: object): string[] =>
  Object.keys(routes).filter((path) => path.startsWith(prefix))

describe.each(kit.programs)('$name', (program) => {
  const { isOurs } = program
  let peer: Peer
  beforeAll(async () => {
    peer = await kit.start(program, ['--default-target', 'http://127.0.0.1:9001'])
  })
  const post = (path: string, body: string, headers = {}): Promise<Response> =>
    fetch(peer.apiUrl + path, {
      method: 'POST',
      body,
      headers: { Authorization: `token ${kit.token}`, ...headers },
    })

  test('the list is JSON and has the default target', async () => {
    const answer = await peer.api('')
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json'])
    const listed = (await answer.json()) as Record<string, RouteData>
    expect(listed['/']?.target).toBe('http://127.0.0.1:9001')
    expect(Object.keys((await (await peer.api('/')).json()) as object)).toContain('/')
  })

  test('a route is added with an empty 201, read, replaced and deleted with an empty 204', async () => {
    const before = Date.now()
    const added = await post('/user/foo', JSON.stringify({ target, user: 'foo', odd: [1, null] }))
    expect([added.status, await added.text()]).toEqual([201, ''])
    const read = await peer.api('/user/foo')
    expect([read.status, read.headers.get('content-type')]).toEqual([200, 'application/json'])
    const data = (await read.json()) as RouteData
    expect(data).toMatchObject({ target, user: 'foo', odd: [1, null] })
    expect(data.last_activity).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(Date.parse(data.last_activity)).toBeGreaterThanOrEqual(before)
    await peer.addRoute('/user/foo', 'http://127.0.0.1:1')
    const replaced = (await (await peer.api('/user/foo')).json()) as object
    expect(Object.keys(replaced).toSorted()).toEqual(['last_activity', 'target'])
    const deleted = await peer.api('/user/foo', { method: 'DELETE' })
    expect([deleted.status, await deleted.text()]).toEqual([204, ''])
    const missing = await peer.api('/user/foo')
    expect([missing.status, await missing.text()]).toEqual([404, ''])
    expect((await peer.api('/user/foo', { method: 'DELETE' })).status).toBe(404)
  })

  test.each([
    ['/esc/foo%40bar', '/esc/foo@bar'],
    ['/esc/foo%20bar', '/esc/foo bar'],
    ['/esc/%C3%A9', '/esc/é'],
    ['/esc/a%2540b', '/esc/a%40b'],
    ['/esc%2Fx', '/esc/x'],
    ['/esc/end/', '/esc/end'],
    ['/esc//twice', '/esc//twice'],
    ['/esc/a/../b', '/esc/b'],
  ])('%s is the route %s', async (asked, path) => {
    await peer.addRoute(asked, target)
    expect(below('/esc', await peer.routes())).toEqual([path])
    expect((await peer.api(asked, { method: 'DELETE' })).status).toBe(204)
    expect(below('/esc', await peer.routes())).toEqual([])
  })

  test('without a path, or with /, it is the root route', async () => {
    for (const [path, port] of [
      ['', 1],
      ['/', 2],
    ] as const) {
      await peer.addRoute(path, `http://127.0.0.1:${port}`)
      expect((await peer.routes())['/']?.target).toBe(`http://127.0.0.1:${port}`)
    }
    expect((await peer.api('/', { method: 'DELETE' })).status).toBe(204)
    expect((await peer.api('/', { method: 'DELETE' })).status).toBe(404)
    // configurable-http-proxy never answers this one.
    if (isOurs) expect((await peer.api('', { method: 'DELETE' })).status).toBe(404)
  })

  test.each([
    ['text/plain; charset=utf-8'],
    ['application/x-www-form-urlencoded'],
    ['application/json'],
    ['application/octet-stream'],
  ])('the body is JSON, whatever its type says: %s', async (type) => {
    const answer = await post('/typed', JSON.stringify({ target }), { 'Content-Type': type })
    expect(answer.status).toBe(201)
  })

  test.each([
    ['{', /^Body not valid JSON: /],
    ['', /^Body not valid JSON: /],
    ['{}', /^Must specify 'target' as string$/],
    ['{"target":1}', /^Must specify 'target' as string$/],
    ['null', /^Must specify 'target' as string$/],
    ['[]', /^Must specify 'target' as string$/],
    ['"http://x"', /^Must specify 'target' as string$/],
  ])('the body %j is a 400', async (body, text) => {
    const answer = await post('/bad', body)
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringMatching(text)])
  })

  test('what the body says of activity does not count', async () => {
    await peer.addRoute('/old', target, { last_activity: '2001-01-01T00:00:00.000Z' })
    const { last_activity: at } = (await peer.routes())['/old'] ?? { last_activity: '' }
    expect(Date.parse(at)).toBeGreaterThan(Date.now() - 60_000)
  })

  test('a target that leads nowhere is taken, and a 500 on use', async () => {
    for (const [index, bad] of ['nonsense', 'ftp://x', ''].entries()) {
      await peer.addRoute(`/leads/${index}`, bad)
      expect((await peer.ask(`/leads/${index}/x`)).status).toBe(500)
    }
  })

  test.each([
    ['nothing', undefined, 403],
    ['another token', 'token other', 403],
    ['another scheme', `Bearer ${kit.token}`, 403],
    ['capitals', `TOKEN ${kit.token}`, 403],
    ['the token', `token ${kit.token}`, 200],
    ['white space', `token   ${kit.token}`, 200],
    ['words before', `please token ${kit.token}`, 200],
    ['words behind', `token ${kit.token} please`, 200],
  ])('authorized by %s: %s is %d', async (_what, authorization, status) => {
    const headers = authorization === undefined ? {} : { Authorization: authorization }
    const answer = await fetch(peer.apiUrl, { headers })
    expect(answer.status).toBe(status)
    if (status === 403) expect(await answer.text()).toBe('')
  })

  test.each(['PUT', 'PATCH', 'OPTIONS'])('%s is a 405', async (method) => {
    const answer = await peer.api('/x', { method })
    expect([answer.status, await answer.text()]).toEqual([405, 'Method not supported'])
  })

  test.each(['/', '/api', '/api/routesx', '/other'])('%s is nothing of the API', async (path) => {
    const answer = await fetch(new URL(path, peer.apiUrl), {
      headers: { Authorization: `token ${kit.token}` },
    })
    expect([answer.status, await answer.text()]).toEqual([404, 'Not Found'])
  })

  test('the public side has no API', async () => {
    await peer.api('/', { method: 'DELETE' })
    const answer = await peer.ask('/api/routes', {
      headers: { Authorization: `token ${kit.token}` },
    })
    expect(answer.status).toBe(404)
  })

  test.each(['inactiveSince', 'inactive_since'])(
    '%s lists what was not used since',
    async (key) => {
      await peer.addRoute('/since/a', target)
      const between = Date.now() + 1
      while (Date.now() <= between);
      await peer.addRoute('/since/b', target)
      const since = async (ms: number): Promise<string[]> => {
        const answer = await peer.api(`?${key}=${new Date(ms).toISOString()}`)
        return below('/since', (await answer.json()) as object).toSorted()
      }
      expect(await since(1)).toEqual([])
      expect(await since(Date.now() - 3_600_000)).toEqual([])
      expect(await since(between)).toEqual(['/since/a'])
      expect(await since(Date.now() + 3_600_000)).toEqual(['/since/a', '/since/b'])
      const bad = await peer.api(`?${key}=endoftheuniverse`)
      expect([bad.status, await bad.text()]).toEqual([
        400,
        "Invalid datestamp 'endoftheuniverse' must be ISO8601.",
      ])
      expect((await peer.api(`?${key}=`)).status).toBe(200)
      await peer.api('/since/a', { method: 'DELETE' })
      await peer.api('/since/b', { method: 'DELETE' })
    },
  )
})

describe('orrery edge', () => {
  const [ours] = kit.programs.filter(({ isOurs }) => isOurs)

  test('a body of more than a mebibyte is refused, one of less is not', async () => {
    if (ours === undefined) throw new Error('no program')
    const peer = await kit.start(ours)
    const post = async (bytes: number): Promise<number> => {
      const body = JSON.stringify({ target, note: 'x'.repeat(bytes) })
      return (await peer.api('/big', { method: 'POST', body })).status
    }
    expect([await post(1_000_000), await post(1_100_000)]).toEqual([201, 413])
  })
})
