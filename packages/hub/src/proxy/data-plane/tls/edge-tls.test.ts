import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https'
import type { RequestOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'
import { beforeEach, expect, test, vi } from 'vitest'
import { addRoute, cleanups, edge, serve, startProcess, temporaryFolder } from '../edge-test-kit.ts'
import type { CertificateFiles } from './certificate-store.ts'
import { hasOpenssl, makeCertificate } from './certificates-for-tests.ts'

const canMake = hasOpenssl()
let folder: string

beforeEach(async (context) => {
  if (!canMake) context.skip('no openssl on this machine')
  folder = await temporaryFolder()
})

const loopback = (name: string): CertificateFiles =>
  makeCertificate(folder, { name, names: ['localhost', 'IP:127.0.0.1'] })

interface Seen {
  readonly status: number | undefined
  readonly text: string
  readonly location: string | undefined
  readonly certificate: string | undefined
}

/** Asks by HTTPS, or by HTTP with a socket or for an `http:` URL. */
function ask(url: string, options: RequestOptions = {}): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest
    const sent = send(url, { agent: false, ...options }, (res) => {
      let text = ''
      const socket = res.socket as { getPeerCertificate?: () => { subject?: { CN?: unknown } } }
      const name = socket.getPeerCertificate?.().subject?.CN
      res.on('data', (chunk: Buffer) => (text += chunk.toString()))
      res.on('end', () =>
        resolve({
          status: res.statusCode,
          text,
          location: res.headers.location,
          certificate: typeof name === 'string' ? name : undefined,
        }),
      )
    })
    sent.on('error', reject).end()
  })
}

const anyCertificate = { rejectUnauthorized: false }

test('a certificate that is renewed on disk serves the next connection', async () => {
  const files = loopback('hub')
  const args = ['--ssl-key', files.keyPath, '--ssl-cert', files.certPath, '--redirect-port', '0']
  args.push('--redirect-to', '8443')
  const { url, log } = await startProcess(folder, args)
  const secure = `${url.replace('http:', 'https:')}/_chp_healthz`
  expect(await ask(secure, anyCertificate)).toMatchObject({ status: 200, certificate: 'hub' })
  const plain = `http://127.0.0.1:${/from port (\d+)/.exec(log())?.[1] ?? ''}/user/ada?x`
  expect((await ask(plain)).location).toBe('https://127.0.0.1:8443/user/ada?x')
  const renewed = loopback('renewed')
  copyFileSync(renewed.keyPath, files.keyPath)
  copyFileSync(renewed.certPath, files.certPath)
  await vi.waitUntil(async () => (await ask(secure, anyCertificate)).certificate === 'renewed', {
    timeout: 15_000,
    interval: 200,
  })
}, 30_000)

