import type { Duplex } from 'node:stream'
import { expect, test, vi } from 'vitest'
import {
  addRoute,
  ask,
  edge,
  isPast,
  openTunnel,
  patience,
  serve,
  serveEcho,
  activityOf,
} from './edge-test-kit.ts'

test('success counts as activity, an error status does not', async () => {
  const target = await serve((req, res) => void res.writeHead(Number(req.url?.slice(1))).end())
  const e = await edge()
  await addRoute(e, '/', target.url)
  const before = await activityOf(e, '/')
  await isPast(before)
  await ask(e, '/403')
  expect(await activityOf(e, '/')).toBe(before)
  await ask(e, '/200')
  expect((await activityOf(e, '/')) > before).toBe(true)
})

test('what the client sends is activity of the route, what the server sends is not', async () => {
  const target = await serveEcho()
  const sent: Duplex[] = []
  target.on('upgrade', (_req, socket) => sent.push(socket))
  const e = await edge()
  await addRoute(e, '/ws', target.url)
  const tunnel = await openTunnel(e, '/ws')
  const before = await activityOf(e, '/ws')
  await isPast(before)
  sent[0]?.write('news')
  await vi.waitUntil(() => tunnel.got.includes('news'), patience)
  expect(await activityOf(e, '/ws')).toBe(before)
  tunnel.socket.write('typed')
  await vi.waitUntil(() => tunnel.got.includes('echo:typed'), patience)
  expect((await activityOf(e, '/ws')) > before).toBe(true)
})
