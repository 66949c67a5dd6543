import type { Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { addRoute, cleanups, raw, serve, serveEcho, upgrade } from '../edge-test-kit.ts'
import { noLimits } from '../limits/request-limits.ts'
import { connections, edgeOfTwo, patience, statuses } from './worker-test-kit.ts'

const direct = { trustedProxies: [] as const }

/** Asks for a tunnel on each. @returns what each was answered, 0 for those that were closed */
async function openTunnels(sockets: readonly Socket[]): Promise<number[]> {
  return Promise.all(
    sockets.map(
      (socket) =>
        new Promise<number>((resolve) => {
          socket.once('close', () => resolve(0))
          socket.once('data', (bytes: Buffer) => resolve(Number(bytes.toString('latin1', 9, 12))))
          socket.write(upgrade('/user/ada/'))
        }),
    ),
  )
}

const count = (list: readonly number[], wanted: number): number =>
  list.filter((one) => one === wanted).length

test('requests under way to one user are limited over all workers; a worker that ends gives its own back', async () => {
  const target = await serveEcho()
  const limits = { ...noLimits, maxConcurrentPerRoute: 6 }
  const { e, threads } = await edgeOfTwo({ ...direct, limits })
  await addRoute(e, '/user/ada', target.url, { user: 'ada' })
  // The kernel spreads so many over both workers.
  const first = await connections(e, 30)
  const answers = await openTunnels(first)
  expect([count(answers, 101), count(answers, 503)]).toEqual([6, 24])
  void threads[0]?.terminate()
  await vi.waitUntil(() => threads.length === 3, patience)
  await vi.waitUntil(() => first.some((socket) => socket.destroyed), patience)
  await e.complete()
  const left = first.filter((socket, i) => answers[i] === 101 && !socket.destroyed).length
  const again = await openTunnels(await connections(e, 30))
  expect(count(again, 101)).toBe(6 - left)
  for (const socket of first) socket.destroy()
  await vi.waitUntil(async () => {
    const [status] = await openTunnels(await connections(e, 1))
    return left === 0 || status === 101
  }, patience)
}, 40_000)

test('a rate is that of all workers together', async () => {
  const { url } = await serve((_req, res) => void res.end('yes'))
  const limits = { ...noLimits, maxRequestsPerSecondPerAddress: 1, burstSeconds: 10 }
  const { e } = await edgeOfTwo({ ...direct, limits })
  await addRoute(e, '/', url)
  const startedAt = performance.now()
  const answers = await statuses(await connections(e, 40), '/')
  const seconds = (performance.now() - startedAt) / 1000
  expect(count(answers, 200)).toBeGreaterThanOrEqual(10)
  expect(count(answers, 200)).toBeLessThanOrEqual(10 + Math.ceil(seconds))
  expect(count(answers, 200) + count(answers, 429)).toBe(40)
})

test('connections in all and of one address are limited over all workers, and places come back', async () => {
  for (const limits of [{ maxConnections: 8 }, { maxConnectionsPerAddress: 8 }]) {
    const { e, threads } = await edgeOfTwo({ ...direct, limits: { ...noLimits, ...limits } })
    await vi.waitUntil(async () => (await raw(e.port, healthz)).includes('OK'), patience)
    const sockets = await connections(e, 30)
    const answers = await statuses(sockets, '/_chp_healthz')
    expect(count(answers, 200)).toBe(8)
    void threads[1]?.terminate()
    await vi.waitUntil(() => threads.length === 3, patience)
    await e.complete()
    for (const socket of sockets) socket.destroy()
    await vi.waitUntil(async () => {
      const more = await connections(e, 8)
      const statusesNow = await statuses(more, '/_chp_healthz')
      for (const socket of more) socket.destroy()
      return count(statusesNow, 200) === 8
    }, patience)
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  }
}, 40_000)

const healthz = 'GET /_chp_healthz HTTP/1.0\r\nHost: x\r\n\r\n'
