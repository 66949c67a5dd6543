import { describe, expect, test, vi } from 'vitest'
import * as kit from '../edge-test-kit.ts'
import type { Edge } from '../edge.ts'
import { get, serveWire, wire } from '../http1/wire-test-kit.ts'
import { defaultTrustedProxies } from '../peer-trust.ts'
import { noLimits } from './request-limits.ts'
import type { LimitOptions } from './request-limits.ts'

const { addRoute, ask, cleanups, edge, patience, serve, serveEcho, upgrade } = kit

/** Loopback is not trusted here, but where a test wants to be a proxy. */
const direct = { trustedProxies: [] as const }
const behindProxy = { trustedProxies: defaultTrustedProxies }

async function limited(
  limits: Partial<LimitOptions>,
  more: Parameters<typeof edge>[0] = {},
): Promise<Edge> {
  return edge({ ...direct, limits: { ...noLimits, ...limits }, ...more })
}

/** Answers when told to. */
async function serveWaiting(): Promise<{ url: string; release: () => void; asked: () => number }> {
  const waiting: (() => void)[] = []
  let asked = 0
  const { url } = await serve((_req, res) => {
    asked += 1
    waiting.push(() => res.end('done'))
  })
  return {
    url,
    asked: () => asked,
    release: () => {
      for (const answer of waiting.splice(0)) answer()
    },
  }
}

describe('connections', () => {
  test('in all: one too many is told 503, a place that is left is taken again', async () => {
    const e = await limited({ maxConnections: 2 })
    const first = wire(e.port)
    const second = wire(e.port).send(get('/_chp_healthz'))
    await second.until('OK')
    first.send(get('/_chp_healthz'))
    await first.until('OK')
    const third = await wire(e.port).ended()
    expect(third).toMatch(/^HTTP\/1\.1 503 [^]*Retry-After: 1\r\n/)
    first.socket.destroy()
    await vi.waitUntil(
      async () => (await ask(e, '/_chp_healthz').catch(() => undefined))?.ok,
      patience,
    )
  })

  test('tunnels count among them', async () => {
    const e = await limited({ maxConnections: 1 })
    await addRoute(e, '/ws', (await serveEcho()).url)
    const tunnel = wire(e.port).send(upgrade('/ws'))
    await tunnel.until('101 Yes')
    expect(await wire(e.port).ended()).toMatch(/^HTTP\/1\.1 503 /)
  })

  test('of one address, and of the clients of a trusted proxy apart', async () => {
    const alone = await limited({ maxConnectionsPerAddress: 1 })
    const first = wire(alone.port).send(get('/_chp_healthz'))
    await first.until('OK')
    expect(await wire(alone.port).ended()).toMatch(/^HTTP\/1\.1 429 [^]*Retry-After: 1\r\n/)
    first.socket.destroy()
    await vi.waitUntil(
      async () => (await ask(alone, '/_chp_healthz').catch(() => undefined))?.ok,
      patience,
    )

    const target = await serveWaiting()
    const shared = await limited({ maxConnectionsPerAddress: 1 }, { ...behindProxy })
    await addRoute(shared, '/user', target.url)
    const from = (address: string): Promise<Response> =>
      ask(shared, '/user/x', { headers: { 'X-Forwarded-For': address } })
    const pending = from('198.51.100.1')
    await vi.waitUntil(() => target.asked() === 1, patience)
    expect((await from('1.1.1.1, 198.51.100.1')).status).toBe(429)
    const other = from('198.51.100.2')
    const own = ask(shared, '/user/x')
    await vi.waitUntil(() => target.asked() === 3, patience)
    target.release()
    const statuses = await Promise.all([pending, other, own].map(async (one) => (await one).status))
    expect(statuses).toEqual([200, 200, 200])
    const again = from('198.51.100.1')
    await vi.waitUntil(() => target.asked() === 4, patience)
    target.release()
    expect((await again).status).toBe(200)
  })
})

