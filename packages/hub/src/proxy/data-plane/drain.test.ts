import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { existsSync } from 'node:fs'
import { get as httpGet } from 'node:http'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import {
  addRoute,
  ask,
  cleanups,
  edge,
  fakeHub,
  patience,
  serve,
  temporaryFolder,
  upgrade,
} from './edge-test-kit.ts'
import { get, wire } from './http1/wire-test-kit.ts'
import { hasOpenssl, makeCertificate } from './tls/certificates-for-tests.ts'

const goingAway = '\x88\x02\x03\xe9'

/** A server of WebSockets that hands out its side. */
async function serveSockets(): Promise<{ url: string; sides: Socket[] }> {
  const target = await serve((_req, res) => void res.end())
  const sides: Socket[] = []
  target.on('upgrade', (_req, socket: Socket) => {
    socket.write('HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.on('error', () => undefined).resume()
    sides.push(socket)
  })
  return { url: target.url, sides }
}

test('WebSockets are told that the edge goes away, between two frames only', async () => {
  const { url, sides } = await serveSockets()
  const e = await edge({ webSocketPingMs: 30_000 })
  await addRoute(e, '/', url)
  const idle = wire(e.port).send(upgrade('/'))
  await idle.until('101 Yes')
  await vi.waitUntil(() => sides.length === 1, patience)
  const inFrame = wire(e.port).send(upgrade('/'))
  await inFrame.until('101 Yes')
  await vi.waitUntil(() => sides.length === 2, patience)
  sides[0]?.write(Buffer.from('\x81\x02hi', 'latin1'))
  sides[1]?.write(Buffer.from('\x81\x05hal', 'latin1'))
  await idle.until('hi')
  await inFrame.until('hal')
  const startedAt = performance.now()
  await e.close(1000, 300)
  expect(performance.now() - startedAt).toBeGreaterThan(250)
  expect((await idle.ended()).split('\r\n\r\n')[1]).toBe(`\x81\x02hi${goingAway}`)
  expect((await inFrame.ended()).split('\r\n\r\n')[1]).toBe('\x81\x05hal')
  await vi.waitUntil(() => sides.every((side) => side.readableEnded), patience)
})

test('a connection with a request under way is told that it ends, and gets the answer', async () => {
  let release = (): void => undefined
  const { url } = await serve((_req, res) => {
    release = () => void res.end('late')
  })
  const e = await edge()
  await addRoute(e, '/', url)
  const client = wire(e.port).send(get('/'))
  const before = release
  await vi.waitUntil(() => release !== before, patience)
  const closing = e.close(10_000)
  const refused = await new Promise<string | undefined>((resolve) => {
    const probe = connect(e.port, '127.0.0.1')
    probe.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code))
    probe.on('close', () => resolve('closed'))
  })
  expect(refused).toMatch(/ECONNREFUSED|ECONNRESET|closed/)
  release()
  expect(await client.ended()).toMatch(/^HTTP\/1\.1 200 [^]*Connection: close\r\n[^]*late$/)
  await closing
})

test.skipIf(!hasOpenssl())(
  'an HTTP/2 connection gets GOAWAY, and the answer under way',
  async () => {
    const folder = await temporaryFolder()
    const files = [makeCertificate(folder, { name: 'hub', names: ['localhost'] })]
    let release = (): void => undefined
    const { url } = await serve((_req, res) => {
      release = () => void res.end('late')
    })
    const side = { requestCert: false, rejectUnauthorized: false }
    const tls = { files, side, protocol: { settings: {} }, hasHttp2: true, hstsSeconds: 0 }
    const e = await edge({ tls })
    await addRoute(e, '/', url)
    const session = connectHttp2(`https://localhost:${e.port}`, { rejectUnauthorized: false })
    cleanups.push(() => session.destroy())
    const goaway = once(session, 'goaway')
    const stream = session.request({ ':path': '/' })
    let text = ''
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
    const before = release
    await vi.waitUntil(() => release !== before, patience)
    const closing = e.close(10_000)
    expect((await goaway)[0]).toBe(0)
    release()
    await once(stream, 'end')
    expect(text).toBe('late')
    await closing
  },
)

test('use of the last moment is reported before the end', async () => {
  const target = await serve((_req, res) => void res.end('x'))
  const routes = [{ routespec: '/user/ada/', target: target.url, data: { user: 'ada' } }]
  const hub = await fakeHub(() => ({ type: 'snapshot', epoch: 'e', seq: 1, routes }))
  const e = await edge({ hubUrls: [hub.url], workers: 2 })
  await vi.waitUntil(() => hub.posts.length > 0, patience)
  const usedAt = Date.now()
  expect((await ask(e, '/user/ada/')).status).toBe(200)
  await e.close(1000)
  const reports = hub.posts.flatMap(({ body }) => body['routes'] ?? [])
  const latest = (reports as Record<string, number>[]).at(-1)?.['/user/ada/'] ?? 0
  expect(latest).toBeGreaterThanOrEqual(usedAt)
})

test('a successor takes a Unix socket over: every request is answered, and the name stays', async () => {
  const socketPath = join(await temporaryFolder(), 's')
  const publicListen = { ip: undefined, port: 0, socketPath }
  const statusNow = (): Promise<number | string> =>
    new Promise((resolve) => {
      const options = { socketPath, path: '/_chp_healthz', agent: false }
      httpGet(options, (res) => resolve(res.resume().statusCode ?? 0)).on(
        'error',
        ({ code }: NodeJS.ErrnoException) => resolve(code ?? ''),
      )
    })
  const seen = new Set<number | string>()
  let count = 0
  let isOver = false
  const first = await edge({ publicListen })
  const asking = (async () => {
    for (; !isOver; count += 1) seen.add(await statusNow())
  })()
  await expect(edge({ publicListen })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  const second = await edge({ publicListen, isSuccessor: true })
  await first.close(2000)
  const before = count
  await vi.waitUntil(() => count > before + 20, patience)
  isOver = true
  await asking
  expect(seen).toEqual(new Set([200]))
  await second.close(0)
  expect(existsSync(socketPath)).toBe(false)
})
