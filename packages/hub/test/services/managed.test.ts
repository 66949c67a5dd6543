import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createPrincipals } from '../../src/access/principals.ts'
import { createScopeRules } from '../../src/access/rbac-rules.ts'
import { localProcessDefaults } from '../../src/spawners/local-process/options.ts'
import { findOAuthClient } from '../../src/storage/oauth.ts'
import { findServiceRun } from '../../src/storage/service-runs.ts'
import { isTokenOf } from '../../src/storage/token-hash.ts'
import { freePort } from '../support/ports.ts'
import { describeStores } from '../support/stores.ts'
import { ServiceKit } from './service-kit.ts'

let kit: ServiceKit
vi.setConfig({ testTimeout: 60_000 })
beforeEach(async () => {
  kit = await ServiceKit.create()
})

describeStores('managed services', (open) => {
  afterEach(() => kit.close()) // before the store, which closes after it

  test('get the environment of the contract, and nothing else of the hub', async () => {
    const store = await open()
    const port = await freePort()
    const web = kit.service({
      name: 'web',
      url: `http://127.0.0.1:${port}/path`,
      oauthClientAllowedScopes: ['read:users'],
      environment: { GREETING: "it's me", JUPYTERHUB_BASE_URL: '/mine/' },
    })
    await kit.start(store, [web, kit.service()])
    const { env, cwd, argv } = await kit.factsOf('web')
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
    expect([PATH, cwd]).toEqual([process.env['PATH'], kit.folder])
    expect(argv.join(' ')).not.toContain(token)
    expect([PWD ?? kit.folder, OLDPWD, SHLVL, _, ORRERY_RUN_ID].length).toBe(5)
    const plain = await kit.factsOf('tiny')
    expect(plain.env['JUPYTERHUB_SERVICE_URL']).toBe('http://127.0.0.1:0/')
    expect(plain.env).not.toHaveProperty('JUPYTERHUB_SERVICE_PREFIX')
    expect(plain.env).not.toHaveProperty('HOME')
    await kit.until(() => kit.log.some((line) => line.includes('service answers')))
    expect(kit.log.join('\n')).not.toContain(token)
    expect(kit.log.join('\n')).toContain('hello from web with [secret]')
  })

  test('a token is generated for each run; that of the run before stops working', async () => {
    const store = await open()
    const principals = createPrincipals({ store, rules: createScopeRules(new Map()) })
    await kit.start(store, [kit.service({ url: `http://127.0.0.1:${await freePort()}` })])
    const first = (await kit.factsOf('tiny')).env['JUPYTERHUB_API_TOKEN'] ?? ''
    expect(await principals.findByToken(first)).toMatchObject({ kind: 'service', name: 'tiny' })
    const client = await findOAuthClient(store.db, 'service-tiny')
    expect(isTokenOf(client?.secretHash ?? '', first)).toBe(true)
    const [pid = 0] = kit.pidsIn('tiny.starts')
    await kit.until(async () => (await findServiceRun(store.db, 'tiny'))?.state['pid'] === pid)

    process.kill(pid, 'SIGKILL')
    await kit.until(() => kit.pidsIn('tiny.starts').length === 2)
    const second = kit.factsNow('tiny')
    const token = second.env['JUPYTERHUB_API_TOKEN'] ?? ''
    expect(token).not.toBe(first)
    expect(await principals.findByToken(token)).toMatchObject({ name: 'tiny' })
    expect(await principals.findByToken(first)).toBeUndefined()
    expect(kit.log.some((line) => line.includes('a service has ended'))).toBe(true)
    principals.close()
  })

  test('are ended with the hub, and their run is forgotten', async () => {
    const store = await open()
    const services = await kit.start(store, [kit.service({ apiToken: 'configured-token' })])
    expect((await kit.factsOf('tiny')).env['JUPYTERHUB_API_TOKEN']).toBe('configured-token')
    await services.stop()
    expect(kit.pidsIn('tiny.ends')).toEqual(kit.pidsIn('tiny.starts'))
    expect(await findServiceRun(store.db, 'tiny')).toBeUndefined()
  })

  test('one that keeps ending is started again, each time later', async () => {
    const store = await open()
    await kit.start(store, [
      kit.service({ environment: { ENDS_AT_ONCE: '1' } }),
      kit.service({ name: 'good' }),
    ])
    const pauses = () =>
      kit.log.flatMap((line) => {
        const match = /starts again soon.*"seconds":([\d.]+)/.exec(line)
        return match === null ? [] : [Number(match[1])]
      })
    await kit.until(() => pauses().length === 2)
    const [first = 0, second = 0] = pauses()
    expect(first).toBeGreaterThanOrEqual(0.75)
    expect(second).toBeGreaterThan(first)
    expect(kit.pidsIn('good.starts')).toHaveLength(1)
  })

  test('what cannot be started is reported, and does not keep others from starting', async () => {
    const store = await open()
    await kit.start(store, [
      kit.service({ name: 'no-command', command: ['no-such-program-anywhere'] }),
      kit.service({ name: 'no-folder', cwd: join(kit.folder, 'nothing') }),
      kit.service({ name: 'no-user', user: 'nobody-of-that-name' }),
      kit.service({ name: 'good' }),
    ])
    await kit.factsOf('good')
    for (const [name, message] of [
      ['no-command', 'no-such-program-anywhere'],
      ['no-folder', 'is not there'],
      ['no-user', "no system user 'nobody-of-that-name'"],
    ] as const) {
      await kit.until(() =>
        kit.log.some((line) => line.startsWith('error') && line.includes(message)),
      )
      expect(kit.pidsIn(`${name}.starts`)).toEqual([])
    }
  })

  test('a configured user runs it, in its home unless told otherwise', async (context) => {
    if (process.getuid?.() !== 0) context.skip('only root can become another user')
    const store = await open()
    await kit.start(store, [kit.service({ user: 'nobody' })])
    const { env, uid, cwd } = await kit.factsOf('tiny')
    expect(uid).toBeGreaterThan(0)
    expect([env['USER'], env['JUPYTERHUB_USER'], cwd]).toEqual(['nobody', 'nobody', kit.folder])
    expect(env['HOME']).toBeDefined()
  })

  test('a URL without an answer is reported once, and once when it answers', async () => {
    const store = await open()
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const external = kit.service({ name: 'extern', url, command: [], timeoutMs: 100 })
    await kit.start(store, [external], { checkIntervalMs: 50 })
    const count = (text: string) => kit.log.filter((line) => line.includes(text)).length
    await kit.until(() => count('cannot connect to a service') === 1)
    const server = createServer((_request, answer) => answer.end()).listen(port, '127.0.0.1')
    await kit.until(() => count('a service answers again') === 1)
    server.closeAllConnections()
    server.close()
    await kit.until(() => count('cannot connect to a service') === 2)
  })
})
