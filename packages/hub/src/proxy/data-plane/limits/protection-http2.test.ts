import { once } from 'node:events'
import { connect, constants } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import { beforeEach, expect, test, vi } from 'vitest'
import {
  addRoute,
  cleanups,
  edge,
  patience,
  serve,
  startProcess,
  temporaryFolder,
} from '../edge-test-kit.ts'
import type { EdgeProcess } from '../edge-test-kit.ts'
import { serveWire } from '../http1/wire-test-kit.ts'
import { http2Options, openSession } from '../http2/h2-test-kit.ts'
import { hasOpenssl, makeCertificate } from '../tls/certificates-for-tests.ts'
import { noLimits } from './request-limits.ts'

const canMake = hasOpenssl()
let folder: string

beforeEach(async (context) => {
  if (!canMake) context.skip('no openssl on this machine')
  folder = await temporaryFolder()
})

/** The edge as a program with HTTPS: its flags are read, too. */
async function start(target: string, flags: readonly string[]): Promise<EdgeProcess> {
  const files = makeCertificate(folder, { name: 'hub', names: ['localhost', 'IP:127.0.0.1'] })
  const tls = ['--ssl-key', files.keyPath, '--ssl-cert', files.certPath]
  const limits = ['--trusted-proxy', 'none', '--default-target', target, ...flags]
  return startProcess(folder, [...tls, ...limits])
}

async function open({ url }: EdgeProcess): Promise<ClientHttp2Session> {
  const session = connect(url.replace('http:', 'https:'), { rejectUnauthorized: false })
  cleanups.push(() => session.destroy())
  session.on('error', () => undefined)
  await once(session, 'connect')
  return session
}

/** Waits until the edge has read what was sent, so that the client does not run ahead of it. */
function hearsAgain(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve) => {
    // The callback is called when the session ends, too.
    const isSent = !session.destroyed && session.ping(() => resolve())
    if (!isSent) resolve()
  })
}

/** @returns the status; 0 when the stream was reset */
async function send(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  parts: readonly string[] = [],
): Promise<number> {
  const stream = session.request({ ':path': '/', ...headers }, { endStream: parts.length === 0 })
  stream.on('error', () => undefined).resume()
  for (const part of parts) stream.write(part)
  if (parts.length > 0) stream.end()
  return new Promise((resolve) => {
    stream.once('response', (answer) => resolve(Number(answer[':status'])))
    stream.once('close', () => resolve(0))
  })
}

test('streams are requests: rate and size count for each', async () => {
  const { url } = await serve((req, res) => void req.resume().on('end', () => res.end('yes')))
  const rate = ['--max-requests-per-second-per-address', '1', '--request-burst', '6']
  const session = await open(await start(url, [...rate, '--route-limits', '/:max-body-size=10']))
  const post = { ':method': 'POST' }
  expect(await send(session, {})).toBe(200)
  expect(await send(session, { ...post, 'content-length': '11' }, ['01234567890'])).toBe(413)
  expect(await send(session, post, ['0123456789'])).toBe(200)
  expect(await send(session, post, ['0123456789', 'x'])).toBe(413)
  const more = await Promise.all(Array.from({ length: 8 }, () => send(session, {})))
  expect(more).toContain(429)
})

test('a body that comes too slowly gets 408, and its target is left', async () => {
  const target = await serveWire()
  const limits = { ...noLimits, minBodyRate: 1000 }
  const e = await edge({ ...(await http2Options()), limits, bodyWindowMs: 100 })
  await addRoute(e, '/', target.url)
  const session = openSession(e)
  const stream = session.request({ ':method': 'POST', ':path': '/', ':authority': 'hub.test' })
  stream.on('error', () => undefined).write('x')
  const [answer] = (await once(stream.resume(), 'response')) as [Record<string, unknown>]
  expect(answer[':status']).toBe(408)
  await (await target.connection(0)).ended()
})

test('a client that keeps taking requests back is sent away; the target hears of few', async () => {
  let asked = 0
  const { url } = await serve(() => (asked += 1))
  const e = await start(url, [])
  const session = await open(e)
  let goaway = -1
  session.once('goaway', (code: number) => (goaway = code))
  // As long as it takes: what is taken back before it was sent does not count.
  const endsAt = performance.now() + 12_000
  while (!session.closed && !session.destroyed && performance.now() < endsAt) {
    const streams = Array.from({ length: 25 }, () =>
      session.request({ ':path': '/' }).on('error', () => undefined),
    )
    await new Promise((resolve) => setImmediate(resolve))
    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL)
    await hearsAgain(session)
  }
  await vi.waitUntil(() => session.destroyed || session.closed, patience)
  // The reason can be lost where the client is still sending.
  expect([-1, constants.NGHTTP2_ENHANCE_YOUR_CALM]).toContain(goaway)
  expect(asked).toBeLessThan(1000)
  expect((await send(await open(e), { ':path': '/_chp_healthz' })) === 200).toBe(true)
})

test('connections of an address are limited before TLS begins', async () => {
  const { url } = await serve((_req, res) => void res.end('yes'))
  const e = await start(url, ['--max-connections-per-address', '1'])
  const first = await open(e)
  expect(await send(first, {})).toBe(200)
  const second = connect(e.url.replace('http:', 'https:'), { rejectUnauthorized: false })
  second.on('error', () => undefined)
  await new Promise((resolve) => second.once('close', resolve))
  expect(await send(first, {})).toBe(200)
  first.destroy()
  await vi.waitUntil(async () => {
    const again = connect(e.url.replace('http:', 'https:'), { rejectUnauthorized: false })
    cleanups.push(() => again.destroy())
    again.on('error', () => undefined)
    return (await send(again, {})) === 200
  }, patience)
})

test('requests beyond the first of a connection take a place of their own', async () => {
  const { url } = await serve((req, res) => void (req.url === '/hang' || res.end('yes')))
  const e = await start(url, ['--max-connections', '3', '--workers', '1'])
  const session = await open(e)
  const hanging = Array.from({ length: 3 }, () => session.request({ ':path': '/hang' }))
  for (const one of hanging) one.on('error', () => undefined)
  await hearsAgain(session)
  expect(await send(session, {})).toBe(0)
  hanging[0]?.close(constants.NGHTTP2_CANCEL)
  await vi.waitUntil(async () => (await send(session, {})) === 200, patience)
})
