import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { TestInstallation } from '../support/hub-process.ts'
import { createPostgresDatabase, type TestDatabase } from '../support/stores.ts'

const token = 'internal-tls-token-0123456789'
const tinyServer = fileURLToPath(new URL('../support/tiny-server.mjs', import.meta.url))

describe.skipIf(inject('postgresUrl') === '')('two hubs on one PostgreSQL', () => {
  let database: TestDatabase
  let certificates: string
  const installations: TestInstallation[] = []
  beforeEach(async () => {
    database = await createPostgresDatabase(inject('postgresUrl'))
    const folder = await mkdtemp(join(tmpdir(), 'orrery-certificates-'))
    await chmod(folder, 0o755) // servers run as somebody else when the tests run as root
    certificates = join(folder, 'internal-ssl')
  })
  afterEach(async () => {
    for (const installation of installations.splice(0)) await installation.destroy()
    await database.drop()
    await rm(join(certificates, '..'), { recursive: true, force: true })
  })

  async function install(): Promise<TestInstallation> {
    const installation = await TestInstallation.create({
      homes: true,
      dbUrl: database.url,
      config: {
        Spawner: { cmd: [process.execPath, tinyServer] },
        JupyterHub: {
          internal_ssl: true,
          internal_certs_location: certificates,
          spawner_class: 'simple',
          authenticator_class: 'dummy',
          api_tokens: { [token]: 'ada' },
          cookie_secret: 'a5'.repeat(32),
          cleanup_servers: false,
        },
        Authenticator: { admin_users: ['ada'], allow_all: true },
      },
    })
    installations.push(installation)
    return installation
  }

  /** Waits for this very hub: through its edge another one may answer. */
  const start = async (hub: TestInstallation): Promise<void> => {
    const lines = () => hub.output.split('is now running').length
    const before = lines()
    await hub.start()
    await hub.until(() => lines() > before)
  }

  /** Waits until ada's server answers through the edge of a hub. */
  const untilServed = (by: TestInstallation): Promise<void> =>
    by.until(async () => {
      const headers = { Authorization: `token ${token}`, Connection: 'close' }
      const answer = await fetch(`${by.url}/user/ada/x`, { headers }).catch(() => undefined)
      await answer?.body?.cancel()
      return answer?.status === 200
    })

  /** An edge that lost its hub follows it again within two seconds, and till then asks the other. */
  const change = (by: TestInstallation, method: 'POST' | 'DELETE'): Promise<void> =>
    by.until(async () => {
      const { status } = await by.api('/users/ada/server', { token, method })
      expect([201, 202, 204, 503]).toContain(status)
      return status !== 503
    })

  const readMaterial = async () => {
    const read = (name: string) => readFile(join(certificates, name), 'utf8')
    return {
      key: await read('hub-internal/hub-internal.key'),
      cert: await read('hub-internal/hub-internal.crt'),
      ca: await read('hub-ca_trust.crt'),
    }
  }

  test('that start at once share the certificates that they make, over the end of either', async () => {
    const [one, two] = [await install(), await install()]
    await Promise.all([start(one), start(two)])
    const material = await readMaterial()
    const dispatcher = new Agent({ connect: material })
    for (const port of [one, two].flatMap((each) => [each.hubPort, each.edgeApiPort])) {
      const answer = await request(`https://127.0.0.1:${port}/`, { dispatcher })
      await answer.body.dump()
    }
    await dispatcher.destroy()

    await change(one, 'POST')
    await Promise.all([untilServed(one), untilServed(two)])
    // A hub that comes later finds what is there.
    await two.kill()
    await start(two)
    expect(await readMaterial()).toEqual(material)
    await untilServed(two)
    // The server of a hub that has gone is the other one's.
    await one.kill()
    await untilServed(two)
    await change(two, 'DELETE')
    await two.until(() => one.serverPids().length === 0)
    await change(two, 'POST')
    await untilServed(two)
    expect(two.serverPids()).toHaveLength(1)
    await change(two, 'DELETE')
    await two.until(() => two.serverPids().length === 0)
  }, 90_000)
})
