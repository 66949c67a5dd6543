import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest'
import { TestInstallation } from '../support/hub-process.ts'
import { freePort } from '../support/ports.ts'
import { createPostgresDatabase, type TestDatabase } from '../support/stores.ts'

const script = fileURLToPath(new URL('../support/tiny-service.mjs', import.meta.url))
const token = 'services-test-token-0123456789'
const installations: TestInstallation[] = []
// Several starts of whole hubs, and a lease that has to run out.
vi.setConfig({ testTimeout: 90_000 })
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'orrery-kill-services-'))
  await chmod(folder, 0o777)
})
afterEach(async () => {
  for (const installation of installations.splice(0)) await installation.destroy()
  for (const pid of starts()) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

async function install(
  options: { dbUrl?: string; url?: string; environment?: Record<string, string> } = {},
): Promise<TestInstallation> {
  const { dbUrl, url, environment } = options
  const service = {
    name: 'tiny',
    command: [process.execPath, script, folder],
    ...(url !== undefined && { url }),
    ...(environment !== undefined && { environment }),
  }
  const installation = await TestInstallation.create({
    config: {
      JupyterHub: {
        authenticator_class: 'dummy',
        api_tokens: { [token]: 'ada' },
        cookie_secret: 'a5'.repeat(32),
        services: [service],
      },
      Authenticator: { admin_users: ['ada'] },
    },
    ...(dbUrl !== undefined && { dbUrl }),
  })
  installations.push(installation)
  return installation
}

/** Pids of every process of the service there has been, in order. */
function starts(): number[] {
  const file = join(folder, 'tiny.starts')
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number) : []
}

function alive(): number[] {
  return starts().filter(isAlive)
}

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const isOurs = readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(folder)
    return isOurs && !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return false
  }
}

async function pidByApi(orrery: TestInstallation): Promise<unknown> {
  const { body } = await orrery.api('/services/tiny', { token })
  return (body as { pid?: unknown }).pid
}

describe('kill -9 of the hub', () => {
  test('leaves its service running; the next hub takes it over and ends it with itself', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    const orrery = await install({ url })
    await orrery.start()
    await orrery.until(async () => alive().length === 1 && (await pidByApi(orrery)) === alive()[0])
    const path = `${orrery.url}/services/tiny`
    const text = async (address: string) =>
      (await fetch(address, { signal: AbortSignal.timeout(5_000) })).text()
    await orrery.until(async () => (await text(`${path}/x?y=1`)) === 'tiny /services/tiny/x?y=1')
    expect(await text(path)).toBe('tiny /services/tiny')

    await orrery.kill()
    expect(alive()).toHaveLength(1)
    await orrery.start()
    await orrery.until(() => orrery.output.includes('taking over a running service'))
    expect(await pidByApi(orrery)).toBe(alive()[0])
    expect(starts()).toHaveLength(1)

    await orrery.kill('SIGTERM')
    expect(alive()).toEqual([])
    await orrery.start()
    await orrery.until(() => alive().length === 1)
    expect(starts()).toHaveLength(2)
  })

  test.each(['service prepared', 'service started'])('at %s: one process, not two', async (at) => {
    const orrery = await install()
    await orrery.start({ crashAt: at, wait: false })
    expect(await orrery.exited()).toBe('SIGKILL')
    await orrery.start()
    await orrery.until(async () => alive().length === 1 && (await pidByApi(orrery)) === alive()[0])
    expect(starts()).toHaveLength(1)
    await orrery.kill('SIGTERM')
    expect(alive()).toEqual([])
  })

  test('with another configuration, the running service is ended before the new one', async () => {
    const orrery = await install()
    await orrery.start()
    await orrery.until(() => alive().length === 1)
    await orrery.kill()
    const file = join(orrery.folder, 'jupyterhub_config.json')
    const config = readFileSync(file, 'utf8')
    writeFileSync(file, config.replace('"name":"tiny"', '"name":"tiny","environment":{"NEW":"1"}'))
    await orrery.start()
    await orrery.until(() => starts().length === 2 && alive().length === 1)
    expect(alive()).toEqual(starts().slice(1))
    expect(readFileSync(join(folder, 'tiny.ends'), 'utf8')).toBe(`${starts()[0]}\n`)
  })
})

describe.skipIf(inject('postgresUrl') === '')('two hubs on one PostgreSQL', () => {
  let database: TestDatabase
  beforeEach(async () => {
    database = await createPostgresDatabase(inject('postgresUrl'))
  })
  afterEach(() => database.drop())

  test('one of them runs the service; the other takes over when it is killed', async () => {
    const first = await install({ dbUrl: database.url })
    const second = await install({ dbUrl: database.url })
    await first.start()
    await first.until(() => alive().length === 1)
    await second.start()
    await second.until(async () => (await pidByApi(second)) === alive()[0])
    expect(starts()).toHaveLength(1)

    await first.kill()
    // Its hub's address is another: the service is ended, then started for the second hub.
    await second.until(() => starts().length === 2 && alive().length === 1)
    expect(alive()).toEqual(starts().slice(1))
    await second.until(async () => (await pidByApi(second)) === alive()[0])

    await first.start()
    await second.kill('SIGTERM')
    await first.until(() => starts().length === 3 && alive().length === 1)
    await first.kill('SIGTERM')
    expect(alive()).toEqual([])
  })
})