describe('requests', () => {
  test('of one address at a rate: 429 says when to come again', async () => {
    const { url } = await serve((_req, res) => void res.end('yes'))
    const limits = { maxRequestsPerSecondPerAddress: 1, burstSeconds: 3 }
    const e = await limited(limits, { ...behindProxy })
    await addRoute(e, '/', url)
    const from = async (address: string): Promise<Response> =>
      ask(e, '/', { headers: { 'X-Forwarded-For': address } })
    const statuses: number[] = []
    for (let i = 0; i < 6; i += 1) statuses.push((await from('198.51.100.1')).status)
    expect(statuses.slice(0, 3)).toEqual([200, 200, 200])
    expect(statuses).toContain(429)
    const refused = await from('198.51.100.1')
    expect(refused.headers.get('retry-after')).toBe('1')
    expect((await from('198.51.100.2')).status).toBe(200)
  })

  test("a user's servers share a rate, the hub and other users have none of it", async () => {
    const { url } = await serve((_req, res) => void res.end('yes'))
    const e = await limited({ maxRequestsPerSecondPerRoute: 1, burstSeconds: 2 })
    await addRoute(e, '/', url)
    await addRoute(e, '/user/ada', url, { user: 'ada' })
    await addRoute(e, '/user/ada/gpu', url, { user: 'ada' })
    await addRoute(e, '/user/bob', url, { user: 'bob' })
    await addRoute(e, '/hub', url, { hub: true })
    const statuses = await Promise.all(
      ['/user/ada/', '/user/ada/gpu/', '/user/ada/', '/user/ada/gpu/'].map(
        async (path) => (await ask(e, path)).status,
      ),
    )
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(1)
    expect((await ask(e, '/user/bob/')).status).toBe(200)
    for (let i = 0; i < 4; i += 1) expect((await ask(e, '/hub/home')).status).toBe(200)
  })

  test('under way to one user, tunnels and aborted ones included', async () => {
    const target = await serveWaiting()
    const echo = await serveEcho()
    const e = await limited({ maxConcurrentPerRoute: 2 })
    await addRoute(e, '/user/ada', target.url, { user: 'ada' })
    await addRoute(e, '/user/ada/ws', echo.url, { user: 'ada' })
    const pending = wire(e.port).send(get('/user/ada/'))
    await vi.waitUntil(() => target.asked() === 1, patience)
    const tunnel = wire(e.port).send(upgrade('/user/ada/ws'))
    await tunnel.until('101 Yes')
    const refused = await ask(e, '/user/ada/')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
    pending.socket.destroy()
    tunnel.socket.destroy()
    // Both places come back, and so do those of requests that were answered.
    for (let round = 0; round < 3; round += 1) {
      await vi.waitUntil(async () => {
        const asked = target.asked()
        const answers = [ask(e, '/user/ada/'), ask(e, '/user/ada/')]
        const areBoth = (): boolean => target.asked() === asked + 2
        await vi.waitUntil(areBoth, { timeout: 500 }).catch(() => undefined)
        target.release()
        const statuses = (await Promise.all(answers)).map(({ status }) => status)
        return statuses.every((status) => status === 200)
      }, patience)
    }
  })
})

test('routes below a path have limits of their own, the longest path counts', async () => {
  const target = await serveWaiting()
  const { url } = await serve((req, res) => void req.resume().on('end', () => res.end('yes')))
  const e = await limited({
    maxBodyBytes: 10,
    ofRoutes: [
      { path: '/services', maxConcurrent: 1, maxBodyBytes: 20 },
      { path: '/services/upload', maxBodyBytes: 0, maxRequestsPerSecond: 1 },
    ],
  })
  await addRoute(e, '/services/slow', target.url)
  for (const path of ['/services/upload', '/services', '/services2']) await addRoute(e, path, url)
  const post = async (path: string, length: number): Promise<number> =>
    (await ask(e, path, { method: 'POST', body: 'x'.repeat(length) })).status
  const chunked = (path: string, length: number): Promise<string> =>
    wire(e.port)
      .send(
        `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n`,
      )
      .send(`\r\n${length.toString(16)}\r\n${'x'.repeat(length)}\r\n0\r\n\r\n`)
      .ended()
  expect([await post('/services2', 10), await post('/services2', 11)]).toEqual([200, 413])
  expect([await post('/services', 20), await post('/services', 21)]).toEqual([200, 413])
  expect(await chunked('/services/x', 20)).toMatch(/^HTTP\/1.1 200 /)
  expect(await chunked('/services/x', 21)).toMatch(/^HTTP\/1.1 413 /)
  // Five seconds' worth of one a second may come at once, and nowhere else is there a rate.
  expect(await chunked('/services/upload', 3000)).toMatch(/^HTTP\/1.1 200 /)
  const many = await Promise.all(Array.from({ length: 8 }, () => post('/services/upload', 1)))
  expect(many.filter((status) => status === 200).length).toBeLessThan(7)
  expect(many).toContain(429)
  expect(await post('/services', 1)).toBe(200)
  const pending = ask(e, '/services/slow')
  await vi.waitUntil(() => target.asked() === 1, patience)
  expect((await ask(e, '/services/slow')).status).toBe(503)
  target.release()
  expect((await pending).status).toBe(200)
})

