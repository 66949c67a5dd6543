import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { addRoute, edge, patience } from '../edge-test-kit.ts'
import { serveWire } from '../http1/wire-test-kit.ts'
import { hasOpenssl } from '../tls/certificates-for-tests.ts'
import { http2Options, openSession } from './h2-test-kit.ts'

/** More than fits into the window of a stream and the buffers below it. */
const largeBytes = 64 * 2 ** 20

const openFiles = (): number => readdirSync('/proc/self/fd').length

test('a client that leaves within a large answer leaves no connection behind', async ({ skip }) => {
  if (!hasOpenssl()) return skip('no openssl on this machine')
  const target = await serveWire()
  const e = await edge(await http2Options())
  await addRoute(e, '/', target.url)
  const before = openFiles()
  for (let round = 0; round < 5; round += 1) {
    const session = openSession(e)
    const stream = session.request({ ':authority': 'hub.test', ':path': '/' })
    stream.on('error', () => undefined)
    const far = await target.connection(round)
    far.send(`HTTP/1.1 200 OK\r\nContent-Length: ${largeBytes}\r\n\r\n`)
    far.socket.write(Buffer.alloc(largeBytes))
    await once(stream, 'response')
    session.destroy()
    await vi.waitUntil(() => far.socket.closed, patience)
  }
  // A few of the API's connections may end as well.
  await vi.waitUntil(() => openFiles() <= before, patience)
  expect(openFiles()).toBeLessThanOrEqual(before)
})
