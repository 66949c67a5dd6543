import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { TestInstallation } from '../support/hub-process.ts'

/** An unmodified configurable-http-proxy, from npm, in place of the edge. */
const program = join(
  dirname(createRequire(import.meta.url).resolve('configurable-http-proxy/package.json')),
  'bin/configurable-http-proxy',
)
const token = 'proxy-test-token-0123456789'
const authToken = 'proxy-secret'
const tinyServer = fileURLToPath(new URL('../support/tiny-server.mjs', import.meta.url))

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function install(proxy: Readonly<Record<string, unknown>>): Promise<TestInstallation> {
  const orrery = await TestInstallation.create({
    config: {
      JupyterHub: {
        spawner_class: 'simple',
        authenticator_class: 'dummy',
        api_tokens: { [token]: 'ada' },
        cleanup_servers: false,
        cleanup_proxy: false,
        last_activity_interval: 1,
      },
      Authenticator: { admin_users: ['ada'] },
      Spawner: { cmd: [process.execPath, tinyServer] },
      ConfigurableHTTPProxy: { auth_token: authToken, check_running_interval: 1, ...proxy },
    },
    homes: true,
  })
  cleanups.push(() => orrery.destroy())
  return orrery
}

interface ListedRoute {
  readonly target?: string
  readonly last_activity?: string
}

async function listRoutes(orrery: TestInstallation): Promise<Record<string, ListedRoute>> {
  const answer = await routes(orrery, 'GET', '')
  return (await answer.json()) as Record<string, ListedRoute>
}

function routes(orrery: TestInstallation, method: string, path: string, body?: object) {
  return fetch(`http://127.0.0.1:${orrery.edgeApiPort}/api/routes${path}`, {
    method,
    headers: { Authorization: `token ${authToken}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

/** Whether the server of ada answers through the proxy. */
async function isReachable(orrery: TestInstallation): Promise<boolean> {
  const answer = await fetch(`${orrery.url}/user/ada/x`, { redirect: 'manual' }).catch(() => null)
  if (answer?.status !== 200) return false
  return (await answer.text()).includes('/user/ada/x')
}

async function startServer(orrery: TestInstallation): Promise<void> {
  const { status } = await orrery.api('/users/ada/server', { token, method: 'POST' })
  expect(status).toBe(201)
}

function runProxy(orrery: TestInstallation): ChildProcess {
  const flags = ['--ip=127.0.0.1', `--port=${orrery.port}`, '--api-ip=127.0.0.1']
  const child = spawn(process.execPath, [program, ...flags, `--api-port=${orrery.edgeApiPort}`], {
    stdio: 'ignore',
    env: { ...process.env, CONFIGPROXY_AUTH_TOKEN: authToken },
  })
  cleanups.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}

async function untilListening(orrery: TestInstallation): Promise<void> {
  await orrery.until(async () => (await routes(orrery, 'GET', '').catch(() => null))?.ok === true)
}

test('the hub starts it, routes servers over it, and a 201 means that the route is there', async () => {
  const orrery = await install({ command: [process.execPath, program] })
  await orrery.start()
  await startServer(orrery)
  expect(await isReachable(orrery)).toBe(true)
  expect(Object.keys(await listRoutes(orrery)).toSorted()).toEqual(['/', '/hub', '/user/ada'])
  await orrery.api('/users/ada/server', { token, method: 'DELETE' })
  await orrery.until(async () => !Object.hasOwn(await listRoutes(orrery), '/user/ada'))
})

test('what others change in its table is repaired; what others own is left alone', async () => {
  const orrery = await install({ command: [process.execPath, program] })
  await orrery.start()
  await startServer(orrery)
  const target = 'http://127.0.0.1:9'
  await routes(orrery, 'DELETE', '/user/ada')
  await routes(orrery, 'POST', '/user/gone', { target, jupyterhub: true })
  await routes(orrery, 'POST', '/theirs', { target })
  await orrery.until(async () => {
    const listed = await listRoutes(orrery)
    return Object.hasOwn(listed, '/user/ada') && !Object.hasOwn(listed, '/user/gone')
  })
  expect(await isReachable(orrery)).toBe(true)
  await routes(orrery, 'POST', '/user/ada', { target, jupyterhub: true })
  await orrery.until(() => isReachable(orrery))
  expect(await listRoutes(orrery)).toHaveProperty('/theirs')
})

test('killed it is started again with all routes; killed the hub takes it over', async () => {
  const orrery = await install({ command: [process.execPath, program] })
  await orrery.start()
  await startServer(orrery)
  const first = orrery.edgePid('proxy') ?? 0
  process.kill(first, 'SIGKILL')
  await orrery.until(() => isReachable(orrery))
  const second = orrery.edgePid('proxy')
  expect(second).not.toBe(first)
  await orrery.kill()
  expect(await isReachable(orrery)).toBe(true)
  await orrery.start()
  expect(orrery.edgePid('proxy')).toBe(second)
  expect(await isReachable(orrery)).toBe(true)
})

test('run apart from the hub it is followed through a restart, and its activity is taken over', async () => {
  const orrery = await install({ should_start: false })
  const first = runProxy(orrery)
  await untilListening(orrery)
  await orrery.start()
  await startServer(orrery)
  const before = Date.now()
  expect(await isReachable(orrery)).toBe(true)
  await orrery.until(async () => {
    const { body } = await orrery.api('/users/ada/server', { token, direct: true })
    const { last_activity: at } = body as { last_activity: string | null }
    return at !== null && Date.parse(at) >= before - 1
  })
  first.kill('SIGKILL')
  await once(first, 'exit')
  runProxy(orrery)
  await orrery.until(() => isReachable(orrery))
})

test('without a proxy, or with another token, the start ends with 1 and says what to do', async () => {
  const orrery = await install({ should_start: false })
  await orrery.start({ wait: false })
  expect(await orrery.exited()).toBe(1)
  expect(orrery.output).toMatch(/The proxy cannot be used: .* ConfigurableHTTPProxy\.api_url/)
  const other = await install({ should_start: false, auth_token: 'another-secret' })
  runProxy(other)
  await other.until(async () => (await routes(other, 'GET', '').catch(() => null)) !== null)
  await other.start({ wait: false })
  expect(await other.exited()).toBe(1)
  expect(other.output).toMatch(/refuses the token.*CONFIGPROXY_AUTH_TOKEN/)
})
