import { once } from 'node:events'
import { type AddressInfo, type Socket, connect } from 'node:net'
import { expect, test, vi } from 'vitest'
import { cleanups, patience } from '../edge-test-kit.ts'
import { createRedirectServer, type RedirectOptions } from './redirect-server.ts'

async function ask(head: string, options: Partial<RedirectOptions> = {}): Promise<string> {
  const server = createRedirectServer({ toPort: 443, ...options }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => void server.close())
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.end(`${head}\r\nConnection: close\r\n\r\n`)
  const chunks: Buffer[] = []
  for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1')
}

test.each([
  ['GET /user/a%20b/?x=1 HTTP/1.1\r\nHost: hub.test', 443, 'https://hub.test/user/a%20b/?x=1'],
  ['GET / HTTP/1.1\r\nHost: hub.test:80', 8443, 'https://hub.test:8443/'],
  ['POST / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 0', 443, 'https://[::1]/'],
])('%j goes to port %i', async (head, toPort, location) => {
  expect(await ask(head, { toPort })).toMatch(
    new RegExp(`^HTTP/1.1 301 [^]*\r\nLocation: ${location.replace(/[[\]?]/g, '\\$&')}\r\n`),
  )
})

test.each([
  'GET / HTTP/1.1\r\nHost: evil/x',
  'GET / HTTP/1.1\r\nHost: ',
  'GET http://evil.test/ HTTP/1.1\r\nHost: hub.test',
])('%j is refused', async (head) => {
  expect(await ask(head)).toMatch(/^HTTP\/1.1 400 /)
})

test('a pending challenge is answered, another is not there', async () => {
  const findChallenge = async (token: string) => (token === 'known' ? 'known.proof' : undefined)
  const path = 'GET /.well-known/acme-challenge'
  const rest = 'HTTP/1.1\r\nHost: hub.test'
  expect(await ask(`${path}/known ${rest}`, { findChallenge })).toMatch(/200 OK[^]*known\.proof/)
  expect(await ask(`${path}/other ${rest}`, { findChallenge })).toMatch(/^HTTP\/1.1 404 /)
})

test('connections that say nothing are no more than a few hundred', async () => {
  const server = createRedirectServer({ toPort: 443 }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets: Socket[] = []
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.closeAllConnections()
    server.close()
  })
  let refused = 0
  server.on('drop', () => (refused += 1))
  for (let i = 0; i < 520; i += 1) {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    sockets.push(socket.on('error', () => undefined))
  }
  await vi.waitUntil(() => refused === 20, patience)
})
