import { duplexPair } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { RoutingTable } from '../routing-table.ts'
import type { EdgeContext } from './context.ts'
import { baseForward, cleanups, patience } from './edge-test-kit.ts'
import { get, serveWire } from './http1/wire-test-kit.ts'
import { EdgeCounts } from './metrics/counts.ts'
import { createPeerTrust, defaultTrustedProxies } from './peer-trust.ts'
import { PublicServer } from './public-server.ts'

function publicServer(
  table: RoutingTable,
  { log = [], keepAliveTimeoutMs = 5000 }: { log?: string[]; keepAliveTimeoutMs?: number } = {},
): PublicServer {
  const context: EdgeContext = {
    table,
    options: { ...baseForward, isTrustedPeer: createPeerTrust(defaultTrustedProxies) },
    log: (_level, message) => void log.push(message),
    counts: new EdgeCounts(),
    hasMetrics: true,
    logsRequests: false,
  }
  const server = new PublicServer(context, { keepAliveTimeoutMs, timeoutMs: 0 })
  cleanups.push(() => server.close({ requestsMs: 0, webSocketsMs: 0 }))
  return server
}

test('any duplex of bytes is served, with what was read from it before and whose it is', async () => {
  const target = await serveWire()
  const table = new RoutingTable()
  table.set({ path: '/', owner: 'api', targetUrl: target.url, data: {}, lastActivityMs: 0 })
  const server = publicServer(table)
  const [near, far] = duplexPair({ allowHalfOpen: true })
  let got = ''
  near.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
  const peer = { address: '198.51.100.7', isTrusted: false, isTls: true }
  const request = get('/', 'X-Forwarded-For: 1.2.3.4\r\n')
  server.accept(far, peer, Buffer.from(request.slice(0, 9)))
  near.write(request.slice(9))
  const seen = await (await target.connection(0)).until('\r\n\r\n')
  expect(seen).toMatch(
    /X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Proto: https\r\n/,
  )
  expect(seen).not.toContain('1.2.3.4')
  ;(await target.connection(0)).send(
    'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n' + 'a'.repeat(100_000),
  )
  await vi.waitUntil(() => got.endsWith('a'.repeat(100_000)), patience)
  expect(server.connectionCount).toBe(1)
  near.destroy()
  far.destroy()
  await vi.waitUntil(() => server.connectionCount === 0, patience)
})

test('a mistake of ours costs its request a 500, and nobody else anything', async () => {
  const log: string[] = []
  const table = new RoutingTable()
  vi.spyOn(table, 'match').mockImplementationOnce(() => {
    throw new TypeError('a mistake')
  })
  const server = publicServer(table, { log })
  const [near, far] = duplexPair({ allowHalfOpen: true })
  let got = ''
  near.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
  server.accept(far, { address: '', isTrusted: false, isTls: false })
  near.write(get('/1'))
  await vi.waitUntil(() => got.includes('</html>'), patience)
  expect(got).toMatch(/^HTTP\/1.1 500 /)
  expect(log).toEqual(['failed to forward: TypeError: a mistake'])
  near.write(get('/2'))
  await vi.waitUntil(() => got.includes('HTTP/1.1 404 '), patience)
})

test('a client that reads its answer late is not taken for an idle one', async () => {
  const target = await serveWire((one) => {
    one.socket.on('data', () =>
      one.send(`HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n${'a'.repeat(40_000)}`),
    )
  })
  const table = new RoutingTable()
  table.set({ path: '/', owner: 'api', targetUrl: target.url, data: {}, lastActivityMs: 0 })
  const server = publicServer(table, { keepAliveTimeoutMs: 50 })
  const nobody = { address: '', isTrusted: false, isTls: false }
  const [late, lateFar] = duplexPair({ allowHalfOpen: true, readableHighWaterMark: 1000 })
  server.accept(lateFar, nobody)
  late.write(get('/'))
  await vi.waitUntil(() => lateFar.writableLength > 16_000, patience)
  // One that was answered later is idle for too long.
  const [idle, idleFar] = duplexPair({ allowHalfOpen: true })
  server.accept(idleFar, nobody)
  idle.resume()
  idle.write(get('/_chp_healthz'))
  await vi.waitUntil(() => idleFar.destroyed, patience)
  expect(lateFar.destroyed).toBe(false)
  let got = ''
  late.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
  await vi.waitUntil(() => got.endsWith('a'.repeat(40_000)), patience)
})
