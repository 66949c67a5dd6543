import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { afterEach, expect, test, vi } from 'vitest'
import { freePort } from '../support/ports.ts'

/** JupyterHub from PyPI, unmodified, with our edge as its `ConfigurableHTTPProxy.command`. */
const root = fileURLToPath(new URL('../../../..', import.meta.url))
const main = join(root, 'packages/hub/src/main.ts')
const program = [join(root, '.orrery/venv/bin'), ...(process.env['PATH'] ?? '').split(delimiter)]
  .filter((folder) => existsSync(join(folder, 'jupyterhub-singleuser')))
  .map((folder) => join(folder, 'jupyterhub'))
  .find((path) => existsSync(path) && readFileSync(path, 'latin1').includes('python'))
const token = 'jupyterhub-test-token-0123456789'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

test.skipIf(program === undefined)(
  'JupyterHub starts the edge as its proxy, starts a server, routes to it and stops it',
  async () => {
    const hub = await startJupyterHub()
    const api = (path: string, method = 'GET'): Promise<Response> =>
      fetch(`${hub.url}/hub/api${path}`, { method, headers: { Authorization: `token ${token}` } })
    const routes = async (): Promise<object> => {
      const headers = { Authorization: 'token proxy-secret' }
      return (await (await fetch(`${hub.apiUrl}/api/routes`, { headers })).json()) as object
    }
    expect(Object.keys(await routes())).toEqual(['/'])
    expect((await api('/users/ada', 'POST')).status).toBe(201)
    expect([201, 202]).toContain((await api('/users/ada/server', 'POST')).status)
    const own = (path: string): Promise<Response> =>
      fetch(`${hub.url}/user/ada${path}`, { headers: { Authorization: `token ${token}` } })
    const answers = async (): Promise<boolean> => (await own('/api/status')).status === 200
    await vi.waitUntil(answers, { timeout: 60_000, interval: 250 })
    expect(Object.keys(await routes()).toSorted()).toEqual(['/', '/user/ada'])
    expect(await (await own('/api/status')).json()).toHaveProperty('started')
    expect([202, 204]).toContain((await api('/users/ada/server', 'DELETE')).status)
    const isAway = async (): Promise<boolean> => !('/user/ada' in (await routes()))
    await vi.waitUntil(isAway, { timeout: 30_000, interval: 100 })
  },
  120_000,
)

test.skipIf(program === undefined)(
  'with internal_ssl JupyterHub and the edge talk, and the edge reaches servers, by certificates only',
  async () => {
    const hub = await startJupyterHub({ internalSsl: true })
    const files = (name: string): string => join(hub.folder, 'internal-ssl', name)
    const connect = {
      key: readFileSync(files('hub-internal/hub-internal.key')),
      cert: readFileSync(files('hub-internal/hub-internal.crt')),
      ca: readFileSync(files('hub-ca_trust.crt')),
    }
    const dispatcher = new Agent({ connect })
    cleanups.push(() => dispatcher.destroy())
    const headers = { authorization: 'token proxy-secret' }
    const routes = async (): Promise<Record<string, { target: string }>> => {
      const answer = await request(`${hub.apiUrl}/api/routes`, { dispatcher, headers })
      return (await answer.body.json()) as Record<string, { target: string }>
    }
    const noCertificate = new Agent({ connect: { ca: connect.ca } })
    cleanups.push(() => noCertificate.destroy())
    await expect(
      request(`${hub.apiUrl}/api/routes`, { dispatcher: noCertificate, headers }),
    ).rejects.toThrow()
    const api = (path: string, method = 'GET'): Promise<Response> =>
      fetch(`${hub.url}/hub/api${path}`, { method, headers: { Authorization: `token ${token}` } })
    expect((await api('/users/ada', 'POST')).status).toBe(201)
    expect([201, 202]).toContain((await api('/users/ada/server', 'POST')).status)
    const answers = async (): Promise<boolean> => {
      const own = { headers: { Authorization: `token ${token}` } }
      return (await fetch(`${hub.url}/user/ada/api/status`, own)).status === 200
    }
    await vi.waitUntil(answers, { timeout: 60_000, interval: 250 })
    const { '/': root, '/user/ada': server } = await routes()
    expect(root?.target).toMatch(/^https:/)
    expect(server?.target).toMatch(/^https:/)
    // A dead target: the page comes from the hub's error target, by HTTPS.
    const body = JSON.stringify({ target: 'https://127.0.0.1:9' })
    const path = `${hub.apiUrl}/api/routes/dead`
    expect((await request(path, { dispatcher, headers, method: 'POST', body })).statusCode).toBe(
      201,
    )
    const dead = await fetch(`${hub.url}/dead/x`)
    expect(dead.status).toBe(503)
    expect(await dead.text()).toContain('JupyterHub')
  },
  120_000,
)

interface RunningJupyterHub {
  readonly folder: string
  readonly url: string
  readonly apiUrl: string
}

async function startJupyterHub({ internalSsl = false } = {}): Promise<RunningJupyterHub> {
  const folder = await mkdtemp(join(tmpdir(), 'orrery-jupyterhub-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const [port, apiPort, hubPort] = [await freePort(), await freePort(), await freePort()]
  const apiUrl = `${internalSsl ? 'https' : 'http'}://127.0.0.1:${apiPort}`
  await writeFile(
    join(folder, 'jupyterhub_config.py'),
    `
c.JupyterHub.bind_url = 'http://127.0.0.1:${port}'
c.JupyterHub.hub_port = ${hubPort}
c.ConfigurableHTTPProxy.command = ${JSON.stringify([process.execPath, main, 'edge'])}
c.ConfigurableHTTPProxy.api_url = '${apiUrl}'
c.JupyterHub.internal_ssl = ${internalSsl ? 'True' : 'False'}
c.JupyterHub.internal_certs_location = '${folder}/internal-ssl'
c.ConfigurableHTTPProxy.auth_token = 'proxy-secret'
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.spawner_class = 'simple'
c.SimpleLocalProcessSpawner.home_dir_template = '${folder}/{username}'
c.Spawner.args = ['--allow-root']
c.Authenticator.allow_all = True
c.JupyterHub.services = [{'name': 'test', 'api_token': '${token}'}]
c.JupyterHub.load_roles = [{'name': 'test', 'services': ['test'],
  'scopes': ['admin:users', 'admin:servers', 'access:servers']}]
`,
  )
  const env = {
    ...process.env,
    PATH: `${dirname(program ?? '')}${delimiter}${process.env['PATH'] ?? ''}`,
  }
  const child = spawn(program ?? '', [], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  cleanups.push(() => stop(child))
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (log += chunk.toString()))
  }
  const url = `http://127.0.0.1:${port}`
  const isUp = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`JupyterHub ended:\n${log.slice(-3000)}`)
    return (await fetch(`${url}/hub/api/`).catch(() => undefined))?.status === 200
  }
  await vi.waitUntil(isUp, { timeout: 60_000, interval: 250 })
  return { folder, url, apiUrl }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000)
  await ended
  clearTimeout(timer)
}
