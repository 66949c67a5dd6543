import { expect, test } from 'vitest'
import { addRoute, edge } from '../edge-test-kit.ts'
import type { Edge } from '../edge.ts'
import { get, serveBytes, serveWire, wire } from './wire-test-kit.ts'

const plain = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'

async function edgeTo(url: string): Promise<Edge> {
  const e = await edge()
  await addRoute(e, '/', url)
  return e
}

const asking = (protocol: string): string =>
  get(
    '/',
    `Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\nUpgrade: ${protocol}\r\n`,
  )

/** A tunnel of HTTP would hide requests from limits, forwarding fields and activity. */
test.each(['h2c', 'H2C', 'h2', 'h2c, HTTP/2.0', 'HTTP/2.0', 'http', ', h2c ,'])(
  'asking for %j is passed over',
  async (protocol) => {
    const target = await serveBytes(plain)
    const client = wire((await edgeTo(target.url)).port)
    await client.send(asking(protocol)).until('hi')
    await client.send(get('/')).until(/hi[^]*hi/)
    expect((await target.connection(0)).got).not.toMatch(/upgrade|http2-settings/i)
  },
)

test.each([
  ['h2c, websocket', 'websocket'],
  ['websocket, H2C', 'websocket'],
  ['x/1, HTTP/2.0, y', 'x/1, y'],
  ['h2cx', 'h2cx'],
])('of %j only %j is asked for', async (protocol, passed) => {
  const target = await serveWire()
  const e = await edgeTo(target.url)
  wire(e.port).send(asking(protocol))
  const head = await (await target.connection(0)).until('\r\n\r\n')
  expect(head).toContain(`Connection: Upgrade\r\nUpgrade: ${passed}\r\n`)
})

test('behind an upgrade that the server refuses nothing is read as a request or a tunnel', async () => {
  const refusal = 'HTTP/1.1 426 No\r\nContent-Length: 2\r\n\r\nno'
  const target = await serveBytes(refusal)
  const e = await edgeTo(target.url)
  const client = wire(e.port).send(`${asking('websocket')}${get('/hidden')}`)
  expect(await client.ended()).toMatch(/^HTTP\/1\.1 426 No\r\n[^]*Connection: close\r\n[^]*no$/)
  expect(target.connections).toHaveLength(1)
  expect((await target.connection(0)).got).not.toContain('/hidden')
})

test('a server that changes the protocol unasked is cut off, and its bytes are nobody’s answer', async () => {
  const poison = 'HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'
  const target = await serveBytes(`${poison}${plain.replace('hi', 'no')}`)
  const e = await edgeTo(target.url)
  const client = wire(e.port)
  await client.send(get('/')).until('503')
  await client.send(get('/')).until(/503[^]*503/)
  expect(target.connections).toHaveLength(2)
  expect(client.got).not.toMatch(/101|\r\n\r\nno$/)
})

test('fields that decide on access cannot be taken from a request that another sends', async () => {
  const target = await serveBytes(plain)
  const e = await edgeTo(target.url)
  const lines =
    'X-Forwarded-For: 192.0.2.1\r\nConnection: X-Forwarded-For, X-Forwarded-Proto, Host, Content-Length, keep-alive\r\n'
  await wire(e.port).send(get('/', lines)).until('hi')
  const { got } = await target.connection(0)
  expect(got).toContain('Host: x\r\n')
  expect(got).toMatch(/X-Forwarded-For: 192\.0\.2\.1,127\.0\.0\.1\r\n/)
  expect(got).toContain('X-Forwarded-Proto: http\r\n')
})
