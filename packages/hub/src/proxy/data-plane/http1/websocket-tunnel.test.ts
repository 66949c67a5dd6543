import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { addRoute, api, cleanups, edge, patience, upgrade } from '../edge-test-kit.ts'
import type { Edge } from '../edge.ts'
import { wire } from './wire-test-kit.ts'

interface WebSocketServer {
  readonly url: string
  /** What the server got on each connection, as Latin-1 text. */
  readonly got: string[]
  readonly sockets: Socket[]
}

/** Joins WebSockets and begins with some bytes; sends nothing more by itself. */
async function serveWebSockets(first: string): Promise<WebSocketServer> {
  const got: string[] = []
  const sockets: Socket[] = []
  const server = createServer()
  server.on('upgrade', (request, socket: Socket) => {
    const key = `${request.headers['sec-websocket-key'] ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    const accept = createHash('sha1').update(key).digest('base64')
    socket.write(
      `HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    socket.write(first, 'latin1')
    const index = sockets.push(socket) - 1
    got[index] = ''
    socket.on('data', (chunk: Buffer) => (got[index] += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    cleanups.push(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, got, sockets }
}

async function start(
  webSocketPingMs: number,
  first = '',
): Promise<{ e: Edge; server: WebSocketServer }> {
  const server = await serveWebSockets(first)
  const e = await edge({ webSocketPingMs })
  await addRoute(e, '/ws', server.url)
  return { e, server }
}

const lastActivity = async (e: Edge): Promise<string> => {
  const routes = (await (await api(e, '')).json()) as Record<string, { last_activity: string }>
  return routes['/ws']?.last_activity ?? ''
}

/** Until others were asked and closed twice over: time enough for any that was there before. */
async function passTwice(e: Edge): Promise<void> {
  const silent = await serveWebSockets('')
  await addRoute(e, '/silent', silent.url)
  for (let round = 0; round < 2; round += 1) await wire(e.port).send(upgrade('/silent')).ended()
}

// oxlint-disable-next-line no-control-regex -- frames are bytes
const pingPattern = /\x89\x08[^]{8}/

test('a browser answers pings by itself: it stays, the server sees nothing of it, no activity', async () => {
  const { e, server } = await start(200)
  const browser = new WebSocket(`ws://127.0.0.1:${e.port}/ws`)
  cleanups.push(() => browser.close())
  let pieces = ''
  browser.addEventListener('message', (event) => (pieces += String(event.data)))
  await once(browser, 'open')
  const activity = await lastActivity(e)
  // An abandoned one beside it shows that the time has passed, several times over.
  for (let round = 0; round < 3; round += 1) {
    const abandoned = wire(e.port).send(upgrade('/ws'))
    await abandoned.ended()
    expect(abandoned.got).toMatch(pingPattern)
  }
  expect(browser.readyState).toBe(WebSocket.OPEN)
  expect(server.got[0]).toBe('')
  expect(await lastActivity(e)).toBe(activity)
  // Both directions still work, and count as before.
  server.sockets[0]?.write('\x81\x02hi', 'latin1')
  await vi.waitUntil(() => pieces === 'hi', patience)
  expect(await lastActivity(e)).toBe(activity)
  browser.send('yes')
  await vi.waitUntil(() => server.got[0] !== '', patience)
  expect(server.got[0]).toHaveLength(2 + 4 + 3)
  expect(await lastActivity(e)).not.toBe(activity)
})

test('an abandoned WebSocket is closed on both sides', async () => {
  const { e, server } = await start(200)
  const client = wire(e.port).send(upgrade('/ws'))
  await client.ended()
  expect(client.got).toMatch(pingPattern)
  await vi.waitUntil(() => server.sockets[0]?.readableEnded === true, patience)
})

test('a ping waits for the end of the frame that the server is sending', async () => {
  const { e, server } = await start(100, '\x82\x7e\x01\x00begin')
  const client = wire(e.port).send(upgrade('/ws'))
  await client.until('begin')
  await passTwice(e)
  expect(client.socket.closed).toBe(false)
  expect(client.got).not.toMatch(pingPattern)
  const rest = `${'x'.repeat(251)}\x81\x03one`
  server.sockets[0]?.write(rest, 'latin1')
  await client.until('one')
  await client.until(pingPattern)
  const body = client.got.slice(client.got.indexOf('\r\n\r\n') + 4)
  expect(body.replace(pingPattern, '')).toBe(`\x82\x7e\x01\x00begin${rest}`)
  expect(body.search(pingPattern)).toBe(4 + 256)
})

test('pongs of the client to the server pass, cut or whole, ours do not', async () => {
  const { e, server } = await start(400)
  const client = wire(e.port).send(upgrade('/ws'))
  const mark = pingPattern.exec(await client.until(pingPattern))?.[0].slice(2) ?? ''
  const mine = `\x8a\x88\0\0\0\0${mark}`
  const theirs = '\x8a\x88\0\0\0\x0012345678'
  const short = '\x8a\x83\0\0\0\0abc'
  for (const piece of [`${mine}${theirs}${mine.slice(0, 5)}`, mine.slice(5), short, mine]) {
    client.send(piece)
    await client.until('') // a turn of the loop, so that pieces go one by one
  }
  client.send('\x81\x83\0\0\0\0end')
  await vi.waitUntil(() => server.got[0]?.includes('end'), patience)
  expect(server.got[0]).toBe(`${theirs}${short}\x81\x83\0\0\0\0end`)
})

test('what is not WebSocket framing is neither asked nor closed', async () => {
  const { e, server } = await start(100)
  const client = wire(e.port).send(upgrade('/ws'))
  client.send('just bytes')
  await vi.waitUntil(() => server.got[0] === 'just bytes', patience)
  await passTwice(e)
  expect(client.socket.closed).toBe(false)
  server.sockets[0]?.write('more')
  expect(await client.until('more')).not.toMatch(pingPattern)
})

test('after a close frame comes no ping; the time runs on', async () => {
  const { e } = await start(100, '\x88\x02\x03\xe8')
  const client = wire(e.port).send(upgrade('/ws'))
  expect(await client.ended()).not.toMatch(pingPattern)
})
