import { connect } from 'node:net'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { addRoute, baseForward, patience } from '../edge-test-kit.ts'
import { startEdge } from '../edge.ts'
import type { Edge } from '../edge.ts'
import { refusedBodies, refusedHeads } from './smuggling-corpus-test-kit.ts'

let edge: Edge
/** Requests that the target read to their end. */
const complete: string[] = []
/** Requests that the target saw begin. */
const begun: string[] = []
const target = createServer((req, res) => {
  begun.push(`${req.method} ${req.url}`)
  req.on('error', () => undefined)
  req.resume().on('end', () => {
    complete.push(`${req.method} ${req.url}`)
    res.end('ok')
  })
})

beforeAll(async () => {
  target.listen(0, '127.0.0.1')
  await once(target, 'listening')
  edge = await startEdge({
    forward: baseForward,
    publicListen: { ip: '127.0.0.1', port: 0 },
    apiListen: { ip: '127.0.0.1', port: 0 },
    token: 'secret',
    hubUrls: [],
    log: () => undefined,
    timeoutMs: 0,
    keepAliveTimeoutMs: 5000,
  })
  await addRoute(edge, '/', `http://127.0.0.1:${(target.address() as AddressInfo).port}`)
})
beforeEach(() => {
  complete.length = 0
  begun.length = 0
})
afterAll(async () => {
  await edge.close(0)
  target.closeAllConnections()
  target.close()
})

/** Sends bytes and takes what comes until the edge closes. */
async function answerTo(text: string): Promise<string> {
  const socket = connect(edge.port, '127.0.0.1')
  let got = ''
  socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
  socket.on('error', () => undefined)
  // Codes above 255 stand for their UTF-8 bytes.
  socket.write(/[^\0-\xff]/.test(text) ? Buffer.from(text, 'utf8') : Buffer.from(text, 'latin1'))
  await vi.waitUntil(() => socket.closed, { ...patience, interval: 1 })
  return got
}

test('the corpus is large', () => {
  expect(refusedHeads.length + refusedBodies.length).toBeGreaterThan(150)
})

describe('heads that can be read in two ways', () => {
  test.each(refusedHeads.map((row) => [row.name, row] as const))('%s', async (_name, row) => {
    const got = await answerTo(row.bytes)
    expect(got).toMatch(new RegExp(`^HTTP/1.1 ${row.status} [^]*\r\nConnection: close\r\n`))
    expect(got.match(/HTTP\/1.1/g)).toHaveLength(1)
    expect(begun).toEqual([])
  })
})

describe('bodies that can be read in two ways', () => {
  test.each(refusedBodies.map((row) => [row.name, row] as const))('%s', async (_name, row) => {
    const got = await answerTo(row.bytes)
    expect(got).toMatch(/^HTTP\/1.1 400 [^]*\r\nConnection: close\r\n/)
    expect(got.match(/HTTP\/1.1/g)).toHaveLength(1)
    expect(complete).toEqual([])
  })
})

describe('requests that look odd and are right', () => {
  const get = 'GET /x HTTP/1.1\r\n'
  const close = 'Connection: close\r\n\r\n'
  test.each([
    ['empty line before', `\r\n${get}Host: x\r\n${close}`],
    ['two empty lines before', `\r\n\r\n${get}Host: x\r\n${close}`],
    ['no space after the colon', `${get}Host:x\r\n${close}`],
    ['tabs around a value', `${get}Host:\tx\t \r\n${close}`],
    ['an empty host', `${get}Host: \r\n${close}`],
    ['an IPv6 host', `${get}Host: [::1]:80\r\n${close}`],
    ['an underscore in a host', `${get}Host: a_b\r\n${close}`],
    ['an empty value', `${get}Host: x\r\nX:\r\n${close}`],
    ['Latin-1 in a value', `${get}Host: x\r\nX: \xe9\r\n${close}`],
    ['odd but allowed characters in a name', `${get}Host: x\r\n!#$%&'*+-.^_\`|~9: y\r\n${close}`],
    ['absolute form', `GET http://x/x HTTP/1.1\r\nHost: X\r\n${close}`],
    ['HTTP/1.0 without a host', 'GET /x HTTP/1.0\r\n\r\n'],
    ['zeros before a length', `${get}Host: x\r\nContent-Length: 00\r\n${close}`],
    ['an empty item of Connection', `${get}Host: x\r\nConnection: , close,\r\n\r\n`],
    [
      'nominated fields that are not of the connection',
      `POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: Content-Length, Host, close\r\n\r\nab`,
    ],
    ['CHUNKED', `POST /x HTTP/1.1\r\nHost: x\r\nTRANSFER-encoding: CHUNKED\r\n${close}0\r\n\r\n`],
  ])('%s', async (_name, text) => {
    expect(await answerTo(text)).toMatch(/^HTTP\/1.1 200 /)
    expect(complete).toHaveLength(1)
  })
})
