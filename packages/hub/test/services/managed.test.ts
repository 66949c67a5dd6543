import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createPrincipals } from '../../src/access/principals.ts'
import { createScopeRules } from '../../src/access/rbac-rules.ts'
import { type Services, startServices } from '../../src/services/start-services.ts'
import type { ManagedService, ServiceSettings } from '../../src/services/settings.ts'
import { localProcessDefaults } from '../../src/spawners/local-process/options.ts'
import { loadServices } from '../../src/startup/service-content.ts'
import { findServiceRun } from '../../src/storage/service-runs.ts'
import { findOAuthClient } from '../../src/storage/oauth.ts'
import type { Store } from '../../src/storage/store.ts'
import { isTokenOf } from '../../src/storage/token-hash.ts'
import { freePort } from '../support/postgres.ts'
import { describeStores } from '../support/stores.ts'

const script = fileURLToPath(new URL('../support/tiny-service.mjs', import.meta.url))
let folder: string
let log: string[]
const started: Services[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'orrery-services-'))
  await chmod(folder, 0o777) // some run as somebody else
  log = []
})
afterEach(async () => {
  for (const services of started.splice(0)) await services.stop()
  await rm(folder, { recursive: true, force: true })
})

function service(changes: Partial<ManagedService> = {}): ManagedService {
  return {
    name: 'tiny',
    admin: false,
    url: '',
    command: [process.execPath, script, folder],
    cwd: folder,
    environment: {},
    user: '',
    timeoutMs: 10_000,
    info: {},
    display: true,
    apiToken: undefined,
    oauthClientAllowedScopes: [],
    oauthNoConfirm: false,
    oauthClientId: undefined,
    oauthRedirectUri: undefined,
    ...changes,
  }
}

async function start(
  store: Store,
  services: readonly ManagedService[],
  options: { dataDir?: string; checkIntervalMs?: number } = {},
): Promise<Services> {
  const place = { baseUrl: '/base/' }
  const content = {
    services: services.map((each) => ({ ...each, oauthRoles: [] })),
    serviceTokens: {},
    ...place,
    trustTokens: true,
  }
  await store.write((tx) => loadServices(tx, content, new Date()))
  const settings: ServiceSettings = {
    ...place,
    hubApiUrl: 'http://127.0.0.1:1/base/hub/api',
    publicUrl: 'https://hub.example/base/',
    cookieSecret: Buffer.alloc(32, 5),
    services,
    process: { ...localProcessDefaults, interruptTimeoutMs: 5_000, termTimeoutMs: 2_000 },
    checkIntervalMs: options.checkIntervalMs ?? 0,
  }
  const dataDir = options.dataDir ?? join(folder, 'data')
  await mkdir(dataDir, { recursive: true })
  const write = (level: string) => (details: object, message: string) => {
    log.push(`${level} ${message} ${JSON.stringify(details)}`)
  }
  const logger = { info: write('info'), warn: write('warn'), error: write('error') }
  const handle = startServices({ store, settings, dataDir, logger, now: () => new Date() })
  started.push(handle)
  return handle
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 15_000
  while (!(await check())) {
    if (Date.now() > giveUpAt) throw new Error(`not true in time; the log:\n${log.join('\n')}`)
    await delay(20)
  }
}

function pidsIn(file: string): number[] {
  const path = join(folder, file)
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8').split('\n').filter(Boolean).map(Number)
}

interface Facts {
  readonly env: Record<string, string>
  readonly cwd: string
  readonly uid: number
  readonly argv: readonly string[]
}

async function factsOf(name: string): Promise<Facts> {
  await until(() => log.some((line) => line.includes(`[${name}] hello from`)))
  return JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Facts
}

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return false
  }
}

