import { once } from 'node:events'
import { connect as connectHttp2, constants } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Duplex } from 'node:stream'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import {
  addRoute,
  cleanups,
  edge,
  patience,
  raw,
  serve,
  serveEcho,
  temporaryFolder,
  upgrade,
} from './edge-test-kit.ts'
import type { Edge, EdgeOptions } from './edge.ts'
import { hasOpenssl, makeCertificate } from './tls/certificates-for-tests.ts'

const canMake = hasOpenssl()
const proxied = { isProxied: true }

async function tlsOptions(hsts = 0): Promise<Pick<EdgeOptions, 'tls'>> {
  const folder = await temporaryFolder()
  const files = [makeCertificate(folder, { name: 'hub', names: ['hub.test'] })]
  const side = { requestCert: false, rejectUnauthorized: false }
  const protocol = { settings: {} }
  return { tls: { files, side, protocol, hasHttp2: true, hstsSeconds: hsts } }
}

async function over(e: Edge, text: string, first = ''): Promise<string> {
  const tcp = connectTcp(e.port, '127.0.0.1')
  if (first !== '') tcp.write(first)
  const socket: Duplex = connectTls({
    socket: tcp,
    servername: 'hub.test',
    rejectUnauthorized: false,
  })
  cleanups.push(() => void socket.destroy())
  let got = ''
  socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
  socket.on('error', () => undefined)
  socket.write(text)
  await vi.waitUntil(() => socket.closed || /\r\n\r\n[^]/.test(got), patience)
  return got
}

/** Tells a client what the target got. */
function tell(req: IncomingMessage, res: ServerResponse): void {
  res.setHeader('content-type', 'application/json')
  res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers }))
}

describe('TLS', () => {
  beforeEach((context) => {
    if (!canMake) context.skip('no openssl on this machine')
  })

  test('requests arrive as https, and browsers are told to stay there', async () => {
    const target = await serve(tell)
    const e = await edge(await tlsOptions(3600))
    await addRoute(e, '/', target.url)
    const got = await over(e, 'GET /x HTTP/1.1\r\nHost: hub.test\r\n\r\n')
    expect(got).toMatch(/^HTTP\/1.1 200 [^]*strict-transport-security: max-age=3600\r\n/)
    expect(got).toContain('"x-forwarded-proto":"https"')
    expect(got).toContain('"x-forwarded-port":"443"')
    expect(await raw(e.port, 'GET /x HTTP/1.1\r\nHost: hub.test\r\n\r\n')).toBe('')
  })

  test('a target cannot tell browsers not to stay there', async () => {
    const target = await serve((_req, res) => {
      res.writeHead(200, { 'Strict-Transport-Security': 'max-age=0' }).end('x')
    })
    const e = await edge(await tlsOptions(3600))
    await addRoute(e, '/', target.url)
    const got = await over(e, 'GET /x HTTP/1.1\r\nHost: hub.test\r\n\r\n')
    // Source: RFC 6797 §8.1: the first field alone counts.
    expect(/strict-transport-security: (\S+)/i.exec(got)?.[1]).toBe('max-age=3600')
  })

  test('a WebSocket passes', async () => {
    const target = await serveEcho()
    const e = await edge(await tlsOptions())
    await addRoute(e, '/', target.url)
    expect(await over(e, `${upgrade('/')}hello`)).toContain('echo:hello')
  })

  test('behind the PROXY protocol the client is who the header says', async () => {
    const target = await serve(tell)
    const e = await edge({ ...(await tlsOptions()), ...proxied })
    await addRoute(e, '/', target.url)
    const header = 'PROXY TCP4 203.0.113.7 10.0.0.1 50000 443\r\n'
    const got = await over(e, 'GET / HTTP/1.1\r\nHost: hub.test\r\n\r\n', header)
    expect(got).toContain('"x-forwarded-for":"203.0.113.7"')
  })
})

describe('PROXY protocol', () => {
  const header = 'PROXY TCP4 203.0.113.7 10.0.0.1 50000 80\r\n'
  const request =
    'GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1\r\nConnection: close\r\n\r\n'

  test('the forged forwarding fields of who is behind it are not believed', async () => {
    const target = await serve(tell)
    const e = await edge(proxied)
    await addRoute(e, '/', target.url)
    expect(await raw(e.port, header + request)).toContain('"x-forwarded-for":"203.0.113.7"')
  })

  test('a health check without an address is the balancer itself', async () => {
    const e = await edge(proxied)
    const got = await raw(e.port, 'PROXY UNKNOWN\r\nGET /_chp_healthz HTTP/1.0\r\n\r\n')
    expect(got).toContain('{"status":"OK"}')
  })

  test('without a header, or from a peer that is not trusted, the connection is cut', async () => {
    const e = await edge(proxied)
    expect(await raw(e.port, request)).toBe('')
    const other = await edge({ ...proxied, trustedProxies: [] })
    expect(await raw(other.port, header + request)).toBe('')
  })
})

