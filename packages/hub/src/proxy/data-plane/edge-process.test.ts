import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import type { EdgeMessage } from '../edge-protocol.ts'
import { fakeHub, patience, serve, startProcess, temporaryFolder } from './edge-test-kit.ts'
import { loadSnapshotFile } from './snapshot-file.ts'

test('killed and started again without a hub it serves from its file; SIGTERM is exit code 2', async () => {
  const dir = await temporaryFolder()
  const target = await serve((_req, res) => void res.end('target'))
  const routes = [{ routespec: '/user/ada/', target: target.url, data: { user: 'ada' } }]
  const hub = await fakeHub(() => ({ type: 'snapshot', epoch: 'e', seq: 1, routes }))
  const file = join(dir, 'routes.json')
  const args = ['--hub-url', hub.url, '--snapshot-file', file, '--pid-file', join(dir, 'pid')]
  const first = await startProcess(dir, args)
  await vi.waitUntil(() => existsSync(file), patience)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  first.child.kill('SIGKILL')
  await once(first.child, 'exit')
  hub.stop()
  const second = await startProcess(dir, args)
  expect(await (await fetch(`${second.url}/user/ada/`)).text()).toBe('target')
  expect(readFileSync(join(dir, 'pid'), 'utf8')).toBe(String(second.child.pid))
  second.child.kill('SIGHUP') // reads certificates again, and is not the end
  second.child.kill('SIGTERM')
  expect((await once(second.child, 'exit'))[0]).toBe(2)
  expect(existsSync(join(dir, 'pid'))).toBe(false)
})

/** So many routes that a kill can strike while they are written. */
const manyRoutes = Array.from({ length: 10_000 }, (_, i) => ({
  routespec: `/user/u${i}/`,
  target: 'http://127.0.0.1:9',
  data: { user: `u${i}` },
}))

test('killed at any moment of a burst of changes, its file holds all changes up to its number', async () => {
  const rounds = 12
  const hubStart = manyRoutes.length
  const dir = await temporaryFolder()
  const file = join(dir, 'routes.json')
  let seq = hubStart
  const hub = await fakeHub(
    (): EdgeMessage => ({ type: 'snapshot', epoch: 'e', seq, routes: routesAt(seq) }),
  )
  const args = ['--hub-url', hub.url, '--snapshot-file', file, '--workers', '1']
  const seen = new Set<number>()
  for (let round = 0; round < rounds; round += 1) {
    const { child } = await startProcess(dir, args)
    const exited = once(child, 'exit')
    await vi.waitUntil(() => hub.streams.size === 1, patience)
    const isWhileWriting = round % 2 === 0
    const before = writtenAt()
    const killAt = performance.now() + Math.random() * 500
    const latest = killAt + patience.timeout
    for (;;) {
      seq += 1
      hub.say({ type: 'set', seq, ...changeOf(seq) })
      await sleep(1)
      // Every other kill strikes while a draft lies beside the file, the others once it is renewed.
      const isTime = performance.now() >= killAt
      if (
        isTime &&
        (isWhileWriting ? existsSync(`${file}.${child.pid}.tmp`) : writtenAt() !== before)
      )
        break
      if (performance.now() > latest) throw new Error('the edge writes no file')
    }
    child.kill('SIGKILL')
    await exited
    await vi.waitUntil(() => hub.streams.size === 0, patience)
    if (!existsSync(file)) continue
    const log: string[] = []
    const stored = await loadSnapshotFile(file, (_level, message) => void log.push(message))
    expect(log).toEqual([])
    expect(stored?.position?.epoch).toBe('e')
    const at = stored?.position?.seq ?? 0
    seen.add(at)
    expect(at).toBeLessThanOrEqual(seq)
    // Changes that came while it was written may be in it as well.
    const paths = new Set([...(stored?.routes ?? [])].map(({ path }) => path))
    expect(paths.size).toBe(stored?.count)
    expect(routesAt(at).filter(({ routespec }) => !paths.has(routespec.slice(0, -1)))).toEqual([])
  }
  expect(seen.size).toBeGreaterThan(1)

  function writtenAt(): number | undefined {
    return statSync(file, { throwIfNoEntry: false })?.mtimeMs
  }
  function changeOf(at: number) {
    return { routespec: `/user/c${at}/`, target: 'http://127.0.0.1:9', data: {} }
  }
  function routesAt(at: number) {
    const changed = Array.from({ length: at - hubStart }, (_, i) => changeOf(hubStart + i + 1))
    return [...manyRoutes, ...changed]
  }
}, 60_000)

test.each(['--help', '-h'])('%s tells of every flag', async (flag) => {
  const { child, stdout, log } = await startProcess(tmpdir(), [flag])
  expect([child.exitCode, log()]).toEqual([0, ''])
  expect(stdout()).toMatch(/^Usage: orrery edge/)
  expect(stdout()).toMatch(/ {2}-h, --help /)
  expect(stdout()).toMatch(/ {6}--port PORT .*\(8000\)/)
  expect(stdout()).toMatch(/--trusted-proxy CIDR/)
})

test('the flags for headers and error pages reach the requests', async () => {
  const dir = await temporaryFolder()
  await writeFile(join(dir, '503.html'), 'not up')
  const target = await serve((req, res) => void res.end(JSON.stringify(req.headers)))
  const start = (...flags: string[]) =>
    startProcess(dir, ['--default-target', target.url, '--error-path', dir, ...flags])
  const headersAt = async (url: string): Promise<unknown> =>
    (await fetch(url, { headers: { 'X-Forwarded-For': '1.2.3.4' } })).json()

  const strict = await start('--trusted-proxy', 'none', '--custom-header', 'X-Site: a:b')
  expect(await headersAt(strict.url)).toMatchObject({
    'x-forwarded-for': '127.0.0.1',
    'x-site': 'a:b',
  })
  const elsewhere = await start('--trusted-proxy', '192.0.2.0/24', '--trusted-proxy', '::1')
  expect(await headersAt(elsewhere.url)).toMatchObject({ 'x-forwarded-for': '127.0.0.1' })
  const usual = await start()
  expect(await headersAt(usual.url)).toMatchObject({ 'x-forwarded-for': '1.2.3.4,127.0.0.1' })
  const silent = await start('--no-x-forward')
  expect(await headersAt(silent.url)).toMatchObject({ 'x-forwarded-for': '1.2.3.4' })
  expect(await headersAt(silent.url)).not.toHaveProperty('x-forwarded-proto')
})
