import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestInstallation } from '../support/hub-process.ts'
import { type Finished, runOrrery } from './command.ts'

// `orrery users …` and the like as processes, against a hub, its edge and servers as processes.

const token = 'administer-test-token-0123456789'
const tinyServer = fileURLToPath(new URL('../support/tiny-server.mjs', import.meta.url))
const nobody = 65_534
let hub: TestInstallation

beforeAll(async () => {
  hub = await TestInstallation.create({
    homes: true,
    config: {
      JupyterHub: {
        spawner_class: 'simple',
        authenticator_class: 'dummy',
        api_tokens: { [token]: 'root' },
        allow_named_servers: true,
        services: [{ name: 'watcher', url: 'http://127.0.0.1:9' }],
        tornado_settings: { slow_spawn_timeout: 0 },
      },
      Authenticator: { admin_users: ['root'] },
      Spawner: { cmd: [process.execPath, tinyServer] },
    },
  })
  await hub.start()
})

afterAll(() => hub?.destroy())

/** In the folder of the installation, with what its files allow. */
const local = (...args: string[]) =>
  runOrrery([...args, '--data-dir', hub.dataDir], { cwd: hub.folder })

/** From elsewhere, with address and token. */
const remote = (...args: string[]) =>
  runOrrery(args, {
    cwd: '/',
    env: { JUPYTERHUB_API_URL: `${hub.url}/hub/api`, JUPYTERHUB_API_TOKEN: token },
  })

interface Document {
  readonly ok: boolean
  readonly data: unknown
  readonly total?: number
  readonly errors: readonly { subject: string | null; kind: string; status: number | null }[]
}

function documentOf({ stdout }: Finished): Document {
  return JSON.parse(stdout) as Document
}

const output = (stdout: string) => ({ code: 0, stdout, stderr: '' })
const failure = (code: number, stderr: RegExp) => ({
  code,
  stderr: expect.stringMatching(stderr) as string,
})

describe('on the machine of the hub', () => {
  test('users are added, shown, changed and removed without a token', async () => {
    expect(await local('users', 'add', 'ada', 'Bob')).toEqual(
      output('ada: created\nbob: created\n'),
    )
    expect(await local('users', 'admin', 'ada', 'on')).toEqual(output('ada: is an administrator\n'))
    const shown = await local('users', 'show', 'ada')
    expect(shown.stdout).toMatch(/^NAME +ada\nADMIN +yes\n/)
    expect(await local('users', 'rename', 'bob', 'eve')).toEqual(output('bob: is eve now\n'))
    expect(await local('users', 'disable', 'eve')).toEqual(output('eve: disabled\n'))
    expect(await local('users', 'enable', 'eve')).toEqual(output('eve: enabled\n'))
    const removed = await local('users', 'remove', 'eve', 'nobody')
    expect(removed).toMatchObject({ code: 1, stdout: 'eve: deleted\n' })
    expect(removed.stderr).toBe('orrery: nobody: No such user\n')
  })

  test('what a command was allowed ends with it', async () => {
    const services = documentOf(await remote('services', 'list', '--json'))
    expect(services.data).toMatchObject([{ name: 'watcher' }])
  })

  test('a server is started and stopped with progress, which is told on stderr', async () => {
    await local('users', 'add', 'kim')
    const started = await local('servers', 'start', 'kim', 'kim/gpu', '--title', 'Big one')
    expect(started).toMatchObject({
      code: 0,
      stdout: 'kim: ready at /user/kim/\nkim/gpu: ready at /user/kim/gpu/\n',
    })
    expect(started.stderr).toContain('kim: 0 % Server requested')
    const listed = await local('servers', 'list', '--user', 'kim')
    expect(listed.stdout).toMatch(/^SERVER +STATE.*\nkim +ready.*\nkim\/gpu +ready/)
    const stopped = await local('servers', 'stop', '--all', '--json')
    expect(documentOf(stopped)).toEqual({
      ok: true,
      data: [
        { subject: 'kim', result: 'stopped' },
        { subject: 'kim/gpu', result: 'stopped' },
      ],
      errors: [],
    })
    expect(await local('servers', 'remove', 'kim/gpu')).toEqual(output('kim/gpu: deleted\n'))
    expect(await local('servers', 'show', 'kim/gpu')).toMatchObject(
      failure(1, /no server named 'gpu'/),
    )
  })

  test.skipIf(process.getuid?.() !== 0)(
    'somebody who may not write the database is told what to do (needs root)',
    async () => {
      const refused = await runOrrery(['users', 'list', '--data-dir', hub.dataDir], {
        cwd: hub.folder,
        uid: nobody,
      })
      expect(refused).toMatchObject(failure(1, /JUPYTERHUB_API_TOKEN/))
      expect(refused.stdout).toBe('')
    },
  )
})

