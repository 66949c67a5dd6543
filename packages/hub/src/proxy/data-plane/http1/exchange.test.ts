import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, test, vi } from 'vitest'
import {
  addRoute,
  api,
  baseForward,
  cleanups,
  deadTarget,
  edge,
  patience,
  raw,
  serve,
} from '../edge-test-kit.ts'
import type { Edge } from '../edge.ts'
import type { EdgeOptions } from '../edge.ts'
import { get, serveBytes, serveWire, wire } from './wire-test-kit.ts'

const hi = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'

async function edgeTo(url: string, options: Partial<EdgeOptions> = {}): Promise<Edge> {
  const e = await edge(options)
  await addRoute(e, '/', url)
  return e
}

async function activityOf(e: Edge): Promise<string> {
  const list = (await (await api(e, '')).json()) as Record<string, { last_activity: string }>
  return list['/']?.last_activity ?? ''
}

const post = (lines: string): string => `POST /x HTTP/1.1\r\nHost: x\r\n${lines}\r\n`
const chunkedPost = post('Transfer-Encoding: chunked\r\n')

describe('requests', () => {
  test.each([
    ['GET', '', /^GET \/x HTTP\/1.1\r\nHost: x\r\n(?![^]*(Length|Encoding))/],
    ['DELETE', '', /Content-Length: 0\r\n/],
    ['OPTIONS', '', /Content-Length: 0\r\n/],
    ['POST', '', /Content-Length: 0\r\n/],
    ['DELETE', 'Content-Length: 0\r\n', /Content-Length: 0\r\n(?![^]*Content-Length)/],
    ['PROPFIND', '', /^PROPFIND \/x HTTP\/1.1\r\n/],
    [
      'GET',
      'Trailer: X\r\nTE: trailers\r\nProxy-Connection: close\r\nKeep-Alive: 1\r\n',
      /^(?![^]*(Trailer|TE:|Proxy-|Keep-Alive))/,
    ],
    [
      'GET',
      'Upgrade: h2c\r\nHTTP2-Settings: AAA\r\nConnection: Upgrade, HTTP2-Settings\r\n',
      /^(?![^]*(Upgrade|h2c|HTTP2))/,
    ],
    ['GET', 'Upgrade: websocket\r\n', /^(?![^]*Upgrade)/],
  ])('%s with %j', async (method, lines, expected) => {
    const target = await serveBytes(hi)
    const e = await edgeTo(target.url)
    await wire(e.port).send(get('/x', lines).replace('GET', method)).until('hi')
    expect((await target.connection(0)).got).toMatch(expected)
  })

  test('chunks and trailers pass as they came, extensions do not', async () => {
    const target = await serveWire()
    const e = await edgeTo(target.url)
    const client = wire(e.port).send(`${chunkedPost}5\r\nhello\r\n`)
    const far = await target.connection(0)
    await far.until('hello')
    client.send('1\r\n!\r\n0\r\nX-Sum: 1\r\nAuthorization: a\r\n\r\n')
    expect(await far.until('X-Sum: 1\r\n\r\n')).toMatch(
      /Transfer-Encoding: chunked\r\n[^]*\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n$/,
    )
    far.send(hi)
    await client.until('hi')
  })

  test('pipelined requests are answered in their order, one after another', async () => {
    const target = await serveWire()
    const e = await edgeTo(target.url)
    const client = wire(e.port).send(get('/1') + post('Content-Length: 3\r\n') + 'abc' + get('/3'))
    const far = await target.connection(0)
    await far.until('/1')
    far.send(hi)
    await far.until('abc')
    expect(far.got).not.toContain('/3')
    far.send(hi)
    await far.until('/3')
    far.send(hi)
    await client.until(/(hi[^]*){3}/)
  })

  test('thousands of pipelined requests are served without end of memory or stack', async () => {
    const target = await serve((_req, res) => void res.end('hi'))
    const e = await edgeTo(target.url)
    const count = 3000
    const client = wire(e.port).send(get('/_chp_healthz').repeat(count) + get('/'))
    await client.until('hi')
    expect(client.got.match(/HTTP\/1.1 200/g)).toHaveLength(count + 1)
  })

  test('a client that does not read its answers is not read either', async () => {
    const e = await edgeTo(deadTarget)
    const client = connect(e.port, '127.0.0.1').on('error', () => undefined)
    cleanups.push(() => client.destroy())
    client.pause()
    let isHeld = false
    for (let sent = 0; sent < 64 * 1024 * 1024 && !isHeld; sent += 1024 * 1024) {
      if (client.write(get('/_chp_healthz').repeat(20_000))) continue
      isHeld = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(true), 1500)
        client.once('drain', () => {
          clearTimeout(timer)
          resolve(false)
        })
      })
    }
    expect(isHeld).toBe(true)
  })

  test('100 Continue is said once the target is there, and not when it is dead', async () => {
    const target = await serveWire()
    const e = await edgeTo(target.url)
    await addRoute(e, '/dead', deadTarget)
    const expecting = post('Content-Length: 3\r\nExpect: 100-continue\r\n')
    const client = wire(e.port).send(expecting)
    await client.until('HTTP/1.1 100 Continue\r\n\r\n')
    client.send('abc')
    const far = await target.connection(0)
    await far.until('abc')
    expect(far.got).not.toMatch(/expect/i)
    far.send(hi)
    await client.until('hi')
    const dead = await wire(e.port).send(expecting.replace('/x', '/dead')).ended()
    expect(dead).toMatch(/^HTTP\/1.1 503 /)
  })

  test('a request without a route is refused before its body is read, and the answer arrives', async () => {
    const e = await edge()
    const client = wire(e.port).send(
      `${post('Content-Length: 100000000\r\n')}${'a'.repeat(500_000)}`,
    )
    expect(await client.ended()).toMatch(/^HTTP\/1.1 404 [^]*Connection: close\r\n[^]*<\/html>\n$/)
  })

  test('an answer before the end of the body arrives, and the connection ends with it', async () => {
    const target = await serveBytes('HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno')
    const e = await edgeTo(target.url)
    const client = wire(e.port).send(
      `${post('Content-Length: 100000000\r\n')}${'a'.repeat(300_000)}`,
    )
    expect(await client.ended()).toMatch(/^HTTP\/1.1 413 Large\r\n[^]*Connection: close\r\n[^]*no$/)
  })
})

