import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { addRoute, edge, serve } from './edge-test-kit.ts'
import {
  heldConnections,
  openFarMachine,
  untilSaid,
  whyNoFarMachine,
} from './far-machine-test-kit.ts'
import { noLimits } from './limits/request-limits.ts'

/** Each connection says when it is where it should be, and when it learns of an end. */
const clientScript = `
  const { connect } = require('node:net')
  const [host, port] = process.argv.slice(1)
  const open = (name, request, isThere, pauses) => {
    let text = ''
    const socket = connect(Number(port), host, () => socket.write(request))
    socket.on('data', (chunk) => {
      text = (text + chunk.toString('latin1')).slice(-1e6)
      if (!isThere(text)) return
      console.log(name, 'is there')
      isThere = () => false
      if (pauses) socket.pause()
    })
    socket.on('close', () => console.log(name, 'has ended')).on('error', () => undefined)
    return socket
  }
  const head = (line, more = '') => line + ' HTTP/1.1\\r\\nHost: h\\r\\n' + more + '\\r\\n'
  open('idle', head('GET /idle'), (text) => text.endsWith('idle'))
  open('download', head('GET /download'), (text) => text.includes('ddd'), true)
  open('upload', head('POST /upload', 'Content-Length: 1000000\\r\\n') + 'x'.repeat(1000), () => false)
  const upgrade = 'Upgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\\r\\n'
  const told = open('told', head('GET /told', upgrade), (text) => text.includes('101'))
  open('quiet', head('GET /quiet', upgrade), (text) => text.includes('101'))
`

const kinds = ['download', 'upload', 'told', 'quiet'] as const

test('clients whose packets are lost from one moment on are given up, and what was asked for them', async ({
  skip,
}) => {
  const reason = whyNoFarMachine()
  if (reason !== undefined) return skip(reason)
  const machine = openFarMachine()
  const ended = new Set<string>()
  const here = new Set<string>()
  const note = (url: string | undefined, socket: Socket): void => {
    const name = (url ?? '').slice(1)
    here.add(name)
    socket.once('close', () => ended.add(name))
  }
  const target = await serve((req: IncomingMessage, res: ServerResponse) => {
    if (req.url === '/idle') return void res.end('idle')
    note(req.url, req.socket)
    if (req.url === '/upload') return void req.resume()
    const more = (): void => {
      while (!res.destroyed && res.write('d'.repeat(65_536))) continue
    }
    res.on('drain', more)
    more()
  })
  target.on('upgrade', (req: IncomingMessage, socket: Socket) => {
    note(req.url, socket)
    socket.write('HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.on('error', () => undefined).on('end', () => socket.end())
    socket.resume()
    if (req.url !== '/told') return
    // So little that the kernel's buffers take it for hours: no write ever waits.
    const timer = setInterval(() => socket.write(Buffer.from('\x81\x02hi', 'latin1')), 50)
    socket.on('close', () => clearInterval(timer))
  })
  const e = await edge({
    publicListen: { ip: machine.address, port: 0 },
    keepAliveTimeoutMs: 4000,
    webSocketPingMs: 1000,
    bodyWindowMs: 2000,
    stallMs: 2000,
    limits: { ...noLimits, minBodyRate: 1 },
  })
  await addRoute(e, '/', target.url)
  const clients = machine.run(clientScript, [machine.address, String(e.port)])
  for (const name of ['idle', 'download', 'told', 'quiet'])
    await untilSaid(clients, `${name} is there`)
  await vi.waitUntil(() => kinds.every((kind) => here.has(kind)), { timeout: 10_000 })
  expect(heldConnections(e.port, 'local')).toBe(5)
  machine.cut()
  const targetPort = Number(new URL(target.url).port)
  // Two to four seconds each, and what a busy machine takes.
  await vi.waitUntil(
    () =>
      ended.size === kinds.length &&
      heldConnections(e.port, 'local') === 0 &&
      heldConnections(targetPort, 'remote') === 0,
    { timeout: 30_000 },
  )
  // No end crossed the wire: clients believe to this moment that they are connected.
  expect(clients.said()).not.toContain('has ended')
}, 60_000)