describe('with address and token', () => {
  test('groups have members and properties', async () => {
    expect(await remote('groups', 'add', 'staff')).toEqual(output('staff: created\n'))
    const members = await remote('groups', 'members', 'add', 'staff', 'ada', '--json')
    expect(documentOf(members).data).toMatchObject({ name: 'staff', users: ['ada'] })
    await remote('groups', 'properties', 'set', 'staff', 'quota=3', 'room=B 12')
    const left = await remote('groups', 'properties', 'unset', 'staff', 'quota', '--json')
    expect(documentOf(left).data).toMatchObject({ properties: { room: 'B 12' } })
    expect((await remote('groups', 'members', 'remove', 'staff', 'ada')).stdout).toContain(
      'MEMBERS',
    )
    expect((await remote('groups', 'list')).stdout).toMatch(/^NAME +MEMBERS +ROLES\nstaff +0 +-\n$/)
    expect(await remote('groups', 'remove', 'staff')).toEqual(output('staff: deleted\n'))
  })

  test('a token is printed alone, listed and revoked', async () => {
    const made = await remote(
      'tokens',
      'create',
      'ada',
      '--note',
      'ci',
      '--expires-in',
      '1h',
      '--scope',
      'self',
    )
    expect(made).toEqual(output(expect.stringMatching(/^[0-9a-f]{32}\n$/) as string))
    const listed = documentOf(await remote('tokens', 'list', 'ada', '--json'))
    const { id } =
      (listed.data as { id: string; note: string }[]).find(({ note }) => note === 'ci') ?? {}
    expect(JSON.stringify(listed)).not.toContain(made.stdout.trim())
    expect(await remote('tokens', 'revoke', 'ada', String(id))).toEqual(output(`${id}: revoked\n`))
  })

  test('roles, services and shares', async () => {
    const roles = await remote('roles', 'show', 'admin')
    expect(roles.stdout).toMatch(/SCOPES +admin-ui, admin:users/)
    writeFileSync(join(hub.folder, 'secret'), 'other-service-token-0123456789\n', { mode: 0o600 })
    const added = await remote(
      'services',
      'add',
      'other',
      '--api-token-file',
      join(hub.folder, 'secret'),
      '--json',
    )
    expect(documentOf(added).data).toMatchObject({ name: 'other', admin: false })
    expect(await remote('services', 'remove', 'other', 'watcher')).toMatchObject({
      code: 1,
      stdout: 'other: deleted\n',
      stderr: 'orrery: watcher: Service watcher is not modifiable at runtime\n',
    })
    await remote('servers', 'start', 'kim')
    expect((await remote('shares', 'grant', 'kim', '--user', 'ada')).stdout).toMatch(/WITH +ada/)
    expect((await remote('shares', 'list', 'kim')).stdout).toContain('access:servers!server=kim/')
    expect(await remote('shares', 'revoke', 'kim', '--user', 'ada')).toMatchObject({ code: 0 })
    await remote('servers', 'stop', 'kim')
  })

  test('a list is cut at the limit, and tells how many there are', async () => {
    const listed = documentOf(
      await remote('users', 'list', '--limit', '1', '--sort', 'name', '--json'),
    )
    expect(listed).toMatchObject({ ok: true, data: [{ name: 'ada' }], total: 3, errors: [] })
    const all = documentOf(await remote('users', 'list', '--limit', '0', '--name', 'o', '--json'))
    expect(all).toMatchObject({ data: [{ name: 'root' }], total: 1 })
  })

  test('the one shape of JSON holds failures too', async () => {
    const failed = await remote('users', 'add', 'ada', '--json')
    expect(failed.code).toBe(1)
    expect(documentOf(failed)).toEqual({
      ok: false,
      data: null,
      errors: [
        { subject: null, kind: 'refused', status: 409, message: expect.any(String) as string },
      ],
    })
  })

  test('a token by flag is used, with a warning; one from standard input without', async () => {
    const where = { cwd: '/' }
    const flag = await runOrrery(
      ['users', 'show', 'ada', '--url', hub.url, '--token', token],
      where,
    )
    expect(flag).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^Warning: a token/) as string,
    })
    const input = ['users', 'show', 'ada', '--url', hub.url, '--token-file', '-']
    expect(await runOrrery(input, { ...where, input: `${token}\n` })).toMatchObject({
      code: 0,
      stderr: '',
    })
  })
})

test.each<[string[], number, RegExp]>([
  [['users', 'lst'], 2, /Did you mean list/],
  [['servers', 'stop'], 2, /name a server, or use --all/],
  [['usrs', 'list'], 1, /Did you mean 'users'/],
  [['users', 'show', 'ada', '--url', 'hub.test'], 1, /no address of a hub/],
  [['users', 'show', '..'], 1, /can be no name in a URL/],
])('%j ends with %i', async (args, code, message) => {
  expect(await remote(...args)).toMatchObject(failure(code, message))
})

test('a hub that is down is a clear failure, for programs too', async () => {
  await hub.kill('SIGTERM')
  expect(await local('users', 'list')).toMatchObject(
    failure(1, /No hub answers at http.*Is it running/),
  )
  const elsewhere = ['users', 'list', '--url', 'http://127.0.0.1:9', '--json']
  const env = { JUPYTERHUB_API_TOKEN: token }
  const failed = await runOrrery(elsewhere, { cwd: '/', env })
  expect(failed.code).toBe(1)
  expect(documentOf(failed).errors).toMatchObject([{ kind: 'unreachable' }])
  const noToken = await runOrrery(['users', 'list', '--url', hub.url], { cwd: '/' })
  expect(noToken).toMatchObject(failure(1, /token is needed/))
  const noHub = await runOrrery(['users', 'list', '--data-dir', join(hub.folder, 'none')], {
    cwd: hub.folder,
  })
  expect(noHub).toMatchObject(failure(1, /No hub answers/))
})
