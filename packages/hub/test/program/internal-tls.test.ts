import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect as connectTcp, type Socket } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { afterEach, expect, test } from 'vitest'
import { TestInstallation } from '../support/hub-process.ts'
import { freePort } from '../support/ports.ts'
import { WebClient } from '../support/web-client.ts'

/** `JupyterHub.internal_ssl` with real processes: hub, edge or configurable-http-proxy, servers. */
const token = 'internal-tls-token-0123456789'
const tinyServer = fileURLToPath(new URL('../support/tiny-server.mjs', import.meta.url))
const tinyService = fileURLToPath(new URL('../support/tiny-service.mjs', import.meta.url))
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const chp = join(
  dirname(createRequire(import.meta.url).resolve('configurable-http-proxy/package.json')),
  'bin/configurable-http-proxy',
)
const hasJupyter = (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
  try {
    accessSync(join(folder, 'jupyterhub-singleuser'))
    return true
  } catch {
    return false
  }
})

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>

async function install(more: Sections = {}): Promise<TestInstallation> {
  const orrery = await TestInstallation.create({
    homes: true,
    config: {
      Spawner: { cmd: [process.execPath, tinyServer] },
      ...more,
      JupyterHub: {
        internal_ssl: true,
        spawner_class: 'simple',
        authenticator_class: 'dummy',
        api_tokens: { [token]: 'ada' },
        cleanup_servers: false,
        cleanup_proxy: false,
        ...more['JupyterHub'],
      },
      Authenticator: { admin_users: ['ada'], allow_all: true },
    },
  })
  cleanups.push(() => orrery.destroy())
  return orrery
}

async function startServer(orrery: TestInstallation): Promise<void> {
  expect([201, 202]).toContain(
    (await orrery.api('/users/ada/server', { token, method: 'POST' })).status,
  )
  await orrery.until(async () => (await serverOf(orrery)).ready)
}

interface ServerModel {
  readonly ready: boolean
  readonly state: { readonly port: number; readonly pid: number }
}

async function serverOf(orrery: TestInstallation): Promise<ServerModel> {
  const { body } = await orrery.api('/users/ada', { token })
  const { servers } = body as { servers: Record<string, ServerModel> }
  return servers[''] ?? { ready: false, state: { port: 0, pid: 0 } }
}

/** The status through the proxy; 0 when there is no answer. */
async function statusOf(orrery: TestInstallation, path: string): Promise<number> {
  const headers = { Authorization: `token ${token}`, Connection: 'close' }
  const answer = await fetch(`${orrery.url}${path}`, { headers }).catch(() => undefined)
  await answer?.body?.cancel()
  return answer?.status ?? 0
}

const certificateFile = (orrery: TestInstallation, name: string) =>
  readFileSync(join(orrery.folder, 'internal-ssl', name), 'utf8')

function materialOf(orrery: TestInstallation) {
  return {
    key: certificateFile(orrery, 'hub-internal/hub-internal.key'),
    cert: certificateFile(orrery, 'hub-internal/hub-internal.crt'),
    ca: certificateFile(orrery, 'hub-ca_trust.crt'),
  }
}

/** Whether it answers at all. */
async function isOpenTo(url: string, connect: object): Promise<boolean> {
  const dispatcher = new Agent({ connect })
  try {
    const answer = await request(url, { dispatcher, signal: AbortSignal.timeout(5_000) })
    await answer.body.dump()
    return true
  } catch {
    return false
  } finally {
    await dispatcher.destroy()
  }
}

async function expectMutualTls(orrery: TestInstallation, port: number): Promise<void> {
  const { key, cert, ca } = materialOf(orrery)
  const url = `https://127.0.0.1:${port}/`
  expect(await isOpenTo(url, { key, cert, ca })).toBe(true)
  expect(await isOpenTo(url, { ca })).toBe(false)
  expect(await isOpenTo(url.replace('https:', 'http:'), {})).toBe(false)
}

