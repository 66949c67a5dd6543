import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { orreryVersion } from '../../../src/util/version.ts'
import { freePort } from '../../support/ports.ts'
import * as kit from './peer-kit.ts'

/** Source: contract proxy §10. */

/** Refused by both: exit code 1 and a word that tells why. */
const refusedByBoth: readonly (readonly [flags: readonly string[], why: RegExp])[] = [
  [['--nonsense'], /nonsense/],
  [['words'], /words|argument/],
  [['--port'], /port/],
  [['--custom-header', 'invalid'], /colon was expected/],
  [['--error-target', 'http://x', '--error-path', '/y'], /error-target.*error-path/],
  [['--redirect-port', '1'], /HTTPS/],
  [['--socket', '/nowhere/x', '--port', '1'], /socket/],
  [['--socket', '/nowhere/x', '--ip', '127.0.0.1'], /socket/],
  [['--ssl-key', '/nowhere/key', '--ssl-cert', '/nowhere/cert'], /nowhere/],
  [['--storage-backend', '/nowhere/module'], /nowhere/],
  [['--pid-file', '/nowhere/pid'], /nowhere/],
]

describe.each(kit.programs)('$name', (program) => {
  const { isOurs } = program

  test.for(refusedByBoth)('%j ends with exit code 1 and says why', async ([flags, why]) => {
    const running = kit.run(program, flags)
    expect(await running.exited()).toBe(1)
    expect(running.output()).toMatch(why)
    // People read one line, not a stack.
    if (isOurs) expect(running.output()).not.toMatch(/\n\s+at /)
  })

  test('--version prints the version alone, --help the flags', async () => {
    const version = isOurs ? orreryVersion : '5.3.0'
    for (const flag of ['--version', '-V']) {
      const running = kit.run(program, [flag])
      expect([await running.exited(), running.output()]).toEqual([0, `${version}\n`])
    }
    const help = kit.run(program, ['--help'])
    expect(await help.exited()).toBe(0)
    const flags = [...help.output().matchAll(/--[a-z][\w-]+/g)].map(([flag]) => flag)
    expect(flags).toContain('--storage-backend')
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'after %s it ends with exit code 2, and its pid file is gone',
    async (signal) => {
      const file = join(await kit.temporaryFolder(), 'pid')
      const peer = await kit.start(program, ['--pid-file', file])
      await vi.waitUntil(() => existsSync(file) && readFileSync(file, 'utf8') !== '', kit.patience)
      expect(readFileSync(file, 'utf8')).toBe(String(peer.child.pid))
      peer.child.kill(signal)
      expect(await peer.exited()).toBe(2)
      expect(existsSync(file)).toBe(false)
    },
  )

  test('a request to the API is a line of the log: status, method, path without query', async () => {
    const peer = await kit.start(program, ['--log-level', 'INFO'])
    await peer.addRoute('/user/ada', kit.deadTarget)
    await peer.api('/none?secret=1', { method: 'DELETE' })
    await peer.ask('/user/ada/x?secret=1')
    await vi.waitUntil(() => peer.output().includes('404 DELETE'), kit.patience)
    const log = peer.output().replaceAll(/\p{Cc}\[\d+m/gu, '')
    expect(log).toMatch(/info: Adding route \/user\/ada -> http:\/\/127\.0\.0\.1:9\n/)
    expect(log).toMatch(/info: 201 POST \/api\/routes\/user\/ada ?\n/)
    expect(log).toMatch(/warn: 404 DELETE \/api\/routes\/none ?\n/)
    expect(log).not.toContain('secret')
  })

  test('a level of the log leaves out what is less', async () => {
    const peer = await kit.start(program, ['--log-level', 'error'])
    await peer.addRoute('/a', kit.deadTarget)
    await peer.api('/none')
    expect(peer.output()).toBe('')
  })

  test('a proxied request is a line of the log with --log-level debug', async () => {
    const target = await kit.serveMirror()
    const peer = await kit.start(program, ['--log-level', 'debug', '--default-target', target.url])
    await peer.ask('/x?secret=1')
    await vi.waitUntil(() => peer.output().includes('PROXY WEB'), kit.patience)
    expect(peer.output()).toContain(`PROXY WEB /x to ${target.url}`)
    expect(peer.output()).not.toContain('secret')
  })

  test('without a token the API is open, and the log warns', async () => {
    const peer = await kit.start(program, [], {})
    expect((await fetch(peer.apiUrl)).status).toBe(200)
    expect(peer.output()).toMatch(isOurs ? /warn: .*the API is open/ : /not authenticated/)
  })

  test('--ip=* is every address, with a warning', async () => {
    const [port, apiPort] = [await freePort(), await freePort()]
    const ports = ['--port', `${port}`, '--api-port', `${apiPort}`]
    const running = kit.run(program, ['--ip', '*', ...ports])
    await kit.untilListening(running, port)
    expect((await fetch(`http://127.0.0.1:${port}/_chp_healthz`)).status).toBe(200)
    await vi.waitUntil(() => running.output().includes('0.0.0.0'), kit.patience)
  })
})

describe('orrery edge', () => {
  const [ours] = kit.programs.filter(({ isOurs }) => isOurs)
  const [theirs] = kit.programs.filter(({ isOurs }) => !isOurs)
  if (ours === undefined || theirs === undefined) throw new Error('no programs')

  test('has every flag of configurable-http-proxy', async () => {
    const flagsOf = async (program: kit.Program): Promise<Set<string>> => {
      const running = kit.run(program, ['--help'])
      await running.exited()
      return new Set(
        [...running.output().matchAll(/^ +(?:-\w, )?(--[a-z][\w-]+)/gm)].map(([, f = '']) => f),
      )
    }
    const [own, wanted] = [await flagsOf(ours), await flagsOf(theirs)]
    expect(wanted.size).toBeGreaterThan(45)
    expect([...wanted].filter((flag) => !own.has(flag))).toEqual([])
  })

  test('an address that is none of this machine ends it with 1', async () => {
    const running = kit.run(ours, ['--ip', '192.0.2.1', '--port', '0'])
    expect(await running.exited()).toBe(1)
    expect(running.output()).toContain('192.0.2.1 is no address of this machine')
  })

  test('a port that is taken ends it with 1, where configurable-http-proxy goes on without', async () => {
    const other = await kit.serveMirror()
    const { port } = new URL(other.url)
    const running = kit.run(ours, ['--ip', '127.0.0.1', '--port', port])
    expect(await running.exited()).toBe(1)
    expect(running.output()).toContain(`port ${port} is taken`)
  })

  test('the token can come from a file, but not from two places', async () => {
    const file = join(await kit.temporaryFolder(), 'token')
    await writeFile(file, `${kit.token}\n`)
    const peer = await kit.start(ours, [], { CONFIGPROXY_AUTH_TOKEN_FILE: file })
    expect((await peer.api('')).status).toBe(200)
    expect((await fetch(peer.apiUrl)).status).toBe(403)
    for (const [env, why] of [
      [{ CONFIGPROXY_AUTH_TOKEN: 'x', CONFIGPROXY_AUTH_TOKEN_FILE: file }, 'exclude each other'],
      [{ CONFIGPROXY_AUTH_TOKEN_FILE: '/nowhere/token' }, 'nowhere'],
      [{ CONFIGPROXY_AUTH_TOKEN_FILE: '/dev/null' }, 'is empty'],
    ] as const) {
      const running = kit.run(ours, [], env)
      expect(await running.exited()).toBe(1)
      expect(running.output()).toContain(why)
    }
  })
})
