import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import {
  addRoute,
  ask,
  cleanups,
  edge,
  patience,
  serve,
  serveEcho,
  upgrade,
  activityOf,
} from './edge-test-kit.ts'

test('success counts as activity, an error status does not', async () => {
  const target = await serve((req, res) => void res.writeHead(Number(req.url?.slice(1))).end())
  const e = await edge()
  await addRoute(e, '/', target.url)
  const before = await activityOf(e, '/')
  await sleep(5)
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
  const socket = connect(e.port, '127.0.0.1')
  cleanups.push(() => socket.destroy())
  let got = ''
  socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
  socket.write(upgrade('/ws'))
  await vi.waitUntil(() => got.includes('101'), patience)
  const before = await activityOf(e, '/ws')
  await sleep(5)
  sent[0]?.write('news')
  await vi.waitUntil(() => got.includes('news'), patience)
  expect(await activityOf(e, '/ws')).toBe(before)
  socket.write('typed')
  await vi.waitUntil(() => got.includes('echo:typed'), patience)
  expect((await activityOf(e, '/ws')) > before).toBe(true)
})