describe('clients that leave', () => {
  test('a reset ends the request at the target', async () => {
    const target = await serveWire()
    const e = await edgeTo(target.url)
    const client = wire(e.port).send(get('/'))
    const far = await target.connection(0)
    await far.until('GET')
    client.socket.resetAndDestroy()
    await far.ended()
  })

  test('a body that breaks off never seems complete', async () => {
    const target = await serveWire()
    const e = await edgeTo(target.url)
    const client = wire(e.port).send(`${chunkedPost}5\r\nhel`)
    const far = await target.connection(0)
    await far.until('hel')
    client.socket.end()
    expect(await far.ended()).not.toContain('0\r\n\r\n')
  })

  test('one that ended its side still gets its answers', async () => {
    const target = await serveWire()
    const e = await edgeTo(target.url)
    const client = wire(e.port).send(get('/1') + get('/2'))
    client.socket.end()
    const far = await target.connection(0)
    await far.until('/1')
    far.send(hi)
    await far.until('/2')
    far.send('HTTP/1.1 200 OK\r\n\r\nho').socket.end()
    expect(await client.ended()).toMatch(/hi[^]*2\r\nho\r\n0\r\n\r\n$/)
  })

  test('one that ended its side and is answered at once hears nothing else', async () => {
    const target = await serveWire()
    const e = await edgeTo(target.url)
    const client = wire(e.port).send(get('/1'))
    client.socket.end()
    const far = await target.connection(0)
    await far.until('/1')
    far.send(hi)
    expect(await client.ended()).toMatch(/^HTTP\/1.1 200/)
  })

  test('one that ended its side may wait longer than one that left is served', async () => {
    const target = await serveWire()
    const e = await edgeTo(target.url)
    const patient = wire(e.port).send(get('/1') + get('/2'))
    patient.socket.end()
    const far = await target.connection(0)
    await far.until('/1')
    // It is there, as far as two words to it can tell: time does not count any more.
    await patient.until(/(?:HTTP\/1.1 100 Continue\r\n\r\n){2}/)
    const gone = wire(e.port).send(get('/3'))
    const other = await target.connection(1)
    await other.until('/3')
    gone.socket.on('end', () => undefined).end(() => gone.socket.destroy())
    await other.ended()
    far.send(hi)
    await far.until('/2')
    await patient.until(/hi(?:HTTP\/1.1 100 Continue\r\n\r\n)$/)
    far.send(hi)
    expect(await patient.ended()).toMatch(/hi[^]*Connection: close\r\n[^]*hi$/)
  })

  test('one that ended its side inside a body that waited behind another request is let go', async () => {
    const target = await serveWire()
    const e = await edgeTo(target.url)
    const client = wire(e.port).send(`${get('/1')}${post('Content-Length: 5\r\n')}abcd`)
    client.socket.end()
    const far = await target.connection(0)
    await far.until('/1')
    far.send(hi)
    await client.ended()
    expect(await far.ended()).toMatch(/abcd$/)
  })

  test('one that ended its side inside a head is let go', async () => {
    const client = wire((await edge()).port).send('GET / HT')
    client.socket.end()
    expect(await client.ended()).toBe('')
  })
})

