import { expect, test, vi } from 'vitest'
import type { EdgeMessage } from '../edge-protocol.ts'
import { ask, edge, fakeHub, isPast, patience, serve } from './edge-test-kit.ts'
import type { FakeHub } from './edge-test-kit.ts'

const snapshotAt = (seq: number) => (): EdgeMessage => ({
  type: 'snapshot',
  epoch: 'e',
  seq,
  routes: [],
})
const hasAck = (hub: FakeHub, seq: number) => (): boolean =>
  hub.posts.some(({ path, body }) => path.endsWith('/ack') && body['seq'] === seq)

test('follows snapshot and changes, acknowledges, serves on without a hub and resumes', async () => {
  const target = await serve((_req, res) => void res.end('target'))
  const hub = await fakeHub(snapshotAt(5))
  const e = await edge({ hubUrls: [hub.url] })
  await vi.waitUntil(hasAck(hub, 5), patience)
  hub.say({ type: 'set', seq: 6, routespec: '/user/ada%40x/', target: target.url, data: {} })
  hub.say({ type: 'set', seq: 7, routespec: '/user/bob/', target: target.url, data: {} })
  hub.say({ type: 'delete', seq: 8, routespec: '/user/bob/' })
  await vi.waitUntil(hasAck(hub, 8), patience)
  expect(hub.posts.at(-1)).toEqual({
    path: '/hub/api/edge/ack',
    body: { edge: e.edgeId, seq: 8 },
  })
  expect((await ask(e, '/user/bob/')).status).toBe(404)
  hub.stop()
  expect(await (await ask(e, '/user/ada@x/')).text()).toBe('target')
  const back = await fakeHub(() => ({ type: 'resume', epoch: 'e', seq: 8 }), { port: hub.port })
  await vi.waitUntil(hasAck(back, 8), { timeout: 8000 })
  expect(back.queries[0]?.toString()).toBe(`edge=${e.edgeId}&pieces=1&since=8&epoch=e`)
})

test('the log says why a hub is not followed, and when it is', async () => {
  let status = 302
  const strict = await serve((_req, res) => void res.writeHead(status).end())
  const hub = await fakeHub(snapshotAt(1))
  const lines: string[] = []
  const log = (_level: string, message: string): void => void lines.push(message)
  await edge({ hubUrls: [`${strict.url}/hub/`], log })
  await vi.waitUntil(() => lines.some((line) => line.includes('302: --hub-url is')), patience)
  status = 403 // another reason is told, the same is not told again
  await vi.waitUntil(() => lines.some((line) => line.includes('403')), patience)
  await edge({ hubUrls: [`${strict.url}/hub/`, hub.url], log })
  await vi.waitUntil(
    () => lines.some((line) => line.includes(`following the hub at ${hub.url}`)),
    patience,
  )
  expect(lines.join('\n')).toMatch(/lost the hub at .*403: CONFIGPROXY_AUTH_TOKEN here is not/)
})

test('a table in pieces is in force and acknowledged once its last one is there', async () => {
  const target = await serve((_req, res) => void res.end('target'))
  const to = (...names: readonly string[]) =>
    names.map((name) => ({ routespec: `/user/${name}/`, target: target.url, data: {} }))
  const hub = await fakeHub((query) =>
    query.get('pieces') === '1' && hub.queries.length === 1
      ? { type: 'snapshot', epoch: 'e', seq: 1, routes: to('ada', 'bob') }
      : { type: 'snapshot', epoch: 'f', seq: 3, routes: to('ada', 'cyd'), more: true },
  )
  const e = await edge({ hubUrls: [hub.url] })
  await vi.waitUntil(hasAck(hub, 1), patience)
  const again = async (): Promise<void> => {
    const asked = hub.queries.length
    for (const stream of hub.streams) stream.destroy()
    await vi.waitUntil(() => hub.queries.length > asked, patience)
  }
  const until = (path: string, status: number) =>
    vi.waitUntil(async () => (await ask(e, path)).status === status, patience)
  await again()
  // What came is used, what did not come yet stays.
  await until('/user/cyd/', 200)
  expect((await ask(e, '/user/bob/')).status).toBe(200)
  hub.say({ type: 'routes', routes: to('eve'), more: true })
  await until('/user/eve/', 200)
  // It breaks off: the edge has no number to go on from.
  await again()
  expect(hub.queries.at(-1)?.has('since')).toBe(false)
  hub.say({ type: 'routes', routes: to('fay') })
  await vi.waitUntil(hasAck(hub, 3), patience)
  for (const [name, status] of Object.entries({ ada: 200, bob: 404, cyd: 200, eve: 404, fay: 200 }))
    expect([name, (await ask(e, `/user/${name}/`)).status]).toEqual([name, status])
  expect(hub.posts.map(({ body }) => body['seq'])).toEqual([1, 3])
  hub.say({ type: 'set', seq: 4, routespec: '/x/', target: target.url, data: {} })
  await vi.waitUntil(hasAck(hub, 4), patience)
})

