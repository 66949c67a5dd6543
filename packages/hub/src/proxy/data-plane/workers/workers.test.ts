import { connect, type Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import {
  addRoute,
  api,
  deadTarget,
  edge,
  fakeHub,
  raw,
  serve,
  serveEcho,
  upgrade,
} from '../edge-test-kit.ts'
import type { Edge } from '../edge.ts'
import { connections, edgeOfTwo, patience, statuses } from './worker-test-kit.ts'

const all = (status: number, sockets: readonly Socket[]): number[] => sockets.map(() => status)

test('a change that the API answered is in force on every connection, whatever its worker', async () => {
  const target = await serve((_req, res) => void res.writeHead(204).end())
  const { e } = await edgeOfTwo()
  const sockets = await connections(e, 24)
  for (let round = 0; round < 10; round += 1) {
    await addRoute(e, `/r${round}`, target.url)
    expect(await statuses(sockets, `/r${round}/x`)).toEqual(all(204, sockets))
    expect((await api(e, `/r${round}`, { method: 'DELETE' })).status).toBe(204)
    expect(await statuses(sockets, `/r${round}/x`)).toEqual(all(404, sockets))
  }
})

test('a change that the hub was acknowledged is in force on every connection', async () => {
  const target = await serve((_req, res) => void res.writeHead(204).end())
  const hub = await fakeHub(() => ({ type: 'snapshot', epoch: 'e', seq: 1, routes: [] }))
  const { e } = await edgeOfTwo({ hubUrls: [hub.url] })
  const sockets = await connections(e, 24)
  await vi.waitUntil(() => hub.streams.size === 1, patience)
  for (let seq = 2; seq < 8; seq += 1) {
    const isAcked = () => hub.posts.some(({ body }) => body['seq'] === seq)
    hub.say({ type: 'set', seq, routespec: `/user/u${seq}/`, target: target.url, data: {} })
    await vi.waitUntil(isAcked, { ...patience, interval: 1 })
    expect(await statuses(sockets, `/user/u${seq}/`)).toEqual(all(204, sockets))
  }
})

test('a listing tells of activity of all workers up to now', async () => {
  const target = await serve((_req, res) => void res.writeHead(204).end())
  const { e } = await edgeOfTwo()
  await addRoute(e, '/a', target.url)
  for (let round = 0; round < 5; round += 1) {
    const sockets = await connections(e, 1)
    const startedAt = Date.now()
    expect(await statuses(sockets, '/a/')).toEqual([204])
    const listed = (await (await api(e, '/a')).json()) as { last_activity: string }
    expect(Date.parse(listed.last_activity)).toBeGreaterThanOrEqual(startedAt)
  }
})

test('a worker that ends is replaced and knows the routes; connections of the other live on', async () => {
  const target = await serveEcho()
  const log: string[] = []
  const { e, threads } = await edgeOfTwo({ log: (_level, message) => void log.push(message) })
  await addRoute(e, '/a', target.url)
  const sockets = await connections(e, 24)
  expect(await statuses(sockets, '/a/')).toEqual(all(200, sockets))
  // What it cannot read is an error that it does not catch.
  threads[0]?.postMessage(null)
  await vi.waitUntil(() => sockets.some((socket) => socket.destroyed), patience)
  const after = await statuses(sockets, '/a/')
  expect(new Set(after)).toEqual(new Set([0, 200]))
  const living = sockets.filter((_, index) => after[index] === 200)
  expect(log.join('\n')).toMatch(/a worker has ended and is replaced: .*null/)
  // While it is away, the living know of changes.
  await addRoute(e, '/b', target.url)
  await vi.waitUntil(() => threads.length === 3, patience)
  // The successor serves once the other one, killed, leaves it alone with the port.
  await vi.waitUntil(async () => (await freshStatuses(e)).every((s) => s === 200), patience)
  void threads[1]?.terminate()
  await vi.waitUntil(() => living.every((socket) => socket.destroyed), patience)
  await vi.waitUntil(async () => (await freshStatuses(e)).every((s) => s === 200), patience)

  async function freshStatuses(at: Edge): Promise<number[]> {
    const answers = Array.from({ length: 16 }, () =>
      raw(at.port, 'GET /b/ HTTP/1.0\r\nHost: x\r\n\r\n'),
    )
    return (await Promise.all(answers)).map((text) => Number(text.slice(9, 12)))
  }
}, 60_000)

test('a closing edge lets requests end, then WebSockets, each within its time', async () => {
  let isAsked = false
  let release = (): void => undefined
  const target = await serveEcho()
  target.removeAllListeners('request')
  target.on('request', (_req, res) => {
    isAsked = true
    release = () => void res.end('late')
  })
  const { e } = await edgeOfTwo()
  await addRoute(e, '/', target.url)
  const [request, tunnel] = (await connections(e, 2)) as [Socket, Socket]
  let got = ''
  tunnel.on('data', (chunk: Buffer) => (got += chunk.toString()))
  tunnel.write(upgrade('/'))
  await vi.waitUntil(() => got.includes('101'), patience)
  let answer = ''
  request.on('data', (chunk: Buffer) => (answer += chunk.toString()))
  request.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await vi.waitUntil(() => isAsked, patience)
  const closing = e.close(20_000, 1500)
  const refused = await new Promise<NodeJS.ErrnoException>((resolve) => {
    const probe = (): void => {
      connect(e.port, '127.0.0.1', probe).once('error', resolve).unref()
    }
    probe()
  })
  expect(refused.code).toMatch(/ECONNREFUSED|ECONNRESET/)
  release()
  await vi.waitUntil(() => answer.includes('late'), patience)
  tunnel.write('still here')
  await vi.waitUntil(() => got.includes('echo:still here'), patience)
  await closing
  await vi.waitUntil(() => tunnel.destroyed, patience)
})

test('what cannot be used ends the start with its reason, not the threads one by one', async () => {
  const other = await serve((_req, res) => void res.end())
  const port = Number(new URL(other.url).port)
  await expect(edge({ workers: 2, publicListen: { ip: '127.0.0.1', port } })).rejects.toMatchObject(
    { code: 'EADDRINUSE', port },
  )
  const clientTls = { caPath: '/no/ca', requestCert: false, rejectUnauthorized: true }
  await expect(edge({ workers: 2, clientTls, defaultTarget: deadTarget })).rejects.toThrow('/no/ca')
})