describe('limits of time', () => {
  test('a head that does not come is 408, however slowly it drips', async () => {
    const e = await edge({ headTimeoutMs: 200 })
    const client = wire(e.port)
    const drip = setInterval(() => client.send('a'), 20)
    cleanups.push(() => clearInterval(drip))
    client.send('GET /')
    expect(await client.ended()).toMatch(/^HTTP\/1.1 408 /)
  })

  test('a client that says nothing is let go', async () => {
    const e = await edge({ headTimeoutMs: 100 })
    expect(await wire(e.port).ended()).toBe('')
  })

  test('an idle connection is closed, one with a request under way is not', async () => {
    const target = await serveWire()
    const e = await edgeTo(target.url, { keepAliveTimeoutMs: 100, headTimeoutMs: 100 })
    const client = wire(e.port).send(get('/'))
    const far = await target.connection(0)
    await far.until('GET')
    const other = wire(e.port).send(get('/_chp_healthz'))
    await other.ended()
    expect(other.got).toContain('"OK"')
    far.send(hi)
    await client.until('hi')
    await client.ended()
  })

  test('--timeout ends a client that is idle while its answer is awaited', async () => {
    const target = await serveWire()
    const e = await edgeTo(target.url, { timeoutMs: 100 })
    const client = wire(e.port).send(get('/'))
    await (await target.connection(0)).ended()
    await client.ended()
  })

  test('--proxy-timeout is 503 without an answer, and does not cut one that goes on', async () => {
    const target = await serveWire()
    const e = await edgeTo(target.url, { forward: { ...baseForward, proxyTimeoutMs: 200 } })
    const client = wire(e.port).send(get('/'))
    const far = await target.connection(0)
    expect(await client.until('</html>')).toMatch(/^HTTP\/1.1 503 /)
    await far.ended()
    const second = wire(e.port).send(get('/'))
    const slow = await target.connection(1)
    await slow.until('GET')
    slow.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhi')
    await second.until('hi')
    await new Promise((resolve) => setTimeout(resolve, 500))
    slow.send('ho')
    await second.until('hiho')
  })
})

describe('back-pressure', () => {
  test('large bodies arrive byte for byte, both ways at once, past readers that pause', async () => {
    const target = await serve((req, res) => {
      res.writeHead(200, req.url === '/length' ? { 'Content-Length': size } : {})
      req.pipe(res)
    })
    const e = await edgeTo(target.url)
    const parts = Array.from({ length: 32 }, () => randomBytes(1024 * 1024 - 7))
    const size = parts.reduce((sum, part) => sum + part.length, 0)
    const sent = createHash('sha256')
    for (const part of parts) sent.update(part)
    const expected = sent.digest('hex')
    const exchange = async (path: string, headers: Record<string, number>): Promise<string> => {
      const asked = request({ host: '127.0.0.1', port: e.port, path, method: 'POST', headers })
      void pipeline(Readable.from(parts), asked)
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]
      const got = createHash('sha256')
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        got.update(chunk)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
      return got.digest('hex')
    }
    const all = [
      exchange('/length', { 'Content-Length': size }),
      exchange('/length', {}),
      exchange('/chunks', { 'Content-Length': size }),
      exchange('/chunks', {}),
    ]
    expect(await Promise.all(all)).toEqual([expected, expected, expected, expected])
  }, 60_000)

  test('a target that does not read holds the upload back', async () => {
    const target = await serveWire((one) => one.socket.pause())
    const e = await edgeTo(target.url)
    const client = connect(e.port, '127.0.0.1').on('error', () => undefined)
    cleanups.push(() => client.destroy())
    client.write(post('Content-Length: 268435456\r\n'))
    const part = Buffer.alloc(1024 * 1024)
    let sent = 0
    const pump = (): void => {
      while (sent < 256 && client.write(part)) sent += 1
    }
    client.on('drain', pump)
    pump()
    let last = -1
    // It stands still once every buffer on the way is full.
    for (let still = 0; still < 4; ) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      still = last === client.bytesWritten ? still + 1 : 0
      last = client.bytesWritten
    }
    expect(client.bytesWritten).toBeLessThan(64 * 1024 * 1024)
    const far = await target.connection(0)
    far.socket.removeAllListeners('data')
    let got = 0
    far.socket.on('data', (chunk: Buffer) => (got += chunk.length)).resume()
    await vi.waitUntil(() => got > 256 * 1024 * 1024, { timeout: 20_000 })
  }, 30_000)
})