test.each([
  ['a piece of no snapshot', { type: 'routes', routes: [] }, false],
  ['a change within a snapshot', { type: 'delete', seq: 9, routespec: '/x/' }, true],
  ['a resume within a snapshot', { type: 'resume', epoch: 'e', seq: 9 }, true],
] as const)('%s: the stream is given up', async (_name, message, isWithin) => {
  const hub = await fakeHub(() => ({
    type: 'snapshot',
    epoch: 'e',
    seq: 3,
    routes: [],
    ...(isWithin && { more: true }),
  }))
  await edge({ hubUrls: [hub.url] })
  await vi.waitUntil(() => hub.streams.size === 1, patience)
  hub.say(message)
  await vi.waitUntil(() => hub.queries.length > 1, patience)
  expect(hub.queries[1]?.has('since')).toBe(false)
})

test('numbers may skip, since a route that changed twice is sent once', async () => {
  const target = await serve((_req, res) => void res.end('target'))
  const hub = await fakeHub(snapshotAt(1))
  const e = await edge({ hubUrls: [hub.url] })
  await vi.waitUntil(hasAck(hub, 1), patience)
  hub.say({ type: 'set', seq: 4, routespec: '/user/ada/', target: target.url, data: {} })
  await vi.waitUntil(hasAck(hub, 4), patience)
  hub.say({ type: 'delete', seq: 900, routespec: '/user/bob/' })
  await vi.waitUntil(hasAck(hub, 900), patience)
  expect(await (await ask(e, '/user/ada/')).text()).toBe('target')
  expect(hub.queries).toHaveLength(1)
})

test.each([3, 2])('change %i after 3 asks for a snapshot and is not applied', async (seq) => {
  const hub = await fakeHub(snapshotAt(3))
  const e = await edge({ hubUrls: [hub.url] })
  await vi.waitUntil(hasAck(hub, 3), patience)
  hub.say({ type: 'set', seq, routespec: '/x/', target: 'http://127.0.0.1:9', data: {} })
  await vi.waitUntil(() => hub.queries.length > 1, patience)
  expect(hub.queries[1]?.has('since')).toBe(false)
  expect((await ask(e, '/x/')).status).toBe(404)
})

test('a hub may resume past what was asked for, not before it', async () => {
  let resumeAt = 9
  const hub = await fakeHub((query) =>
    query.has('since') ? { type: 'resume', epoch: 'e', seq: resumeAt } : snapshotAt(5)(),
  )
  await edge({ hubUrls: [hub.url] })
  await vi.waitUntil(hasAck(hub, 5), patience)
  for (const stream of hub.streams) stream.destroy()
  await vi.waitUntil(hasAck(hub, 9), patience)
  resumeAt = 8
  for (const stream of hub.streams) stream.destroy()
  await vi.waitUntil(() => hub.queries.length === 4, patience)
  expect(hub.queries.map((query) => query.get('since'))).toEqual([null, '5', '9', null])
})

test('a number acknowledged before is acknowledged again on a new stream', async () => {
  const hub = await fakeHub((query) =>
    query.has('since') ? { type: 'resume', epoch: 'e', seq: 5 } : snapshotAt(5)(),
  )
  await edge({ hubUrls: [hub.url] })
  await vi.waitUntil(hasAck(hub, 5), patience)
  for (const stream of hub.streams) stream.destroy()
  await vi.waitUntil(() => hub.posts.length === 2, patience)
  expect(hub.posts[1]?.body['seq']).toBe(5)
})

