import { afterEach, describe, expect, inject, test } from 'vitest'
import { TestInstallation, tinyHubConfig } from '../support/hub-process.ts'
import { createPostgresDatabase, type TestDatabase } from '../support/stores.ts'

const token = 'kill-test-token-0123456789'
const config = tinyHubConfig(token)

const spawnPoints = [
  'spawn claimed',
  'spawn prepared',
  'spawn started',
  'spawn responding',
  'spawn routed',
  'spawn ready',
]
const stopPoints = ['stop claimed', 'stop unrouted', 'stop ended', 'stop committed']

for (const database of ['sqlite', 'postgres'] as const) {
  const adminUrl = database === 'postgres' ? inject('postgresUrl') : ''
  const absent = database === 'postgres' && adminUrl === ''
  const reason = absent ? ' (skipped: no PostgreSQL server programs on this machine)' : ''
  describe.skipIf(absent)(`killed with ${database}${reason}`, () => {
    const installations: TestInstallation[] = []
    const databases: TestDatabase[] = []

    afterEach(async () => {
      for (const installation of installations.splice(0)) await installation.destroy()
      for (const created of databases.splice(0)) await created.drop()
    })

    async function install(): Promise<TestInstallation> {
      let dbUrl: string | undefined
      if (database === 'postgres') {
        const created = await createPostgresDatabase(adminUrl)
        databases.push(created)
        dbUrl = created.url
      }
      const installation = await TestInstallation.create({
        config,
        homes: true,
        ...(dbUrl !== undefined && { dbUrl }),
      })
      installations.push(installation)
      return installation
    }

    const untilState = async (orrery: TestInstallation, wanted: object) => {
      let last: unknown
      await orrery
        .until(async () => {
          last = await serverModel(orrery)
          return Object.entries(wanted).every(
            ([key, value]) => (last as Record<string, unknown>)[key] === value,
          )
        })
        .catch((error: unknown) => {
          throw new Error(`the server is ${JSON.stringify(last)}`, { cause: error })
        })
    }

    test.each(spawnPoints)('the hub dies at "%s": the start is completed once', async (crashAt) => {
      const orrery = await install()
      await orrery.start({ crashAt })
      await orrery.api('/users/ada/server', { token, method: 'POST', direct: true }).catch(
        () => undefined, // the hub died while it answered
      )
      expect(await orrery.exited()).toBe('SIGKILL')
      await orrery.start()
      await untilState(orrery, { ready: true })
      expect(orrery.serverPids()).toHaveLength(1)
      const answer = await fetch(`${orrery.url}/user/ada/x`)
      expect(await answer.json()).toEqual({ path: '/user/ada/x', pid: orrery.serverPids()[0] })
    })

    test.each(stopPoints)('the hub dies at "%s": nothing is left running', async (crashAt) => {
      const orrery = await install()
      await orrery.start({ crashAt })
      await orrery.api('/users/ada/server', { token, method: 'POST' })
      await untilState(orrery, { ready: true })
      await orrery.api('/users/ada/server', { token, method: 'DELETE', direct: true }).catch(
        () => undefined, // the hub died while it answered
      )
      expect(await orrery.exited()).toBe('SIGKILL')
      await orrery.start()
      await untilState(orrery, { stopped: true })
      expect(orrery.serverPids()).toEqual([])
    })
  })
}

async function serverModel(orrery: TestInstallation): Promise<unknown> {
  const { body } = await orrery.api('/users/ada/server', { token })
  return body
}
