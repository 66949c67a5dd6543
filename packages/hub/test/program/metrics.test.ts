import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { TestInstallation } from '../support/hub-process.ts'

const token = 'metrics-test-token-0123456789'
const tinyServer = fileURLToPath(new URL('../support/tiny-server.mjs', import.meta.url))
let orrery: TestInstallation | undefined

afterEach(() => orrery?.destroy())

async function install(settings: Readonly<Record<string, unknown>> = {}) {
  orrery = await TestInstallation.create({
    homes: true,
    config: {
      JupyterHub: {
        spawner_class: 'simple',
        authenticator_class: 'dummy',
        api_tokens: { [token]: 'ada' },
        cleanup_servers: true,
        ...settings,
      },
      Authenticator: { admin_users: ['ada'] },
      Spawner: { cmd: [process.execPath, tinyServer] },
    },
  })
  await orrery.start()
  return orrery
}

async function scrape(hub: TestInstallation): Promise<string> {
  const { status, body } = await hub.api('/metrics', { token })
  expect(status).toBe(200)
  return String(body)
}

/** The value of a series; 0 when it is not there. */
function valueOf(text: string, series: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `))
  return line === undefined ? 0 : Number(line.slice(series.length + 1))
}

test('metrics measure what the hub does', async () => {
  const hub = await install()
  const calls: [method: string, path: string][] = [
    ['GET', '/users/nobody'],
    ['POST', '/proxy'],
    ['POST', '/users/ada/server'],
  ]
  for (const [method, path] of calls) await hub.api(path, { token, method })
  await hub.until(
    async () => valueOf(await scrape(hub), `${spawn}{status="success",reason=""}`) === 1,
  )
  const running = await scrape(hub)
  expect(valueOf(running, 'jupyterhub_running_servers')).toBe(1)
  expect(valueOf(running, 'jupyterhub_total_users')).toBe(1)
  expect(valueOf(running, 'jupyterhub_proxy_add_duration_seconds_count{status="success"}')).toBe(1)
  expect(valueOf(running, 'jupyterhub_check_routes_duration_seconds_count')).toBe(1)
  expect(valueOf(running, 'jupyterhub_hub_startup_duration_seconds_count')).toBe(1)
  expect(valueOf(running, 'jupyterhub_init_spawners_duration_seconds_count')).toBe(1)
  const notFound = 'method="GET",handler="/hub/api/users/:name",code="404"'
  expect(valueOf(running, `jupyterhub_request_duration_seconds_count{${notFound}}`)).toBe(1)
  expect(running).not.toContain('nobody')

  await hub.api('/users/ada/server', { token, method: 'DELETE' })
  const stop = 'jupyterhub_server_stop_seconds_count{status="success"}'
  await hub.until(async () => valueOf(await scrape(hub), stop) === 1)
  const stopped = await scrape(hub)
  expect(valueOf(stopped, 'jupyterhub_running_servers')).toBe(0)
  expect(valueOf(stopped, 'jupyterhub_proxy_delete_duration_seconds_count{status="success"}')).toBe(
    1,
  )
  const active = 'jupyterhub_active_users{period="24h"}'
  await hub.until(async () => valueOf(await scrape(hub), active) === 1) // written once a second
})

const spawn = 'jupyterhub_server_spawn_duration_seconds_count'

test('metrics are for those with the scope, unless the operator opens them', async () => {
  const hub = await install()
  const created = await hub.api('/users/ada/tokens', {
    token,
    method: 'POST',
    body: { scopes: [] },
  })
  const poor = (created.body as { token: string }).token
  for (const path of ['/hub/metrics', '/hub/api/metrics']) {
    const answers = await Promise.all(
      [{}, { authorization: `token ${poor}` }, { authorization: `token ${token}` }].map((headers) =>
        fetch(`${hub.url}${path}`, { headers: { ...headers, connection: 'close' } }),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 200])
    const types = answers.map(({ headers }) => headers.get('content-type'))
    expect(types).toEqual([
      expect.stringContaining('text/html'),
      expect.stringContaining('text/html'),
      expect.stringMatching(/^text\/plain; version=/),
    ])
    for (const answer of answers) await answer.body?.cancel()
    const head = await fetch(`${hub.url}${path}`, { method: 'HEAD' })
    expect(head.status).toBe(405)
  }
  await hub.destroy()
  const open = await install({ authenticate_prometheus: false })
  const answer = await fetch(`${open.url}/hub/metrics`)
  expect(answer.status).toBe(200)
  expect(await answer.text()).toContain('jupyterhub_total_users 1')
})
