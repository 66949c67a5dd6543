import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { addRoute, ask, cleanups, edge, patience, raw } from '../edge-test-kit.ts'
import type { EdgeOptions } from '../edge.ts'
import { startFront, startTarget } from '../fronts-test-kit.ts'
import { answerOf, askStream, http2Options, openSession } from '../http2/h2-test-kit.ts'
import { get, serveWire, wire } from '../http1/wire-test-kit.ts'
import type { WireServer } from '../http1/wire-test-kit.ts'
import { hasOpenssl } from '../tls/certificates-for-tests.ts'
import { noLimits } from './request-limits.ts'

const canMake = hasOpenssl()

const part = Buffer.alloc(256 * 1024)

/** A target whose answer never ends as long as it is taken. */
function serveEndless(): Promise<WireServer> {
  return serveWire(({ socket }) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write(part)) continue
    }
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${2 ** 40}\r\n\r\n`)
      more()
    })
    socket.on('drain', more)
  })
}

describe('a client that takes nothing of an answer under way is given up, its target with it', () => {
  const stalls = { stallMs: 300 }

  test('over HTTP/1.1', async () => {
    const target = await serveEndless()
    const e = await edge(stalls)
    await addRoute(e, '/', target.url)
    const client = wire(e.port).send(get('/'))
    await client.until('200 OK')
    client.socket.pause()
    const far = await target.connection(0)
    await vi.waitUntil(() => far.socket.closed, patience)
  })

  test('over HTTP/2, whose other requests go on', async ({ skip }) => {
    if (!canMake) return skip('no openssl on this machine')
    const target = await serveEndless()
    const e = await edge({ ...(await http2Options()), ...stalls })
    await addRoute(e, '/', target.url)
    const session = openSession(e)
    const stream = session.request({ ':authority': 'hub.test', ':path': '/' })
    stream.on('error', () => undefined)
    await once(stream, 'response')
    const far = await target.connection(0)
    await vi.waitUntil(() => far.socket.closed, patience)
    expect(await askStream(session, { ':path': '/_chp_healthz' })).toMatchObject({ status: 200 })
  })

  test.each([
    ['websocket', 0],
    ['websocket', 30_000],
    ['x/1', 30_000],
  ])('in a tunnel of %s, with pings after %i ms', async (protocol, webSocketPingMs) => {
    const target = await serveWire(({ socket }) => {
      const frame = Buffer.concat([Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 4, 0, 0]), part])
      const more = (): void => {
        while (!socket.destroyed && socket.write(frame)) continue
      }
      socket.once('data', () => {
        socket.write(`HTTP/1.1 101 Yes\r\nUpgrade: ${protocol}\r\nConnection: Upgrade\r\n\r\n`)
        more()
      })
      socket.on('drain', more)
    })
    const e = await edge({ ...stalls, webSocketPingMs })
    await addRoute(e, '/', target.url)
    const lines = `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`
    const client = wire(e.port).send(get('/', lines))
    await client.until('101 Yes')
    client.socket.pause()
    const far = await target.connection(0)
    await vi.waitUntil(() => far.socket.closed, patience)
  })

  test('but not one that takes it slowly, or whose target is slow', async () => {
    const target = await serveWire()
    const e = await edge({ stallMs: 1000 })
    await addRoute(e, '/', target.url)
    const client = wire(e.port).send(get('/'))
    const far = await target.connection(0)
    await far.until('\r\n\r\n')
    const total = 6 * 1024 * 1024
    far.send(`HTTP/1.1 200 OK\r\nContent-Length: ${total + 3}\r\n\r\n`)
    far.socket.write(Buffer.alloc(total))
    let got = 0
    client.socket.on('data', (chunk: Buffer) => {
      got += chunk.length
      client.socket.pause()
      setTimeout(() => client.socket.resume(), 2)
    })
    await vi.waitUntil(() => got > total, { timeout: 15_000 })
    await new Promise((resolve) => setTimeout(resolve, 1300))
    far.send('end')
    await client.until(/end$/)
  }, 20_000)
})

test.for(['HTTP/1.1', 'HTTP/2'] as const)(
  'a target that takes nothing of a body is given up, over %s',
  async (front, { skip }) => {
    if (!canMake && front === 'HTTP/2') return skip('no openssl on this machine')
    const target = await startTarget('TCP', (req) => void req.pause())
    const { ask: send } = await startFront(front, target, { stallMs: 300 })
    const asked = send('/', { method: 'POST', hasBody: true })
    const write = (): void => {
      while (!asked.body.destroyed && asked.body.write(part)) continue
    }
    asked.body.on('drain', write)
    write()
    expect((await asked.begun).status).toBe(503)
  },
)

describe('connections that say nothing take their place among all', () => {
  const limits = { ...noLimits, maxConnections: 2 }

  async function fill(e: { port: number }): Promise<() => void> {
    const silent = [0, 1].map(() => connectTcp(e.port, '127.0.0.1').on('error', () => undefined))
    cleanups.push(() => silent.forEach((one) => one.destroy()))
    await Promise.all(silent.map((one) => once(one, 'connect')))
    return () => silent.forEach((one) => one.resetAndDestroy())
  }

  test('before TLS', async ({ skip }) => {
    if (!canMake) return skip('no openssl on this machine')
    const e = await edge({ ...(await http2Options()), limits })
    const leave = await fill(e)
    const refused = openSession(e)
    await vi.waitUntil(() => refused.destroyed, patience)
    leave()
    await vi.waitUntil(async () => {
      const session = openSession(e)
      const stream = session.request({ ':authority': 'hub.test', ':path': '/_chp_healthz' })
      stream.on('error', () => undefined)
      return (await answerOf(stream).catch(() => undefined))?.status === 200
    }, patience)
  })

  test('before a PROXY header', async () => {
    const options: Partial<EdgeOptions> = { isProxied: true, limits }
    const e = await edge(options)
    const leave = await fill(e)
    const text = `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${get('/_chp_healthz', 'Connection: close\r\n')}`
    expect(await raw(e.port, text)).toBe('')
    leave()
    await vi.waitUntil(async () => (await raw(e.port, text)).includes('200 OK'), patience)
  })

  test('and those that were served leave it', async () => {
    const e = await edge({ limits })
    for (let i = 0; i < 5; i += 1) {
      const answer = await ask(e, '/_chp_healthz', { headers: { Connection: 'close' } })
      expect(await answer.text()).toContain('OK')
    }
  })
})

test('an HTTP/2 connection that only pings is idle', async ({ skip }) => {
  if (!canMake) return skip('no openssl on this machine')
  const e = await edge({ ...(await http2Options()), http2IdleMs: 300 })
  const busy = await serveWire()
  await addRoute(e, '/busy', busy.url)
  const session = openSession(e)
  const waiting = askStream(session, { ':path': '/busy' })
  const pinging = setInterval(() => session.destroyed || session.ping(() => undefined), 20)
  cleanups.push(() => clearInterval(pinging))
  const far = await busy.connection(0)
  await far.until('\r\n\r\n')
  await new Promise((resolve) => setTimeout(resolve, 700))
  // What is awaited is no idleness.
  far.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')
  expect(await waiting).toMatchObject({ status: 200, text: 'hi' })
  await vi.waitUntil(() => session.closed, patience)
})

test('a body over HTTP/2 that does not end is not waited for once it was answered', async ({
  skip,
}) => {
  if (!canMake) return skip('no openssl on this machine')
  const e = await edge(await http2Options())
  const early = await serveWire((one) => {
    one.socket.once('data', () => one.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'))
  })
  await addRoute(e, '/early', early.url)
  const session = openSession(e)
  const asked = ['/early', '/_chp_healthz'].map((path) => {
    const stream = session.request({ ':authority': 'hub.test', ':path': path, ':method': 'POST' })
    stream.write('a beginning')
    return { stream, answered: answerOf(stream) }
  })
  const answers = await Promise.all(asked.map(({ answered }) => answered))
  expect(answers.map(({ text }) => text)).toEqual(['hi', '{"status":"OK"}'])
  expect(asked.map(({ stream }) => stream.rstCode)).toEqual([0, 0])
})

test('both ends are asked by TCP whether they are there', async ({ skip }) => {
  if (process.platform !== 'linux') return skip('/proc tells of timers on Linux')
  const target = await serveWire()
  const e = await edge()
  await addRoute(e, '/', target.url)
  wire(e.port).send(get('/'))
  await target.connection(0)
  const hex = (port: number): string => `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  /** Whether a connection of that address has the timer of keep-alive. Source: proc_net_tcp. */
  const isAsked = async (column: 1 | 2, port: number): Promise<boolean> => {
    const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n')
    const fields = lines.map((line) => line.trim().split(/\s+/))
    return fields.some(
      (f) => f[3] === '01' && f[column]?.endsWith(hex(port)) && f[5]?.startsWith('02:'),
    )
  }
  await vi.waitUntil(() => isAsked(1, e.port), patience)
  await vi.waitUntil(() => isAsked(2, target.port), patience)
})
