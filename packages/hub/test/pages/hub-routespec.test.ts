import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestInstallation } from '../support/hub-process.ts'

const tinyServer = fileURLToPath(new URL('../support/tiny-server.mjs', import.meta.url))
const token = 'routespec-test-token-0123'
let orrery: TestInstallation

beforeAll(async () => {
  orrery = await TestInstallation.create({
    config: {
      JupyterHub: {
        spawner_class: 'simple',
        authenticator_class: 'dummy',
        hub_routespec: '/hub/api/',
        api_tokens: { [token]: 'ada' },
      },
      Spawner: { cmd: [process.execPath, tinyServer] },
    },
    homes: true,
  })
  await orrery.start()
})
afterAll(() => orrery.destroy())

test('a hub of which only the API is let through starts servers; the rest is the proxy’s 404', async () => {
  const status = async (path: string) => {
    const answer = await fetch(`${orrery.url}${path}`, { redirect: 'manual' })
    await answer.body?.cancel()
    return answer.status
  }
  expect(await status('/hub/api/')).toBe(200)
  for (const path of ['/', '/hub/login', '/user/ada/']) expect(await status(path)).toBe(404)
  const started = await orrery.api('/users/ada/server', { token, method: 'POST' })
  expect([201, 202]).toContain(started.status)
  await orrery.until(async () => (await status('/user/ada/')) === 200)
})
