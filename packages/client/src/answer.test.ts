import { describe, expect, test } from 'vitest'
import { createClient } from './client.ts'
import type { ClientOptions } from './transport.ts'

/** A client whose requests get this answer. */
function answering(
  answer: () => Response | Promise<Response>,
  options: Partial<ClientOptions> = {},
) {
  const requests: Request[] = []
  const fetch: typeof globalThis.fetch = async (input, init) => {
    requests.push(new Request(input, init))
    return answer()
  }
  const hub = createClient({ url: 'http://hub.test/hub/api/', token: 't', fetch, ...options })
  return { hub, requests }
}

const json = (body: unknown, init: ResponseInit = {}) => Response.json(body, init)

describe('an answer that is none', () => {
  test.each<[string, () => Response, string, RegExp]>([
    [
      'a page',
      () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
      'malformed',
      /not JSON/,
    ],
    [
      'half of one',
      () => new Response('{"ver', { headers: { 'content-type': 'application/json' } }),
      'malformed',
      /not JSON/,
    ],
    [
      'a redirect',
      () => new Response(null, { status: 302, headers: { location: '/login' } }),
      'malformed',
      /leads elsewhere/,
    ],
    ['too much', () => json('x'.repeat(2_000)), 'malformed', /too long/],
    [
      'an error of a proxy',
      () => new Response('<h1>Bad</h1>', { status: 502, statusText: 'Bad Gateway' }),
      'refused',
      /answered 502 Bad Gateway/,
    ],
    [
      'an error without a text',
      () => json({ status: 403, message: null }, { status: 403 }),
      'refused',
      /answered 403/,
    ],
    [
      'an error',
      () => json({ status: 404, message: 'No such user' }, { status: 404 }),
      'refused',
      /^No such user$/,
    ],
  ])('%s is a value', async (_what, answer, kind, message) => {
    const { hub } = answering(answer, { maxAnswerBytes: 1_000 })
    const result = await hub.hub.version()
    expect(result).toMatchObject({
      ok: false,
      error: { kind, message: expect.stringMatching(message) as string },
    })
  })

  test('Retry-After is told in milliseconds', async () => {
    const { hub } = answering(() =>
      json({ message: 'later' }, { status: 429, headers: { 'retry-after': '30' } }),
    )
    const result = await hub.servers.start({ user: 'ada' })
    expect(result).toMatchObject({ ok: false, error: { status: 429, retryAfterMs: 30_000 } })
  })
})

test('names that no URL can hold are refused without a request', async () => {
  const { hub, requests } = answering(() => json({}))
  for (const name of ['..', '.', '']) {
    expect(await hub.users.remove(name)).toMatchObject({ ok: false, error: { kind: 'invalid' } })
  }
  expect(requests).toEqual([])
})

describe('a request that gets no answer', () => {
  const never: typeof globalThis.fetch = (_input, init) =>
    new Promise((_resolve, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error))
    })

  test('ends at its deadline', async () => {
    const hub = createClient({ url: 'http://hub.test', token: 't', fetch: never, timeoutMs: 10 })
    expect(await hub.users.get('ada')).toMatchObject({ ok: false, error: { kind: 'timeout' } })
  })

  test.each(['client', 'call'])("ends with the %s's signal", async (whose) => {
    const controller = new AbortController()
    const { signal } = controller
    const hub = createClient({
      url: 'http://hub.test',
      fetch: never,
      ...(whose === 'client' && { signal }),
    })
    const waiting = hub.users.get('ada', whose === 'call' ? { signal } : {})
    controller.abort()
    expect(await waiting).toMatchObject({ ok: false, error: { kind: 'aborted' } })
  })
})

test('a token goes into the header, and cookies stay at home', async () => {
  const { hub, requests } = answering(() => json([]), { xsrf: 'unused' })
  await hub.users.createMany(['ada'])
  const [request] = requests
  expect(request?.url).toBe('http://hub.test/hub/api/users')
  expect(request?.headers.get('authorization')).toBe('token t')
  expect(request?.headers.get('x-xsrftoken')).toBeNull()
  expect(request?.credentials).toBe('omit')
  expect(await request?.json()).toEqual({ usernames: ['ada'] })
})

test('without a token the cookie goes, with the XSRF token beside it', async () => {
  const { hub, requests } = answering(() => new Response(null, { status: 201 }), {
    token: undefined,
    xsrf: 'x',
  })
  expect(await hub.servers.start({ user: 'ada' })).toMatchObject({ ok: true, value: 'ready' })
  const [request] = requests
  expect(request?.headers.get('x-xsrftoken')).toBe('x')
  expect(request?.headers.get('content-type')).toBe('application/json')
  expect(request?.credentials).toBe('same-origin')
})

test('pages follow each other and end where one leads nowhere', async () => {
  const page = (offset: number, next: number | null) =>
    json({
      items: [{ name: `u${offset}` }],
      _pagination: { offset, limit: 1, total: 3, next: next === null ? null : { offset: next } },
    })
  const answers = [page(0, 1), page(1, 2), page(2, 1)]
  const { hub, requests } = answering(() => answers.shift() ?? json({}))
  const names: unknown[] = []
  for await (const result of hub.users.pages({ nameFilter: 'u', includeStoppedServers: true })) {
    names.push(result.ok && result.value.items.map(({ name }) => name))
  }
  expect(names).toEqual([['u0'], ['u1'], ['u2']])
  const query = '?offset=1&name_filter=u&include_stopped_servers=true'
  expect(requests[1]?.url).toBe(`http://hub.test/hub/api/users${query}`)
  expect(requests[0]?.headers.get('accept')).toBe('application/jupyterhub-pagination+json')
})