test('bytes of an upload are activity, an answer of 300 and above is not', async () => {
  const target = await serveWire()
  const e = await edgeTo(target.url)
  const client = wire(e.port).send(post('Content-Length: 2\r\n'))
  const far = await target.connection(0)
  await far.until('\r\n\r\n')
  const before = await activityOf(e)
  await vi.waitUntil(() => Date.now() > Date.parse(before), patience)
  client.send('a')
  await far.until(/\r\n\r\na$/)
  const during = await activityOf(e)
  expect(during > before).toBe(true)
  await vi.waitUntil(() => Date.now() > Date.parse(during), patience)
  client.send('b')
  await far.until(/ab$/)
  const after = await activityOf(e)
  far.send('HTTP/1.1 302 F\r\nContent-Length: 2\r\n\r\nhi')
  await client.until('hi')
  expect(await activityOf(e)).toBe(after)
})

describe('other protocols', () => {
  const yes = 'HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: x/1\r\nX: a\r\n\r\n'
  const ask = (protocol: string): string =>
    get(
      '/',
      `Connection: upgrade, X-Hop\r\nUpgrade: ${protocol}\r\nX-Hop: 1\r\nSec-WebSocket-Key: k\r\n`,
    )

  test.each(['websocket', 'WebSocket', 'x/1', 'tcp'])(
    '%s is a tunnel of bytes',
    async (protocol) => {
      const target = await serveWire()
      const e = await edgeTo(target.url)
      const client = wire(e.port).send(`${ask(protocol)}\0early`)
      const far = await target.connection(0)
      expect(await far.until('\r\n\r\n')).toMatch(
        new RegExp(`Sec-WebSocket-Key: k\r\n[^]*Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`),
      )
      expect(far.got).not.toMatch(/x-hop|early/i)
      far.send(`${yes}first`)
      expect(await client.until('first')).toBe(`${yes}first`)
      await far.until('\0early')
      client.send(get('/other'))
      await far.until('/other')
      far.socket.end()
      await client.ended()
    },
  )

  test('either side that ends takes the other with it, what was said before arrives', async () => {
    const target = await serveBytes(yes)
    const e = await edgeTo(target.url)
    const client = wire(e.port).send(ask('websocket'))
    await client.until('X: a')
    const far = await target.connection(0)
    client.send('bye')
    client.socket.end()
    expect(await far.ended()).toMatch(/bye$/)
    const second = wire(e.port).send(ask('websocket'))
    await second.until('X: a')
    ;(await target.connection(1)).socket.resetAndDestroy()
    await second.ended()
  })

  test('a reader that stops holds the other side back', async () => {
    const target = await serveBytes(yes)
    const e = await edgeTo(target.url)
    const client = wire(e.port).send(ask('websocket'))
    await client.until('X: a')
    client.socket.pause()
    const far = await target.connection(0)
    const part = Buffer.alloc(1024 * 1024)
    let last = -1
    for (let i = 0; i < 64; i += 1) far.socket.write(part)
    for (let still = 0; still < 4; ) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      still = last === far.socket.writableLength ? still + 1 : 0
      last = far.socket.writableLength
    }
    expect(last).toBeGreaterThan(16 * 1024 * 1024)
    client.socket.resume()
    await vi.waitUntil(() => client.got.length > 64 * 1024 * 1024, { timeout: 20_000 })
  }, 30_000)

  test('an answer that is no 101 is given, and the connection closed', async () => {
    const target = await serveBytes('HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno')
    const e = await edgeTo(target.url)
    expect(await wire(e.port).send(ask('websocket')).ended()).toMatch(/^HTTP\/1.1 403 No[^]*no$/)
  })

  test('with a body, or of another method, it is cut', async () => {
    const e = await edgeTo(deadTarget)
    expect(await raw(e.port, ask('websocket').replace('GET', 'POST'))).toBe('')
    expect(await raw(e.port, ask('websocket').replace('Host', 'Content-Length: 3\r\nHost'))).toBe(
      '',
    )
  })
})

test('an edge that stops finishes what is under way and says that it closes', async () => {
  const target = await serveWire()
  const e = await edgeTo(target.url)
  const client = wire(e.port).send(get('/'))
  const idle = wire(e.port).send(get('/_chp_healthz'))
  await idle.until('OK')
  const far = await target.connection(0)
  await far.until('GET')
  const stopping = e.close(10_000)
  await idle.ended()
  far.send(hi)
  expect(await client.ended()).toMatch(/Connection: close[^]*hi$/)
  await stopping
})
