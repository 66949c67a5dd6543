import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { TestInstallation } from '../support/hub-process.ts'
import { findPythonWith } from '../support/python.ts'

const python = findPythonWith('jupyterhub_idle_culler', 'jupyterhub')
const tinyServer = fileURLToPath(new URL('../support/tiny-server.mjs', import.meta.url))
const token = 'idle-culler-test-token-0123456789'
let orrery: TestInstallation | undefined
vi.setConfig({ testTimeout: 90_000 }) // a whole hub, and a server that has to idle for a while

beforeEach((context) => {
  if (python === undefined) context.skip('no Python with jupyterhub-idle-culler on the PATH')
})
afterEach(() => orrery?.destroy())

interface UserModel {
  readonly servers?: Readonly<Record<string, { readonly ready: boolean }>>
}

async function serversOf(hub: TestInstallation, name: string): Promise<string[]> {
  const { body } = await hub.api(`/users/${name}`, { token })
  return Object.keys((body as UserModel).servers ?? {})
}

test('jupyterhub-idle-culler, run by the hub, stops an idle server and leaves a busy one', async () => {
  const hub = await TestInstallation.create({
    homes: true,
    config: {
      JupyterHub: {
        spawner_class: 'simple',
        authenticator_class: 'dummy',
        api_tokens: { [token]: 'ada' },
        activity_resolution: 0,
        services: [
          {
            name: 'idle-culler',
            command: [
              python,
              '-m',
              'jupyterhub_idle_culler',
              '--timeout=5',
              '--cull-every=1',
              '--concurrency=2',
            ],
          },
        ],
        load_roles: [
          {
            name: 'idle-culler',
            scopes: ['list:users', 'read:users:activity', 'read:servers', 'delete:servers'],
            services: ['idle-culler'],
          },
        ],
      },
      Authenticator: { admin_users: ['ada'] },
      Spawner: { cmd: [process.execPath, tinyServer] },
    },
  })
  orrery = hub
  await hub.start()
  for (const name of ['idle', 'busy']) {
    const created = await hub.api(`/users/${name}`, { token, method: 'POST' })
    expect(created.status).toBe(201)
    const started = await hub.api(`/users/${name}/server`, { token, method: 'POST' })
    expect(started.status).toBe(201)
  }
  await hub.until(async () => {
    const now = new Date().toISOString()
    const body = { last_activity: now, servers: { '': { last_activity: now } } }
    await hub.api('/users/busy/activity', { token, method: 'POST', body })
    return (await serversOf(hub, 'idle')).length === 0
  })
  expect(await serversOf(hub, 'busy')).toEqual([''])
  expect(hub.output).toContain('[idle-culler]')
})
