import { once } from 'node:events'
import { constants } from 'node:http2'
import { beforeEach, expect, test, vi } from 'vitest'
import { addRoute, edge, patience } from '../edge-test-kit.ts'
import type { Edge } from '../edge.ts'
import { serveBytes, serveWire } from '../http1/wire-test-kit.ts'
import type { Wire } from '../http1/wire-test-kit.ts'
import { hasOpenssl } from '../tls/certificates-for-tests.ts'
import { answerOf, askStream, http2Options, openSession } from './h2-test-kit.ts'

const canMake = hasOpenssl()
beforeEach((context) => {
  if (!canMake) context.skip('no openssl on this machine')
})

async function start(answer: string): Promise<Edge> {
  const e = await edge(await http2Options())
  await addRoute(e, '/', (await serveBytes(answer)).url)
  return e
}

const ok = (lines: string): string => `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${lines}\r\nok`

/** Answers that HTTP/1.1 passes and that a library for HTTP/2 may refuse to send. */
test.each([
  ['a field twice that has one value', ok('Content-Type: a\r\nContent-Type: b\r\n')],
  ['two dates', ok('Date: a\r\nDate: b\r\n')],
  ['fields of a connection of HTTP/1.1', ok('TE: gzip\r\nHTTP2-Settings: x\r\nUpgrade: h2c\r\n')],
  ['names that objects have', ok('constructor: b\r\n__proto__: c\r\n__proto__: d\r\n')],
  ['hundreds of fields', ok('X: y\r\n'.repeat(90))],
  ['a large head', ok(`X: ${'y'.repeat(60_000)}\r\n`)],
  [
    'a hint with a field twice',
    `HTTP/1.1 103 Hint\r\nETag: a\r\nETag: b\r\nTE: x\r\n\r\n${ok('')}`,
  ],
  [
    'trailers with fields twice',
    `HTTP/1.1 200 OK\r\nTrailer: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nETag: a\r\nETag: b\r\nconstructor: x\r\n__proto__: y\r\n\r\n`,
  ],
])('%s', async (_name, answer) => {
  const e = await start(answer)
  const session = openSession(e)
  expect(await askStream(session, {})).toMatchObject({ status: 200, text: 'ok' })
  expect(await askStream(session, {})).toMatchObject({ status: 200, text: 'ok' })
})

test('names that objects have keep their values', async () => {
  const e = await start(ok('constructor: b\r\n__proto__: c\r\n'))
  const { raw } = await askStream(openSession(e), {})
  const named = raw.flatMap((name, i) =>
    ['constructor', '__proto__'].includes(name) ? [`${name}: ${raw[i + 1]}`] : [],
  )
  expect(named).toEqual(['constructor: b', '__proto__: c'])
})

test.each([204, 205, 304])(
  'an answer of %i has no body, whatever its fields say',
  async (status) => {
    const e = await start(`HTTP/1.1 ${status} Nothing\r\nContent-Length: 2\r\n\r\n`)
    const session = openSession(e)
    const stream = session.request({ ':authority': 'hub.test', ':path': '/' })
    expect(await answerOf(stream)).toMatchObject({ status, text: '' })
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR)
  },
)

test.each([
  ['at once', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', ''],
  ['later', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n', 'part'],
])('an answer that breaks off %s does not seem complete', async (_name, answer, part) => {
  const target = await serveBytes(answer)
  const e = await edge(await http2Options())
  await addRoute(e, '/', target.url)
  const stream = openSession(e).request({ ':authority': 'hub.test', ':path': '/' })
  let got = ''
  let isOver = false
  stream.on('data', (chunk: Buffer) => (got += chunk.toString()))
  stream.on('error', () => undefined).on('close', () => (isOver = true))
  await vi.waitUntil(() => got === part, patience)
  // What came was sent on in whole by now.
  await new Promise((resolve) => setTimeout(resolve, 50))
  ;(await target.connection(0)).socket.destroy()
  await vi.waitUntil(() => isOver, patience)
  expect(stream.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR)
})

test.each([600, 999])('a status of %i cannot be said', async (status) => {
  const e = await start(`HTTP/1.1 ${status} What\r\nContent-Length: 2\r\n\r\nok`)
  expect(await askStream(openSession(e), {})).toMatchObject({ status: 503 })
})

test('an answer that meets the end of its request on the way is nobody’s', async () => {
  const asked: Wire[] = []
  const target = await serveWire((one) => one.socket.on('data', () => asked.push(one)))
  const e = await edge(await http2Options())
  await addRoute(e, '/', target.url)
  const session = openSession(e)
  const nextAsked = async (): Promise<Wire | undefined> => {
    await vi.waitUntil(() => asked.length > 0, { ...patience, interval: 1 })
    return asked.shift()
  }
  for (let round = 0; round < 20; round += 1) {
    const stream = session.request({ ':authority': 'hub.test', ':path': '/' })
    stream.on('error', () => undefined)
    const one = await nextAsked()
    stream.close(constants.NGHTTP2_CANCEL)
    one?.send(ok(''))
  }
  const last = askStream(session, {})
  ;(await nextAsked())?.send(ok(''))
  expect(await last).toMatchObject({ status: 200, text: 'ok' })
})

test('100 Continue is said once the target is there', async () => {
  const e = await start(ok(''))
  const session = openSession(e)
  const headers = {
    ':authority': 'hub.test',
    ':method': 'POST',
    ':path': '/',
    expect: '100-continue',
  }
  const stream = session.request(headers)
  stream.once('continue', () => stream.end('body'))
  expect(await answerOf(stream)).toMatchObject({ status: 200, text: 'ok' })
})

test('uploads over long ways are not held to 64 kB in a round trip', async () => {
  const e = await start(ok(''))
  const session = openSession(e)
  await once(session, 'remoteSettings')
  expect(session.remoteSettings.initialWindowSize).toBe(256 * 1024)
  await vi.waitUntil(() => (session.state.remoteWindowSize ?? 0) >= 1024 * 1024, patience)
})

test('a request of as many fields as over HTTP/1.1 passes', async () => {
  const e = await start(ok(''))
  const fields = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`x-${i}`, 'y']))
  expect(await askStream(openSession(e), fields)).toMatchObject({ status: 200 })
})