describe('HTTP/2', () => {
  beforeEach((context) => {
    if (!canMake) context.skip('no openssl on this machine')
  })

  async function start(listener: (req: IncomingMessage, res: ServerResponse) => unknown) {
    const target = await serve(listener)
    const e = await edge(await tlsOptions(60))
    await addRoute(e, '/', target.url)
    return { e, session: open(e) }
  }

  function open(e: Edge): ClientHttp2Session {
    const options = { rejectUnauthorized: false, servername: 'hub.test' }
    const session = connectHttp2(`https://127.0.0.1:${e.port}`, options)
    session.on('error', () => undefined)
    cleanups.push(() => session.destroy())
    return session
  }

  async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string) {
    const stream = session.request({ ':authority': 'hub.test', ...headers })
    stream.end(body)
    return answerOf(stream)
  }

  async function answerOf(stream: ClientHttp2Stream) {
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
    let size = 0
    let text = ''
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size < 100_000) text += chunk.toString()
    }
    return { status: headers[':status'], headers, text, size }
  }

  test('a request is forwarded as the HTTP/1.1 request that says the same', async () => {
    const { session } = await start(tell)
    const { status, headers, text } = await ask(session, {
      ':path': '/user/a%20b?x=1',
      cookie: ['a=1', 'b=2'],
      'x-forwarded-for': '9.9.9.9',
    })
    expect(status).toBe(200)
    expect(headers['strict-transport-security']).toBe('max-age=60')
    expect(headers).not.toHaveProperty('connection')
    expect(JSON.parse(text)).toMatchObject({
      method: 'GET',
      url: '/user/a%20b?x=1',
      headers: { host: 'hub.test', cookie: 'a=1; b=2', 'x-forwarded-proto': 'https' },
    })
  })

  test('bodies pass with and without a length, in both directions', async () => {
    const { session } = await start((req, res) => req.pipe(res))
    const body = 'x'.repeat(50_000)
    const long = await ask(session, { ':method': 'POST', ':path': '/' }, body)
    expect(long.text).toBe(body)
    const known = { ':method': 'PUT', ':path': '/', 'content-length': body.length }
    expect((await ask(session, known, body)).text).toBe(body)
    expect((await ask(session, { ':method': 'POST', ':path': '/' })).text).toBe('')
  })

  test('heads, empty answers and repeated fields', async () => {
    const { session } = await start((req, res) => {
      if (req.url === '/none') return res.writeHead(204).end()
      res.setHeader('set-cookie', ['a=1', 'b=2'])
      return res.setHeader('content-length', 5).end(req.method === 'HEAD' ? undefined : 'hello')
    })
    expect(await ask(session, { ':path': '/none' })).toMatchObject({ status: 204, text: '' })
    const head = await ask(session, { ':method': 'HEAD', ':path': '/' })
    expect(head).toMatchObject({ status: 200, text: '' })
    expect(head.headers).toMatchObject({ 'content-length': '5', 'set-cookie': ['a=1', 'b=2'] })
  })

  test('a hundred requests at once on one connection, and trailers', async () => {
    const { session } = await start((req, res) => {
      res.writeHead(200, { trailer: 'x-sum' })
      res.write(req.url)
      res.addTrailers({ 'x-sum': '7' })
      res.end()
    })
    const paths = Array.from({ length: 100 }, (_, index) => `/${index}`)
    const answers = await Promise.all(paths.map((path) => ask(session, { ':path': path })))
    expect(answers.map(({ text }) => text)).toEqual(paths)
    const stream = session.request({ ':path': '/t', ':authority': 'hub.test' })
    const trailers = once(stream, 'trailers')
    await answerOf(stream)
    expect((await trailers)[0]).toMatchObject({ 'x-sum': '7' })
  })

  test('a reader that stops holds the target back, and then gets everything', async () => {
    const total = 8 * 1024 * 1024
    let sent = 0
    const { session } = await start((_req, res) => {
      const chunk = Buffer.alloc(64 * 1024)
      const more = (): void => {
        while (sent < total && res.write(chunk)) sent += chunk.length
        if (sent >= total) res.end()
        else sent += chunk.length
      }
      res.on('drain', more)
      more()
    })
    const stream = session.request({ ':path': '/', ':authority': 'hub.test' })
    await once(stream, 'response')
    let last = -1
    await vi.waitUntil(
      () => {
        const isStill = sent === last
        last = sent
        return isStill
      },
      { ...patience, interval: 300 },
    )
    expect(sent).toBeLessThan(total)
    let size = 0
    for await (const chunk of stream as AsyncIterable<Buffer>) size += chunk.length
    expect(size).toBeGreaterThanOrEqual(total)
  })

  test('a client that gives a request up ends it at the target', async () => {
    let isAborted = false
    const { session } = await start((req, res) => {
      res.write('first')
      req.on('close', () => (isAborted = true))
    })
    const stream = session.request({ ':path': '/', ':authority': 'hub.test' })
    await once(stream, 'response')
    stream.close(constants.NGHTTP2_CANCEL)
    await vi.waitUntil(() => isAborted, patience)
  })

  test('what cannot be a request is refused, and a dead target is 503', async () => {
    const { e, session } = await start(tell)
    await addRoute(e, '/dead', 'http://127.0.0.1:9')
    expect((await ask(session, { ':path': '/dead/' })).status).toBe(503)
    expect((await ask(session, { ':path': '/', host: 'other.test' })).status).toBe(400)
  })

  test('an edge that stops finishes what is under way', async () => {
    const release = Promise.withResolvers<void>()
    const { e, session } = await start(async (_req, res) => {
      res.write('a')
      await release.promise
      res.end('b')
    })
    const stream = session.request({ ':path': '/', ':authority': 'hub.test' })
    await once(stream, 'response')
    const closed = e.close(5000)
    await once(session, 'goaway')
    release.resolve()
    let text = ''
    for await (const chunk of stream as AsyncIterable<Buffer>) text += chunk.toString()
    expect(text).toBe('ab')
    await closed
  })
})
