import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { Agent, request } from 'undici'
import { afterEach, expect, test } from 'vitest'
import { TestInstallation, tinyHubConfig } from '../support/hub-process.ts'

/** `JupyterHub.bind_url` and `ConfigurableHTTPProxy.api_url` as Unix sockets, with real processes. */
const chp = join(
  dirname(createRequire(import.meta.url).resolve('configurable-http-proxy/package.json')),
  'bin/configurable-http-proxy',
)
const token = 'socket-test-token-0123456789'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function install(proxy: Readonly<Record<string, unknown>> = {}): Promise<TestInstallation> {
  const orrery = await TestInstallation.create({
    sockets: true,
    homes: true,
    config: {
      ...tinyHubConfig(token),
      ConfigurableHTTPProxy: { auth_token: 'proxy-secret', check_running_interval: 1, ...proxy },
    },
  })
  cleanups.push(() => orrery.destroy())
  return orrery
}

async function startServer(orrery: TestInstallation): Promise<void> {
  await orrery.api('/users/ada/server', { token, method: 'POST' })
  await orrery.until(async () => {
    const { body } = await orrery.api('/users/ada', { token })
    return JSON.stringify(body).includes('"ready":true')
  })
}

test('the link for the first administrator is none to a socket', async () => {
  const orrery = await TestInstallation.create({ sockets: true, config: {} })
  cleanups.push(() => orrery.destroy())
  await orrery.start()
  expect(orrery.output).toMatch(/ running at http\+unix:\/\/%2F/)
  expect(orrery.output).toMatch(/^ +https:\/\/ADDRESS-OF-THIS-HUB\/hub\/\S+$/m)
})

/** Status of the server's page, and the routes that the API lists. */
async function look(orrery: TestInstallation): Promise<{ page: number; routes: string }> {
  const page = await ask(orrery.socketPath('public'), '/user/ada/')
  const list = await ask(orrery.socketPath('api'), '/api/routes')
  return { page: page.status, routes: list.text }
}

async function ask(
  socketPath: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; text: string; location: string }> {
  const dispatcher = new Agent({ connect: { socketPath } })
  try {
    const answer = await request(`http://hub.example${path}`, {
      dispatcher,
      headers: { authorization: 'token proxy-secret', ...headers },
    })
    const text = await answer.body.text()
    return { status: answer.statusCode, text, location: String(answer.headers['location'] ?? '') }
  } catch {
    return { status: 0, text: '', location: '' }
  } finally {
    await dispatcher.destroy()
  }
}

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

test('the edge serves on sockets; a killed hub takes it over, and a killed edge comes back', async () => {
  const orrery = await install()
  await orrery.start()
  expect(await modeOf(orrery.socketPath('public'))).toBe(0o770)
  expect(await modeOf(orrery.socketPath('api'))).toBe(0o600)
  await startServer(orrery)
  const before = await look(orrery)
  expect(before.page).toBe(200)
  expect(before.routes).toContain('/user/ada')

  // As nginx sends it that ends TLS in front.
  const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.9' }
  const seen = await ask(orrery.socketPath('public'), '/user/ada/headers', forwarded)
  expect(seen.text).toContain('https,http')
  expect(seen.text).toContain('203.0.113.9,127.0.0.1')

  const edge = orrery.edgePid()
  await orrery.kill()
  expect((await look(orrery)).page).toBe(200)
  await orrery.start()
  expect(orrery.edgePid()).toBe(edge)

  process.kill(edge ?? 0, 'SIGKILL')
  await orrery.until(async () => (await look(orrery)).page === 200)
  expect(orrery.edgePid()).not.toBe(edge)
}, 120_000)

test('a socket that another program listens on stays with it, and the hub says so', async () => {
  const orrery = await install()
  const other = createServer((socket) => socket.destroy())
  other.listen(orrery.socketPath('public'))
  await once(other, 'listening')
  cleanups.push(async () => void other.close())
  await orrery.start({ wait: false })
  expect(await orrery.exited()).toBe(1)
  expect(orrery.output).toMatch(/public\.sock is taken by another program/)
}, 60_000)

test('configurable-http-proxy serves on sockets, and comes back after a kill', async () => {
  const orrery = await install({ command: [process.execPath, chp] })
  await orrery.start()
  await startServer(orrery)
  expect((await look(orrery)).page).toBe(200)
  process.kill(orrery.edgePid('proxy') ?? 0, 'SIGKILL')
  await orrery.until(async () => (await look(orrery)).page === 200)
}, 120_000)
