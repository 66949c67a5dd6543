import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { addRoute, edge, patience, serve } from '../edge-test-kit.ts'
import { serveWire } from '../http1/wire-test-kit.ts'
import { hasOpenssl } from '../tls/certificates-for-tests.ts'
import { askStream, http2Options, openSession } from './h2-test-kit.ts'

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

test('a client that takes nothing of its answers is given up, one that takes little is not', async ({
  skip,
}) => {
  if (!hasOpenssl()) return skip('no openssl on this machine')
  const target = await serve((_req, res) => void res.end('x'.repeat(40)))
  const e = await edge({ http2IdleMs: 200, ...(await http2Options()) })
  await addRoute(e, '/', target.url)
  const open = (path: string) => {
    const session = openSession(e, { initialWindowSize: 0 })
    const stream = session.request({ ':authority': 'hub.test', ':path': path })
    const seen = { session, stream, text: '', reset: false }
    stream.on('error', () => undefined).on('close', () => (seen.reset = true))
    stream.on('data', (chunk: Buffer) => (seen.text += chunk.toString()))
    return seen
  }
  const [idle, refused, slow] = [open('/'), open('/%zz'), open('/')]
  await once(slow.stream, 'response')
  for (let size = 1; slow.text.length < 40; size += 1) {
    slow.session.settings({ initialWindowSize: size })
    await vi.waitUntil(() => slow.text.length >= size || slow.reset, patience)
    if (slow.reset) break
  }
  for (const { session } of [idle, refused]) await vi.waitUntil(() => session.closed, patience)
  expect([idle.text, refused.text, slow.text.length]).toEqual(['', '', 40])
})

test('a client that waits long for an answer is asked whether it is there, and kept', async ({
  skip,
}) => {
  if (!hasOpenssl()) return skip('no openssl on this machine')
  const target = await serveWire()
  const e = await edge({ http2IdleMs: 50, stallMs: 200, ...(await http2Options()) })
  await addRoute(e, '/', target.url)
  const session = openSession(e)
  let pings = 0
  session.on('ping', () => (pings += 1))
  const answered = askStream(session, {})
  const far = await target.connection(0)
  await far.until('\r\n\r\n')
  // More of them than there would be before nothing moved for too long.
  await vi.waitUntil(() => pings > 8 || session.closed, patience)
  far.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  expect((await answered).status).toBe(200)
})
