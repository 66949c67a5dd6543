import { execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { TestInstallation, tinyHubConfig } from '../support/hub-process.ts'
import { freePort } from '../support/ports.ts'

const token = 'failure-test-token-0123456789'
const base = tinyHubConfig(token)
const installations: TestInstallation[] = []

afterEach(async () => {
  for (const installation of installations.splice(0)) await installation.destroy()
})

async function install(config: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {}) {
  const installation = await TestInstallation.create({
    config: { ...base, ...config },
    homes: true,
  })
  installations.push(installation)
  return installation
}

async function failToStart(orrery: TestInstallation, message: RegExp): Promise<void> {
  await orrery.start({ wait: false })
  expect(await orrery.exited()).toBe(1)
  expect(orrery.output).toMatch(message)
}

describe('a start that cannot succeed says why and ends with 1', () => {
  test.each(['hub', 'edge'])('the port of the %s is taken', async (which) => {
    const orrery = await install()
    const port = which === 'hub' ? orrery.hubPort : orrery.port
    const blocker = createServer().listen(port, '127.0.0.1')
    try {
      await failToStart(orrery, new RegExp(`${port}`))
      expect(orrery.edgePid()).toBeUndefined()
    } finally {
      blocker.close()
    }
  })

  test('an unknown option names file, option and the nearest name', async () => {
    const orrery = await install({ JupyterHub: { ...base.JupyterHub, spwaner_class: 'simple' } })
    await failToStart(orrery, /jupyterhub_config\.json: JupyterHub\.spwaner_class: .*spawner_class/)
  })

  test('a value of the wrong type', async () => {
    const orrery = await install({ Spawner: { start_timeout: 'soon' } })
    await failToStart(orrery, /Spawner\.start_timeout/)
  })

  test('auth_state is wanted, and there is no key or none that can be', async () => {
    const wanted = { ...base.Authenticator, enable_auth_state: true }
    const orrery = await install({ Authenticator: wanted })
    await failToStart(orrery, /enable_auth_state needs a key.*JUPYTERHUB_CRYPT_KEY/)
    const other = await install({
      Authenticator: wanted,
      CryptKeeper: { keys: ['too-short-a-key'] },
    })
    await failToStart(other, /CryptKeeper\.keys: key 1 is neither/)
    expect(other.output).not.toContain('too-short-a-key')
  })

  test.each([
    [
      'a configured token is too short',
      { api_tokens: { short: 'ada' } },
      /api_tokens holds a token/,
    ],
    [
      'a role goes to a service that is not there',
      { load_roles: [{ name: 'xyz', scopes: [], services: ['nope'] }] },
      /load_roles gives role 'xyz' to the service 'nope'/,
    ],
  ])(
    '%s: found when the edge runs already, which ends with it',
    async (_what, options, message) => {
      const orrery = await install({ JupyterHub: { ...base.JupyterHub, ...options } })
      await failToStart(orrery, message)
      expect(orrery.edgePid()).toBeUndefined()
    },
  )

  test('the data folder is a file', async () => {
    const orrery = await install()
    writeFileSync(orrery.dataDir, 'not a folder')
    await failToStart(orrery, /data folder .* cannot be written.*--data-dir/s)
  })

  test('another hub runs on the data folder', async () => {
    const orrery = await install()
    await orrery.start()
    expect(startSecond(orrery)).toMatch(/Another hub is running with the data folder/)
  })

  test('the database belongs to a JupyterHub', async () => {
    const orrery = await install()
    await mkdir(orrery.dataDir)
    const database = new DatabaseSync(join(orrery.dataDir, 'orrery.sqlite'))
    database.exec(
      'create table alembic_version (version_num text); create table users (id integer)',
    )
    database.close()
    await failToStart(orrery, /belongs to a JupyterHub/)
  })
})

describe('a store that cannot be written', () => {
  test('is answered with 503 while another program holds it, and nothing is half done', async () => {
    const orrery = await install()
    await orrery.start()
    const holder = new DatabaseSync(join(orrery.dataDir, 'orrery.sqlite'))
    holder.exec('begin immediate')
    const refused = await orrery.api('/users/grace', { token, method: 'POST' })
    expect(refused.status).toBe(503)
    expect(JSON.stringify(refused.body)).toMatch(/busy/)
    const waiting = orrery.api('/users/grace', { token, method: 'POST' })
    holder.exec('rollback')
    holder.close()
    expect((await waiting).status).toBe(201)
  })

  test('is answered with 503 when the disk is full; what was acknowledged is kept', async (context) => {
    const orrery = await install()
    if (!mountSmall(orrery.dataDir)) context.skip('no tmpfs can be mounted here')
    const filler = join(orrery.dataDir, 'filler')
    try {
      await orrery.start()
      execFileSync('sh', ['-c', `dd if=/dev/zero of=${filler} bs=4k 2>/dev/null || true`])
      const acknowledged: string[] = []
      const statuses = new Set<number>()
      for (let index = 0; index < 300 && !statuses.has(503); index++) {
        const name = `user-${index}`
        const { status } = await orrery.api(`/users/${name}`, { token, method: 'POST' })
        statuses.add(status)
        if (status === 201) acknowledged.push(name)
      }
      expect(statuses).toContain(503)
      rmSync(filler)
      expect((await orrery.api('/users/later', { token, method: 'POST' })).status).toBe(201)
      await orrery.kill()
      await orrery.start()
      for (const name of [...acknowledged, 'later']) {
        expect((await orrery.api(`/users/${name}`, { token })).status).toBe(200)
      }
    } finally {
      await orrery.kill()
      const edge = orrery.edgePid()
      if (edge !== undefined) process.kill(edge, 'SIGKILL')
      execFileSync('umount', ['-l', orrery.dataDir])
    }
  })
})

describe('output that cannot be written', () => {
  const full = '/dev/full'
  const reason = existsSync(full) ? '' : ` (skipped: no ${full} on this system)`

  test.skipIf(reason !== '')(`ends neither the hub nor an edge${reason}`, async () => {
    const orrery = await install()
    const printTo = openSync(full, 'w')
    await orrery.start({ printTo })
    expect((await orrery.api('/users/grace', { token, method: 'POST' })).status).toBe(201)
    const port = await freePort()
    const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
    const args = ['edge', '--port', `${port}`, '--api-port', '0', '--default-target', orrery.url]
    args.push('--pid-file', full)
    const edge = spawn(process.execPath, [main, ...args], { stdio: ['ignore', printTo, printTo] })
    closeSync(printTo)
    try {
      await orrery.until(async () => {
        if (edge.exitCode !== null) throw new Error(`the edge has ended with ${edge.exitCode}`)
        const answer = await fetch(`http://127.0.0.1:${port}/hub/api/`).catch(() => undefined)
        return answer?.status === 200
      })
    } finally {
      edge.kill('SIGKILL')
    }
  })
})

describe('kill -9 of the edge', () => {
  test('another one takes over with every route, also when the hub dies with it', async () => {
    const orrery = await install()
    await orrery.start()
    expect((await orrery.api('/users/ada/server', { token, method: 'POST' })).status).toBe(201)
    const [pid] = orrery.serverPids()
    const answersThroughEdge = async () => {
      const answer = await fetch(`${orrery.url}/user/ada/x`).catch(() => undefined)
      if (answer?.status !== 200) return false
      return ((await answer.json().catch(() => ({}))) as { pid?: number }).pid === pid
    }
    await orrery.until(answersThroughEdge)
    for (let round = 0; round < 3; round++) {
      const edge = orrery.edgePid()
      if (edge === undefined) throw new Error('no edge')
      process.kill(edge, 'SIGKILL')
      await orrery.until(async () => orrery.edgePid() !== edge && (await answersThroughEdge()))
    }
    process.kill(orrery.edgePid() ?? 0, 'SIGKILL')
    await orrery.kill()
    await orrery.start()
    await orrery.until(answersThroughEdge)
    expect(orrery.serverPids()).toEqual([pid])
  })
})

/** A tmpfs of a few megabytes in place of the data folder. */
function mountSmall(path: string): boolean {
  if (process.getuid?.() !== 0) return false
  try {
    execFileSync('mkdir', ['-p', path])
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m,mode=700', 'tmpfs', path], {
      stdio: 'ignore',
    })
    return true
  } catch {
    return false
  }
}

/** Output of a second hub in the same folder, which has to fail. */
function startSecond(orrery: TestInstallation): string {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
  try {
    execFileSync(process.execPath, [main, `--data-dir=${orrery.dataDir}`], {
      cwd: orrery.folder,
      stdio: 'pipe',
      timeout: 20_000,
    })
    return 'it started'
  } catch (error) {
    return error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
  }
}
