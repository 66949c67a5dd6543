import { once } from 'node:events'
import { connect } from 'node:net'
import type { Worker } from 'node:worker_threads'
import { expect, test, vi } from 'vitest'
import * as kit from '../edge-test-kit.ts'
import type { Edge, EdgeOptions } from '../edge.ts'
import { wire } from '../http1/wire-test-kit.ts'
import { noLimits } from '../limits/request-limits.ts'
import { scrape } from './metrics-test-kit.ts'

const { addRoute, api, ask, cleanups, deadTarget, edge, patience, raw, serve, serveEcho, upgrade } =
  kit

const measured = (options: Partial<EdgeOptions> = {}): Promise<Edge> =>
  edge({ metricsListen: { ip: '127.0.0.1', port: 0 }, ...options })

test('answers at /metrics alone, and the public side knows nothing of it', async () => {
  const e = await measured()
  const at = `http://127.0.0.1:${e.metricsPort}`
  const answer = await fetch(`${at}/metrics`)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ])
  expect(await answer.text()).toMatch(/^process_cpu_seconds_total [\d.e-]+$/m)
  for (const path of ['/', '/metrics?x=1', '/metrics/', '/api/routes', '/_chp_healthz'])
    expect((await fetch(at + path)).status).toBe(404)
  expect((await ask(e, '/metrics')).status).toBe(404)
  expect((await edge()).metricsPort).toBeUndefined()
})

test('requests of the API are counted by status, lists, additions and deletions apart', async () => {
  const e = await measured()
  await addRoute(e, '/a', deadTarget)
  await api(e, '')
  await api(e, '/a')
  await api(e, '/none')
  await api(e, '?inactive_since=nonsense')
  await api(e, '/a', { method: 'DELETE' })
  await api(e, '/a', { method: 'DELETE' })
  await api(e, '/a', { method: 'POST', body: '{}' })
  await api(e, '/a', { method: 'PUT' })
  await fetch(`http://127.0.0.1:${e.apiPort}/api/routes`)
  const got = await scrape(e.metricsPort)
  const counts = ['api_route_get', 'api_route_add', 'api_route_delete'].map((name) => got.get(name))
  expect(counts).toEqual([1, 1, 2])
  const byStatus = [...got].filter(([name]) => name.startsWith('requests_api'))
  expect(Object.fromEntries(byStatus)).toEqual({
    'requests_api{status="200"}': 2,
    'requests_api{status="201"}': 1,
    'requests_api{status="204"}': 1,
    'requests_api{status="400"}': 2,
    'requests_api{status="403"}': 1,
    'requests_api{status="404"}': 2,
    'requests_api{status="405"}': 1,
  })
})

test('what is open, what targets did and what limits refused has a number', async () => {
  const target = await serveEcho()
  const slow = await serve(() => undefined)
  const limits = { ...noLimits, maxBodyBytes: 10, maxConcurrentPerRoute: 1 }
  const forward = { ...kit.baseForward, proxyTimeoutMs: 50 }
  const e = await measured({ limits, forward })
  await addRoute(e, '/echo', target.url)
  await addRoute(e, '/dead', deadTarget)
  await addRoute(e, '/slow', slow.url)
  const tunnel = wire(e.port).send(upgrade('/echo'))
  await tunnel.until('101 Yes')
  expect((await ask(e, '/echo')).status).toBe(503)
  expect((await ask(e, '/dead')).status).toBe(503)
  expect((await ask(e, '/slow')).status).toBe(503)
  const body = 'more than ten'
  expect((await ask(e, '/slow', { method: 'POST', body })).status).toBe(413)
  expect(await raw(e.port, upgrade('/dead'))).toMatch(/^HTTP\/1.1 503/)
  const got = await scrape(e.metricsPort)
  expect(Object.fromEntries(got)).toMatchObject({
    orrery_edge_tunnels: 1,
    orrery_edge_routes: 3,
    orrery_edge_workers: 1,
    orrery_edge_worker_restarts_total: 0,
    'orrery_edge_upstream_errors_total{reason="refused"}': 2,
    'orrery_edge_upstream_errors_total{reason="timeout"}': 1,
    'orrery_edge_upstream_errors_total{reason="tls"}': 0,
    'orrery_edge_refused_total{limit="concurrent_per_route"}': 1,
    'orrery_edge_refused_total{limit="body_size"}': 1,
    'orrery_edge_refused_total{limit="connections"}': 0,
    'requests_proxy{status="503"}': 3,
  })
  tunnel.socket.destroy()
  await vi.waitUntil(
    async () => (await scrape(e.metricsPort)).get('orrery_edge_tunnels') === 0,
    patience,
  )
})

test('several workers are counted together, and nothing is lost with one that ends', async () => {
  const threads: Worker[] = []
  const onWorker = (thread: Worker): void => void threads.push(thread)
  process.on('worker', onWorker)
  cleanups.push(() => process.off('worker', onWorker))
  const target = await serve((_req, res) => void res.writeHead(204).end())
  const e = await measured({ workers: 2 })
  await e.complete()
  await addRoute(e, '/a', target.url)
  let asked = 0
  const askAll = async (count: number): Promise<void> => {
    const sockets = Array.from({ length: count }, () => wire(e.port))
    await Promise.all(
      sockets.map((one) => one.send('GET /a HTTP/1.1\r\nHost: x\r\n\r\n').until('204 ')),
    )
    asked += count
  }
  await askAll(40)
  const before = await scrape(e.metricsPort)
  expect([before.get('requests_web'), before.get('orrery_edge_connections')]).toEqual([40, 40])
  await threads[0]?.terminate()
  const isReplaced = async (): Promise<boolean> =>
    (await scrape(e.metricsPort)).get('orrery_edge_worker_restarts_total') === 1
  await vi.waitUntil(isReplaced, { timeout: 15_000 })
  await askAll(10)
  const after = await scrape(e.metricsPort)
  expect(Object.fromEntries(after)).toMatchObject({
    requests_web: asked,
    'requests_proxy{status="204"}': asked,
    find_target_for_req_count: asked,
    orrery_edge_workers: 2,
  })
  expect(after.get('orrery_edge_connections')).toBeLessThan(50)
  expect(after.get('find_target_for_req_sum')).toBeGreaterThan(0)
  expect(after.get('last_activity_updating_count')).toBe(asked + 1)
})

test('a port that is taken leaves nothing behind', async () => {
  const other = await serve((_req, res) => void res.end())
  const port = Number(new URL(other.url).port)
  const started = edge({ metricsListen: { ip: '127.0.0.1', port } })
  await expect(started).rejects.toMatchObject({ code: 'EADDRINUSE' })
})

test('a Unix socket serves them too', async () => {
  const socketPath = `${await kit.temporaryFolder()}/metrics.sock`
  await measured({ metricsListen: { ip: undefined, port: 0, socketPath } })
  const socket = connect(socketPath)
  cleanups.push(() => socket.destroy())
  let got = ''
  socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
  socket.write('GET /metrics HTTP/1.0\r\n\r\n')
  await once(socket, 'close')
  expect(got).toContain('\nrequests_web 0\n')
})