describeStores('managed services', (open) => {
  test('get the environment of the contract, and nothing else of the hub', async () => {
    const store = await open()
    const port = await freePort()
    const web = service({
      name: 'web',
      url: `http://127.0.0.1:${port}/path`,
      oauthClientAllowedScopes: ['read:users'],
      environment: { GREETING: "it's me", JUPYTERHUB_BASE_URL: '/mine/' },
    })
    await start(store, [web, service()])
    const { env, cwd, argv } = await factsOf('web')
    const token = env['JUPYTERHUB_API_TOKEN'] ?? ''
    expect(token).toMatch(/^[0-9a-f]{32}$/)
    const { PATH, PWD, OLDPWD, SHLVL, _, ORRERY_RUN_ID, ...rest } = env
    const kept = new Set<string>(localProcessDefaults.envKeep)
    expect(Object.fromEntries(Object.entries(rest).filter(([name]) => !kept.has(name)))).toEqual({
      GREETING: "it's me",
      JPY_API_TOKEN: token,
      JUPYTERHUB_API_TOKEN: token,
      JUPYTERHUB_API_URL: 'http://127.0.0.1:1/base/hub/api',
      JUPYTERHUB_BASE_URL: '/mine/',
      JUPYTERHUB_CLIENT_ID: 'service-web',
      JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED: '0',
      JUPYTERHUB_HOST: 'https://hub.example',
      JUPYTERHUB_OAUTH_ACCESS_SCOPES: '["access:services","access:services!service=web"]',
      JUPYTERHUB_OAUTH_CALLBACK_URL: '/base/services/web/oauth_callback',
      JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES: '["read:users"]',
      JUPYTERHUB_OAUTH_SCOPES: '["access:services","access:services!service=web"]',
      JUPYTERHUB_PUBLIC_HUB_URL: 'https://hub.example/base/hub/',
      JUPYTERHUB_PUBLIC_URL: 'https://hub.example/base/services/web/',
      JUPYTERHUB_SERVER_NAME: '',
      JUPYTERHUB_SERVICE_NAME: 'web',
      JUPYTERHUB_SERVICE_PREFIX: '/base/services/web/',
      JUPYTERHUB_SERVICE_URL: `http://127.0.0.1:${port}/path`,
      JUPYTERHUB_USER: '',
    })
    expect([PATH, cwd]).toEqual([process.env['PATH'], folder])
    expect(argv.join(' ')).not.toContain(token)
    expect([PWD ?? folder, OLDPWD, SHLVL, _, ORRERY_RUN_ID].length).toBe(5)
    const plain = await factsOf('tiny')
    expect(plain.env['JUPYTERHUB_SERVICE_URL']).toBe('http://127.0.0.1:0/')
    expect(plain.env).not.toHaveProperty('JUPYTERHUB_SERVICE_PREFIX')
    expect(plain.env).not.toHaveProperty('HOME')
    await until(() => log.some((line) => line.includes('service answers')))
    expect(log.join('\n')).not.toContain(token)
    expect(log.join('\n')).toContain('hello from web with [secret]')
  })

  test('a token is generated for each run; that of the run before stops working', async () => {
    const store = await open()
    const principals = createPrincipals({ store, rules: createScopeRules(new Map()) })
    await start(store, [service({ url: `http://127.0.0.1:${await freePort()}` })])
    const first = (await factsOf('tiny')).env['JUPYTERHUB_API_TOKEN'] ?? ''
    expect(await principals.findByToken(first)).toMatchObject({ kind: 'service', name: 'tiny' })
    const client = await findOAuthClient(store.db, 'service-tiny')
    expect(isTokenOf(client?.secretHash ?? '', first)).toBe(true)
    const [pid = 0] = pidsIn('tiny.starts')
    await until(async () => (await findServiceRun(store.db, 'tiny'))?.state['pid'] === pid)

    process.kill(pid, 'SIGKILL')
    await until(() => pidsIn('tiny.starts').length === 2)
    const second = JSON.parse(readFileSync(join(folder, 'tiny.json'), 'utf8')) as Facts
    const token = second.env['JUPYTERHUB_API_TOKEN'] ?? ''
    expect(token).not.toBe(first)
    expect(await principals.findByToken(token)).toMatchObject({ name: 'tiny' })
    expect(await principals.findByToken(first)).toBeUndefined()
    expect(log.some((line) => line.includes('a service has ended'))).toBe(true)
    principals.close()
  })

  test('are ended with the hub, and their run is forgotten', async () => {
    const store = await open()
    const services = await start(store, [service({ apiToken: 'configured-token' })])
    expect((await factsOf('tiny')).env['JUPYTERHUB_API_TOKEN']).toBe('configured-token')
    await services.stop()
    expect(pidsIn('tiny.ends')).toEqual(pidsIn('tiny.starts'))
    expect(await findServiceRun(store.db, 'tiny')).toBeUndefined()
  })

  test('one that keeps ending is started again, each time later', async () => {
    const store = await open()
    await start(store, [service({ environment: { ENDS_AT_ONCE: '1' } }), service({ name: 'good' })])
    const pauses = () =>
      log.flatMap((line) => {
        const match = /starts again soon.*"seconds":([\d.]+)/.exec(line)
        return match === null ? [] : [Number(match[1])]
      })
    await until(() => pauses().length === 2)
    const [first = 0, second = 0] = pauses()
    expect(first).toBeGreaterThanOrEqual(0.75)
    expect(second).toBeGreaterThan(first)
    expect(pidsIn('good.starts')).toHaveLength(1)
  })

  test('what cannot be started is reported, and does not keep others from starting', async () => {
    const store = await open()
    await start(store, [
      service({ name: 'no-command', command: ['no-such-program-anywhere'] }),
      service({ name: 'no-folder', cwd: join(folder, 'nothing') }),
      service({ name: 'no-user', user: 'nobody-of-that-name' }),
      service({ name: 'good' }),
    ])
    await factsOf('good')
    for (const [name, message] of [
      ['no-command', 'no-such-program-anywhere'],
      ['no-folder', 'is not there'],
      ['no-user', "no system user 'nobody-of-that-name'"],
    ] as const) {
      await until(() => log.some((line) => line.startsWith('error') && line.includes(message)))
      expect(pidsIn(`${name}.starts`)).toEqual([])
    }
  })

  test('a configured user runs it, in its home unless told otherwise', async (context) => {
    if (process.getuid?.() !== 0) context.skip('only root can become another user')
    const store = await open()
    await start(store, [service({ user: 'nobody' })])
    const { env, uid, cwd } = await factsOf('tiny')
    expect(uid).toBeGreaterThan(0)
    expect([env['USER'], env['JUPYTERHUB_USER'], cwd]).toEqual(['nobody', 'nobody', folder])
    expect(env['HOME']).toBeDefined()
  })

  test('a URL without an answer is reported once, and once when it answers', async () => {
    const store = await open()
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const external = service({ name: 'extern', url, command: [], timeoutMs: 100 })
    await start(store, [external], { checkIntervalMs: 50 })
    const count = (text: string) => log.filter((line) => line.includes(text)).length
    await until(() => count('cannot connect to a service') === 1)
    const server = createServer((_request, answer) => answer.end()).listen(port, '127.0.0.1')
    await until(() => count('a service answers again') === 1)
    server.closeAllConnections()
    server.close()
    await until(() => count('cannot connect to a service') === 2)
  })

  test('a service that left the configuration is ended by the next start', async () => {
    const store = await open()
    const services = await start(store, [service()])
    await factsOf('tiny')
    const run = await findServiceRun(store.db, 'tiny')
    const [pid = 0] = pidsIn('tiny.starts')
    // As after a crash: the process and its stored run are there, the hub is not.
    await store.write((tx) => tx.db.deleteFrom('service_runs').execute())
    const stopped = services.stop()
    await stopped
    expect(isAlive(pid)).toBe(true)
    await store.write(async (tx) => {
      const state = JSON.stringify(run?.state)
      const { name = '', runId = '', fingerprint = '' } = run ?? {}
      const row = { name, run_id: runId, fingerprint, state, started_at: 0 }
      await tx.db.insertInto('service_runs').values(row).execute()
    })
    await start(store, [])
    await until(() => !isAlive(pid))
    await until(async () => (await findServiceRun(store.db, 'tiny')) === undefined)
  })
})