describe('bodies', () => {
  test.each([
    ['with a length, before any of it', 'Content-Length: 11\r\n\r\n'],
    ['with a length and Expect', 'Content-Length: 11\r\nExpect: 100-continue\r\n\r\n'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n5\r\n12345\r\n0\r\n\r\n'],
    ['in one chunk that is announced', 'Transfer-Encoding: chunked\r\n\r\nb\r\n'],
  ])('that are too large get 413: %s', async (_name, rest) => {
    const target = await serveWire()
    const e = await limited({ maxBodyBytes: 10 })
    await addRoute(e, '/', target.url)
    const got = await wire(e.port).send(`POST / HTTP/1.1\r\nHost: x\r\n${rest}`).ended()
    expect(got).toMatch(/^HTTP\/1\.1 413 [^]*Connection: close\r\n/)
    for (const one of target.connections) expect(await one.ended()).not.toContain('0\r\n\r\n')
  })

  test('of exactly the limit pass', async () => {
    let length = 0
    const { url } = await serve((req, res) => {
      req.on('data', (chunk: Buffer) => (length += chunk.length)).on('end', () => res.end('ok'))
    })
    const e = await limited({ maxBodyBytes: 10 })
    await addRoute(e, '/', url)
    const head = 'POST / HTTP/1.1\r\nHost: x\r\n'
    const client = wire(e.port).send(`${head}Content-Length: 10\r\n\r\n0123456789`)
    await client.until('ok')
    const tens = '1\r\nx\r\n'.repeat(10)
    client.send(`${head}Transfer-Encoding: chunked\r\n\r\n${tens}0\r\n\r\n`)
    await client.until(/ok[^]*ok/)
    expect(length).toBe(20)
  })

  test('that come too slowly get 408 and the target is left; those that wait for it do not', async () => {
    const target = await serveWire()
    const e = await limited({ minBodyRate: 1000 }, { bodyWindowMs: 100 })
    await addRoute(e, '/', target.url)
    const head = 'POST / HTTP/1.1\r\nHost: x\r\n'
    const slow = wire(e.port).send(`${head}Content-Length: 100000\r\n\r\nx`)
    const timer = setInterval(() => slow.socket.writable && slow.send('x'), 20)
    cleanups.push(() => clearInterval(timer))
    expect(await slow.ended()).toMatch(/^HTTP\/1\.1 408 /)
    await (await target.connection(0)).ended()

    const stuck = wire(e.port).send(`${head}Content-Length: 100000000\r\n\r\n`)
    const upstream = await target.connection(1)
    upstream.socket.pause()
    const piece = 'x'.repeat(1024 * 1024)
    for (let i = 0; i < 30; i += 1) stuck.send(piece)
    // Another slow one shows that the time has passed.
    const other = wire(e.port).send(`${head}Content-Length: 100000\r\n\r\nx`)
    expect(await other.ended()).toMatch(/^HTTP\/1\.1 408 /)
    expect(stuck.got).toBe('')
    expect(stuck.socket.closed).toBe(false)
  })

  test('a head that comes byte by byte has one deadline in all', async () => {
    const e = await limited({}, { headTimeoutMs: 150 })
    const slow = wire(e.port).send('GET / HTTP/1.1\r\nX: ')
    const timer = setInterval(() => slow.socket.writable && slow.send('x'), 10)
    cleanups.push(() => clearInterval(timer))
    expect(await slow.ended()).toMatch(/^HTTP\/1\.1 408 /)
  })
})