async function openWebSocket(orrery: TestInstallation, path: string): Promise<Socket> {
  const socket = connectTcp(orrery.port, '127.0.0.1').on('error', () => undefined)
  cleanups.push(() => socket.destroy())
  let got = ''
  socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
  const lines = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13']
  lines.push('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', `Authorization: token ${token}`)
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${orrery.port}\r\n${lines.join('\r\n')}\r\n\r\n`,
  )
  await orrery.until(() => got.includes('\r\n\r\n'))
  expect(got).toContain('HTTP/1.1 101')
  return socket
}

test.skipIf(!hasJupyter)(
  'JupyterLab is reached by log-in, and through it all a hub and an edge that are killed (needs jupyterhub-singleuser)',
  async () => {
    const orrery = await install({
      Spawner: { cmd: ['jupyterhub-singleuser'], args: ['--allow-root'] },
      Orrery: { edge_args: ['--workers=2'] },
    })
    await orrery.start()
    await startServer(orrery)
    const client = new WebClient(orrery.url)
    cleanups.push(() => client.close())
    const lab = await client.login('ada', '', '/user/ada/lab')
    expect(lab).toMatchObject({ status: 200, url: '/user/ada/lab' })
    expect(lab.text).toContain('<title>JupyterLab</title>')
    await orrery.until(() => /200 POST \/hub\/api\/users\/ada\/activity/.test(orrery.output))
    const { port } = (await serverOf(orrery)).state
    await expectMutualTls(orrery, port)
    await expectMutualTls(orrery, orrery.hubPort)
    await expectMutualTls(orrery, orrery.edgeApiPort)
    const socket = await openWebSocket(orrery, '/user/ada/api/events/subscribe')

    const authority = certificateFile(orrery, 'hub-ca/hub-ca.crt')
    await orrery.kill()
    await orrery.start()
    expect(await client.get('/user/ada/lab')).toMatchObject({ status: 200, url: '/user/ada/lab' })
    expect(socket.destroyed).toBe(false)
    process.kill(orrery.edgePid() ?? 0, 'SIGKILL')
    await once(socket, 'close')
    await orrery.until(async () => (await statusOf(orrery, '/user/ada/api/status')) === 200)
    await openWebSocket(orrery, '/user/ada/api/events/subscribe')
    expect(certificateFile(orrery, 'hub-ca/hub-ca.crt')).toBe(authority)
    expect(await client.get('/hub/home')).toMatchObject({ status: 200, url: '/hub/home' })
  },
  120_000,
)

test('an unmodified configurable-http-proxy is driven by certificate, and recovers', async () => {
  const orrery = await install({ ConfigurableHTTPProxy: { command: [process.execPath, chp] } })
  await orrery.start()
  await startServer(orrery)
  expect(await statusOf(orrery, '/user/ada/x')).toBe(200)
  await expectMutualTls(orrery, orrery.edgeApiPort)
  const first = orrery.edgePid('proxy') ?? 0
  process.kill(first, 'SIGKILL')
  await orrery.until(async () => (await statusOf(orrery, '/user/ada/x')) === 200)
  expect(orrery.edgePid('proxy')).not.toBe(first)
}, 60_000)

test('a service reaches the hub, and is reached by HTTPS, with the certificate that it is given', async () => {
  const port = await freePort()
  const orrery = await install({
    JupyterHub: {
      services: [
        {
          name: 'tiny',
          url: `https://127.0.0.1:${port}`,
          command: [process.execPath, tinyService, '.'],
          oauth_no_confirm: true,
        },
      ],
    },
  })
  await orrery.start()
  await orrery.until(() => orrery.output.includes('service answers'))
  // The edge may hear of its route a moment later.
  await orrery.until(async () => (await statusOf(orrery, '/services/tiny/x')) === 200)
  await expectMutualTls(orrery, port)
  const facts = readFileSync(join(orrery.folder, 'tiny.json'), 'utf8')
  const { env } = JSON.parse(facts) as { env: Record<string, string> }
  expect(env['JUPYTERHUB_API_URL']).toBe(`https://127.0.0.1:${orrery.hubPort}/hub/api`)
  expect(statSync(env['JUPYTERHUB_SSL_KEYFILE'] ?? '').mode & 0o777).toBe(0o600)
  const read = (name: string) => readFileSync(env[name] ?? '', 'utf8')
  const connect = {
    key: read('JUPYTERHUB_SSL_KEYFILE'),
    cert: read('JUPYTERHUB_SSL_CERTFILE'),
    ca: read('JUPYTERHUB_SSL_CLIENT_CA'),
  }
  expect(await isOpenTo(`https://127.0.0.1:${orrery.hubPort}/hub/api`, connect)).toBe(true)
}, 60_000)

test('certificates are made without a start, and used by the start; commands find them', async () => {
  const orrery = await install()
  const run = (...args: string[]) =>
    execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], {
      cwd: orrery.folder,
      encoding: 'utf8',
      stdio: 'pipe',
    })
  run('hub', '--generate-certs')
  const authority = certificateFile(orrery, 'hub-ca/hub-ca.crt')
  expect(readdirSync(orrery.folder).toSorted()).toEqual(['internal-ssl', 'jupyterhub_config.json'])
  await orrery.start()
  expect(certificateFile(orrery, 'hub-ca/hub-ca.crt')).toBe(authority)
  expect(run('users', 'list', '--data-dir', orrery.dataDir)).toContain('ada')
}, 60_000)
