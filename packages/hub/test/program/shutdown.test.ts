import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { TestInstallation } from '../support/hub-process.ts'

const token = 'shutdown-test-token-0123456789'
const tinyServer = fileURLToPath(new URL('../support/tiny-server.mjs', import.meta.url))
let orrery: TestInstallation | undefined

afterEach(() => orrery?.destroy())

async function install(): Promise<TestInstallation> {
  orrery = await TestInstallation.create({
    homes: true,
    config: {
      JupyterHub: {
        spawner_class: 'simple',
        authenticator_class: 'dummy',
        api_tokens: { [token]: 'ada' },
      },
      Authenticator: { admin_users: ['ada'] },
      Spawner: { cmd: [process.execPath, tinyServer] },
    },
  })
  await orrery.start()
  const started = await orrery.api('/users/ada/server', { token, method: 'POST' })
  expect([201, 202]).toContain(started.status)
  await orrery.until(() => orrery?.serverPids().length === 1)
  return orrery
}

test('a shutdown by request answers first, and leaves what the request wants left', async () => {
  const hub = await install()
  const body = { proxy: false, servers: false }
  const answer = await hub.api('/shutdown', { token, method: 'POST', body })
  expect(answer.status).toBe(202)
  expect(await hub.exited()).toBe(0)
  expect(hub.serverPids()).toHaveLength(1)
  expect(hub.edgePid()).toBeDefined()
  const through = await fetch(`${hub.url}/user/ada/`, { headers: { connection: 'close' } })
  await through.body?.cancel()
  expect(through.status).toBeLessThan(500)
})

test('without a body it stops what the configuration stops', async () => {
  const hub = await install()
  const answer = await hub.api('/shutdown', { token, method: 'POST' })
  expect(answer).toMatchObject({ status: 202, body: { message: 'Shutting down Hub' } })
  expect(await hub.exited()).toBe(0)
  expect(hub.serverPids()).toEqual([])
  expect(hub.edgePid()).toBeUndefined()
  expect(hub.output).not.toContain('did not end cleanly')
})