test('whose certificates clients may show is read again, and ends their sessions', async () => {
  const [hub, first, second] = [loopback('hub'), loopback('first'), loopback('second')]
  const caPath = join(folder, 'clients.crt')
  copyFileSync(first.certPath, caPath)
  const log = vi.fn()
  const side = { caPath, requestCert: true, rejectUnauthorized: true }
  const rest = { protocol: { settings: {} }, hasHttp2: false, hstsSeconds: 0 }
  const e = await edge({ tls: { files: [hub], side, ...rest }, log })
  let session: Buffer | undefined
  const visit = async ({ keyPath, certPath }: CertificateFiles, more: ConnectionOptions = {}) => {
    const own = { key: readFileSync(keyPath), cert: readFileSync(certPath) }
    const options = { ...anyCertificate, ...own, maxVersion: 'TLSv1.2' as const, ...more }
    const socket = connectTls({ port: e.port, host: '127.0.0.1', ...options })
    socket.on('session', (given) => (session = given)).on('error', () => undefined)
    socket.write('GET /_chp_healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    let got = ''
    socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
    await new Promise((resolve) => socket.once('close', resolve))
    return got.slice(9, 12)
  }
  expect([await visit(second), await visit(first)]).toEqual(['', '200'])
  const begun = session ?? Buffer.of()
  writeFileSync(caPath, 'none')
  const slowly = { timeout: 15_000, interval: 100 }
  const isRefused = () => log.mock.calls.some(([, text]) => /holds no cert/.test(String(text)))
  await vi.waitUntil(isRefused, slowly)
  expect(await visit(first, { session: begun })).toBe('200')
  copyFileSync(second.certPath, caPath)
  await vi.waitUntil(async () => (await visit(second)) === '200', slowly)
  expect([await visit(first), await visit(first, { session: begun })]).toEqual(['', ''])
}, 40_000)

test('the API asks the hub for its certificate, and for the token', async () => {
  const hub = loopback('hub-client')
  const api = loopback('api')
  const e = await edge({
    apiTls: { ...api, caPath: hub.certPath, requestCert: true, rejectUnauthorized: true },
  })
  const url = `https://127.0.0.1:${e.apiPort}/api/routes`
  const headers = { authorization: 'token secret' }
  const own = { key: readFileSync(hub.keyPath), cert: readFileSync(hub.certPath) }
  const ca = readFileSync(api.certPath)
  expect((await ask(url, { ca, ...own, headers })).status).toBe(200)
  expect((await ask(url, { ca, ...own })).status).toBe(403)
  await expect(ask(url, { ca, headers })).rejects.toThrow()
})

test('targets by https are checked, and shown our certificate', async () => {
  const target = loopback('target')
  const own = loopback('own')
  const server = createHttpsServer(
    {
      key: readFileSync(target.keyPath),
      cert: readFileSync(target.certPath),
      ca: readFileSync(own.certPath),
      requestCert: true,
      rejectUnauthorized: true,
    },
    (_req, res) => res.end('secret page'),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const to = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const side = { requestCert: false, rejectUnauthorized: true }
  const trusting = await edge({ clientTls: { ...side, ...own, caPath: target.certPath } })
  const strict = await edge({ clientTls: { ...side, ...own } })
  const nameless = await edge({ clientTls: { ...side, caPath: target.certPath } })
  const insecure = await edge({ clientTls: { ...side, ...own, rejectUnauthorized: false } })
  const statuses: unknown[] = []
  for (const e of [trusting, strict, nameless, insecure]) {
    await addRoute(e, '/', to)
    statuses.push((await ask(`http://127.0.0.1:${e.port}/`)).status)
  }
  expect(statuses).toEqual([200, 503, 503, 200])
})

test('files for targets and of the API are read again when they change, and broken ones are not used', async () => {
  const [target, own, api, renewed] = ['target', 'own', 'api', 'renewed'].map(loopback)
  if (!target || !own || !api || !renewed) throw new TypeError('four were made')
  const tls = { key: readFileSync(target.keyPath), cert: readFileSync(target.certPath) }
  const server = createHttpsServer(tls, (_req, res) => res.end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const caPath = join(folder, 'ca.crt')
  copyFileSync(own.certPath, caPath) // not the target's
  const log = vi.fn()
  const side = { requestCert: false, rejectUnauthorized: true }
  const e = await edge({ clientTls: { ...side, ...own, caPath }, apiTls: { ...side, ...api }, log })
  const headers = { authorization: 'token secret' }
  const apiUrl = `https://127.0.0.1:${e.apiPort}/api/routes`
  const askApi = () => ask(apiUrl, { ...anyCertificate, headers })
  const body = JSON.stringify({
    target: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
  })
  const sent = httpsRequest(`${apiUrl}/`, { ...anyCertificate, headers, method: 'POST' })
  const [added] = (await once(sent.end(body), 'response')) as [{ statusCode: number }]
  expect(added.statusCode).toBe(201)
  const status = async () => (await ask(`http://127.0.0.1:${e.port}/`)).status
  expect([await status(), (await askApi()).certificate]).toEqual([503, 'api'])

  copyFileSync(target.certPath, caPath)
  copyFileSync(renewed.keyPath, api.keyPath)
  copyFileSync(renewed.certPath, api.certPath)
  const slowly = { timeout: 15_000, interval: 100 }
  await vi.waitUntil(async () => (await status()) === 200, slowly)
  await vi.waitUntil(async () => (await askApi()).certificate === 'renewed', slowly)
  writeFileSync(own.keyPath, 'none')
  await vi.waitUntil(
    () => log.mock.calls.some(([, text]) => String(text).includes('not used')),
    slowly,
  )
  expect(await status()).toBe(200)
}, 60_000)

test('Unix sockets serve both sides; one that was left behind is replaced', async () => {
  const target = await serve((_req, res) => void res.end('target'))
  const file = join(folder, 'file')
  writeFileSync(file, 'of somebody')
  const at = (socketPath: string) => ({ ip: undefined, port: 0, socketPath })
  const open = (path: string) =>
    edge({
      publicListen: at(path),
      apiListen: at(join(folder, 'api')),
      defaultTarget: target.url,
    })
  await expect(open(file)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  expect(readFileSync(file, 'utf8')).toBe('of somebody')

  const socketPath = join(folder, 'public')
  const left = `require('net').createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 'SIGKILL'))`
  expect(spawnSync(process.execPath, ['-e', left]).signal).toBe('SIGKILL')
  expect(existsSync(socketPath)).toBe(true)
  await open(socketPath)
  expect(await ask('http://x/', { socketPath })).toMatchObject({ text: 'target' })
  const headers = { authorization: 'token secret' }
  const api = { socketPath: join(folder, 'api'), headers }
  expect((await ask('http://x/api/routes', api)).text).toContain(target.url)
  await expect(open(socketPath)).rejects.toMatchObject({ code: 'EADDRINUSE' })
})