test('a stream that does not begin with a snapshot is given up', async () => {
  const hub = await fakeHub(() => ({ type: 'ping' }))
  await edge({ hubUrls: [hub.url] })
  await vi.waitUntil(() => hub.queries.length > 1, patience)
})

test('a hub that falls silent is asked again', async () => {
  const hub = await fakeHub(snapshotAt(1))
  await edge({ hubUrls: [hub.url], silenceTimeoutMs: 100 })
  await vi.waitUntil(() => hub.queries.length > 1, patience)
  expect(hub.queries[1]?.get('since')).toBe('1')
})

test('when one hub goes away the other one is followed from there', async () => {
  const hubs = [await fakeHub(snapshotAt(5)), await fakeHub(snapshotAt(5))] as const
  const e = await edge({ hubUrls: hubs.map(({ url }) => url) })
  await vi.waitUntil(hasAck(hubs[0], 5), patience)
  expect(hubs[1].queries).toEqual([])
  hubs[0].stop()
  await vi.waitUntil(hasAck(hubs[1], 5), patience)
  expect(hubs[1].queries[0]?.toString()).toBe(`edge=${e.edgeId}&pieces=1&since=5&epoch=e`)
  const target = await serve((_req, res) => void res.end('target'))
  hubs[1].say({ type: 'set', seq: 6, routespec: '/user/ada/', target: target.url, data: {} })
  await vi.waitUntil(hasAck(hubs[1], 6), patience)
  expect(await (await ask(e, '/user/ada/')).text()).toBe('target')
})

test('an acknowledgement that failed is repeated, with what was applied meanwhile', async () => {
  let posted = 0
  const hub = await fakeHub(snapshotAt(1), { statusOfPost: () => ((posted += 1) <= 2 ? 503 : 200) })
  await edge({ hubUrls: [hub.url] })
  await vi.waitUntil(() => posted === 1, patience)
  hub.say({ type: 'delete', seq: 2, routespec: '/x/' })
  await vi.waitUntil(hasAck(hub, 2), patience)
  expect(posted).toBe(3)
  expect(hub.queries).toHaveLength(1)
})

test('a hub that leaves an acknowledgement unanswered does not delay those to the next', async () => {
  let posted = 0
  const statusOfPost = (): number => {
    posted += 1
    return 0
  }
  const hanging = await fakeHub(snapshotAt(5), { statusOfPost })
  const next = await fakeHub(snapshotAt(5))
  await edge({ hubUrls: [hanging.url, next.url] })
  await vi.waitUntil(() => posted === 1, patience)
  for (const stream of hanging.streams) stream.destroy()
  await vi.waitUntil(hasAck(next, 5), patience)
})

const routesTo =
  (target: string, ...routespecs: readonly string[]) =>
  (): EdgeMessage => ({
    type: 'snapshot',
    epoch: 'e',
    seq: 1,
    routes: routespecs.map((routespec) => ({ routespec, target, data: {} })),
  })

test('reports activity of routes that had some', async () => {
  const target = await serve((_req, res) => void res.end())
  const hub = await fakeHub(routesTo(target.url, '/user/ada/', '/user/bob/'))
  const e = await edge({ hubUrls: [hub.url], activityIntervalMs: 50 })
  await vi.waitUntil(hasAck(hub, 1), patience)
  await isPast(new Date().toISOString())
  await ask(e, '/user/ada/lab')
  const report = await vi.waitUntil(
    () => hub.posts.find(({ path }) => path === '/hub/api/edge/activity'),
    patience,
  )
  expect(Object.keys(report.body['routes'] as object)).toEqual(['/user/ada/'])
})

test('activity that could not be reported goes with a later report', async () => {
  const target = await serve((_req, res) => void res.end())
  let refused = 0
  const hub = await fakeHub(routesTo(target.url, '/user/ada/'), {
    statusOfPost: (path) => (path.endsWith('/activity') && (refused += 1) <= 2 ? 500 : 200),
  })
  const e = await edge({ hubUrls: [hub.url], activityIntervalMs: 30 })
  await vi.waitUntil(hasAck(hub, 1), patience)
  await isPast(new Date().toISOString())
  await ask(e, '/user/ada/lab')
  await vi.waitUntil(() => hub.posts.some(({ path }) => path.endsWith('/activity')), patience)
  expect(refused).toBe(3)
})
