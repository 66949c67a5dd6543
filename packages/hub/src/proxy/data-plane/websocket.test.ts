import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import {
  addRoute,
  api,
  ask,
  deadTarget,
  edge,
  openTunnel,
  patience,
  raw,
  serve,
  serveEcho,
  upgrade,
} from './edge-test-kit.ts'

test('bytes flow both ways, early ones first, and outlive the route', async () => {
  const target = await serve((_req, res) => void res.end())
  target.on('upgrade', (_req: IncomingMessage, socket, head: Buffer) => {
    socket.write('HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Y: 1\r\n\r\n')
    socket.write(`echo:${head.toString()}`)
    socket.on('data', (chunk: Buffer) => socket.write(`echo:${chunk.toString()}`))
    socket.on('error', () => undefined)
  })
  const e = await edge()
  await addRoute(e, '/ws', target.url)
  const tunnel = await openTunnel(e, '/ws', 'early')
  await vi.waitUntil(() => tunnel.got.includes('echo:early'), patience)
  expect(tunnel.got).toMatch(/^HTTP\/1.1 101 Yes\r\n[^]*X-Y: 1/)
  await api(e, '/ws', { method: 'DELETE' })
  tunnel.socket.write('later')
  await vi.waitUntil(() => tunnel.got.includes('echo:later'), patience)
})

test('a dead target is 503, no route 404, a refusal is relayed, other upgrades are cut', async () => {
  const target = await serve((_req, res) => void res.end())
  target.on('upgrade', (_req: IncomingMessage, socket) => {
    socket.end('HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno')
  })
  const e = await edge()
  await addRoute(e, '/dead', deadTarget)
  await addRoute(e, '/no', target.url)
  expect(await raw(e.port, upgrade('/dead'))).toMatch(/^HTTP\/1.1 503/)
  expect(await raw(e.port, upgrade('/none'))).toMatch(/^HTTP\/1.1 404/)
  expect(await raw(e.port, upgrade('/no'))).toMatch(/^HTTP\/1.1 403 No[^]*no$/)
  expect(await raw(e.port, upgrade('/no').replace('GET', 'POST'))).toBe('')
})

test('a WebSocket that closes while the edge stops takes no request with it', async () => {
  let answer: ServerResponse | undefined
  const target = await serveEcho()
  target.removeAllListeners('request')
  target.on('request', (_req, res) => (answer = res))
  const e = await edge()
  await addRoute(e, '/', target.url)
  const { socket } = await openTunnel(e, '/ws')
  const request = ask(e, '/slow').then(async (reply) => reply.text())
  await vi.waitUntil(() => answer !== undefined, patience)
  const stopping = e.close(10_000)
  socket.destroy()
  // Several looks of the edge at what is open.
  await sleep(150)
  answer?.end('in time')
  expect(await request).toBe('in time')
  await stopping
})
