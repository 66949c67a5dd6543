import { accessSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { expect, it } from 'vitest'
import { createProcessSpawner } from './process-spawner.ts'
import { listRunProcesses } from './run-processes.ts'
import { makeContext, makeRequest } from './test-support.ts'

const never = new AbortController().signal
const path = process.env['PATH'] ?? ''
const isInstalled = path.split(delimiter).some((folder) => {
  try {
    accessSync(join(folder, 'jupyterhub-singleuser'))
    return true
  } catch {
    return false
  }
})

// The hub here is not real: it answers the version probe only. What is real is the server, its
// environment, its port, a kernel of it, and that nothing is left.
const title = 'jupyterhub-singleuser from PyPI starts, answers, and leaves no kernel behind'
it.skipIf(!isInstalled)(
  `${title} (needs jupyterhub-singleuser on PATH)`,
  async () => {
    const hub = createServer((_request, response) => {
      response.writeHead(200, {
        'X-JupyterHub-Version': '6.0.0',
        'Content-Type': 'application/json',
      })
      response.end('{"version": "6.0.0", "name": "ada", "kind": "user", "scopes": ["access:x"]}')
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => hub.once('listening', resolve))
    const api = `http://127.0.0.1:${(hub.address() as AddressInfo).port}/hub/api`
    const { context, dataDir, dispose } = makeContext()
    const options = { ...context.options, interruptTimeoutMs: 8_000 }
    const spawner = createProcessSpawner(
      { ...context, options },
      {
        getOwner: async () => ({ runAs: undefined, home: dataDir, environment: { HOME: dataDir } }),
      },
    )
    const request = makeRequest({
      command: ['jupyterhub-singleuser', '--allow-root'],
      environment: ({ ip, port }) => ({
        PATH: path,
        JUPYTERHUB_API_TOKEN: 'a'.repeat(32),
        JUPYTERHUB_CLIENT_ID: 'jupyterhub-user-ada',
        JUPYTERHUB_USER: 'ada',
        JUPYTERHUB_SERVER_NAME: '',
        JUPYTERHUB_HOST: '',
        JUPYTERHUB_BASE_URL: '/',
        JUPYTERHUB_SERVICE_PREFIX: '/user/ada/',
        JUPYTERHUB_SERVICE_URL: `http://${ip}:${port}/user/ada/`,
        JUPYTERHUB_API_URL: api,
        JUPYTERHUB_ACTIVITY_URL: `${api}/users/ada/activity`,
        JUPYTERHUB_OAUTH_CALLBACK_URL: '/user/ada/oauth_callback',
        JUPYTERHUB_OAUTH_SCOPES: '["access:x"]',
        JUPYTERHUB_OAUTH_ACCESS_SCOPES: '["access:x"]',
      }),
    })
    const state = await spawner.prepare(request, never)
    try {
      const started = await spawner.start(request, state, never)
      const url = `${started.target.origin}/user/ada/api`
      const status = async (suffix: string, init: RequestInit = {}) =>
        await fetch(`${url}${suffix}`, init).then(
          (answer) => answer.status,
          () => 0,
        )
      await expect.poll(() => status(''), { timeout: 30_000 }).toBe(200)
      const headers = { Authorization: 'token t' }
      expect(await status('/kernels', { method: 'POST', headers, body: '{}' })).toBe(201)
      const alive = () => listRunProcesses({ ...state, leader: undefined, known: [] })
      await expect.poll(async () => (await alive()).length, { timeout: 10_000 }).toBeGreaterThan(1)
      await spawner.stop(started.state, never)
      expect(await alive()).toEqual([])
    } finally {
      await spawner.stop(state, AbortSignal.timeout(1))
      await dispose()
      hub.close()
    }
  },
  60_000,
)
