import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { afterEach, expect, it } from 'vitest'
import type { SpawnRequest } from '../../plugin-api/spawner.ts'
import { simpleSpawner, toHomeDir } from '../simple/definition.ts'
import { parseCgroupPlaces, planCgroups } from './cgroup.ts'
import { findFreePort } from './port.ts'
import { isRunning, parseStat } from './process-table.ts'
import { listRunProcesses } from './run-processes.ts'
import { logPath, tailLog, trimLog } from './server-log.ts'
import { makeContext, makeRequest } from './test-support.ts'
import { exportLines } from './wrapper.ts'

const never = new AbortController().signal
const cleanUps: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

async function begin(changes: Partial<SpawnRequest>, optionChanges: object = {}) {
  const { context, dispose, dataDir } = makeContext()
  const options = { ...context.options, ...optionChanges }
  const spawner = simpleSpawner.create({ ...context, options })
  const request = makeRequest(changes)
  const state = await spawner.prepare(request, never)
  cleanUps.push(dispose, async () => await spawner.stop(state, AbortSignal.timeout(1)))
  const start = async () => await spawner.start(request, state, never)
  const alive = async () => await listRunProcesses({ ...state, leader: undefined, known: [] })
  return { spawner, state, start, alive, dataDir }
}

it('a process that got the pid of a dead server is not that server, and is not signalled', async () => {
  const { spawner, state } = await begin({})
  const own = parseStat(await readFile('/proc/self/stat', 'latin1'))
  const forged = { ...state, pid: own.pid, startTicks: `${Number(own.startTicks) - 1}` }
  expect(await spawner.poll(forged, never)).toBe(0)
  await spawner.stop(forged, never)
  expect(await isRunning(own)).toBe(true)
})

it('after a reboot the server is over, whatever has its pid', async () => {
  const { spawner, start } = await begin({ command: ['sleep', '60'] })
  const { state } = await start()
  expect(await spawner.poll({ ...state, bootId: 'another-boot' }, never)).toBe(0)
})

it('the exit status of a server is its own, a signal counts negative', async () => {
  const exit = await begin({ command: ['sh', '-c', 'sleep 0.6; exit 3'] })
  const { state } = await exit.start()
  await expect.poll(() => exit.spawner.poll(state, never)).toBe(3)
  const killed = await begin({ command: ['sh', '-c', 'sleep 0.6; kill -9 $$'] })
  const second = await killed.start()
  await expect.poll(() => killed.spawner.poll(second.state, never)).toBe(-9)
})

it('an early exit fails the start with status and last lines', async () => {
  const { start } = await begin({ command: ['sh', '-c', 'echo no kernel found; exit 4'] })
  await expect(start()).rejects.toThrow(/status 4[^]*no kernel found/)
})

it('a missing command fails the start with the remedy', async () => {
  await expect((await begin({ command: ['no-such-command'] })).start()).rejects.toThrow(
    'pip install',
  )
  await expect((await begin({ command: ['/no/such'] })).start()).rejects.toThrow('pip install')
})

it('a port that another program holds fails the start and is named', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as AddressInfo
  const { start } = await begin({ bind: { ip: '127.0.0.1', port } })
  await expect(start()).rejects.toThrow(`port ${port} is taken`)
  other.close()
})

it('stop ends what ignores signals, left the session, or cleared its environment', async () => {
  const script =
    "trap '' INT TERM; setsid sleep 61 & env -i setsid sleep 62 & sleep 63 & wait; wait; sleep 64"
  const { spawner, start, alive } = await begin(
    { command: ['sh', '-c', script] },
    { interruptTimeoutMs: 100, termTimeoutMs: 100 },
  )
  const { state } = await start()
  const leader = { pid: state.pid ?? 0, startTicks: state.startTicks ?? '' }
  const everything = async () => await listRunProcesses({ ...state, leader, known: [] })
  await expect.poll(everything).toHaveLength(4)
  const before = await everything()
  await spawner.stop(state, never)
  expect(await alive()).toEqual([])
  expect(await Promise.all(before.map(isRunning))).toEqual([false, false, false, false])
})

it('an aborted stop kills at once', async () => {
  const { spawner, start, alive } = await begin(
    { command: ['sh', '-c', "trap '' INT TERM; while :; do sleep 1; done"] },
    { interruptTimeoutMs: 60_000, termTimeoutMs: 60_000 },
  )
  const { state } = await start()
  await spawner.stop(state, AbortSignal.timeout(200))
  expect(await alive()).toEqual([])
})

it('poll throws when the data folder is gone and nothing else is known', async () => {
  const { spawner, state, dataDir } = await begin({})
  await rm(dataDir, { recursive: true })
  await expect(spawner.poll(state, never)).rejects.toThrow('ENOENT')
  await mkdir(dataDir) // for the clean-up
})

it('secrets are in no command line, and shell text in values stays text', async () => {
  const secret = '$(touch /tmp/orrery-injected) `id` \'"; exit 9'
  const { start, spawner, alive } = await begin({
    command: ['sh', '-c', 'printf "%s" "$TOKEN"; exec sleep 60'],
    environment: () => ({ TOKEN: secret }),
  })
  const { state } = await start()
  await expect.poll(() => spawner.logTail?.(state, 5)).toBe(secret)
  const lines = await Promise.all(
    (await alive()).map(({ pid }) => readFile(`/proc/${pid}/cmdline`, 'latin1')),
  )
  expect(lines.join()).not.toContain('touch')
})

it('shellCmd gets the command as one quoted word', async () => {
  const { spawner, start } = await begin(
    { command: ['sh', '-c', 'echo "<$1>"; exec sleep 60', 'x', "it's two words"] },
    { shellCmd: ['sh', '-c'] },
  )
  const { state } = await start()
  await expect.poll(() => spawner.logTail?.(state, 5)).toBe("<it's two words>")
})

it('the log is bounded, its end kept, and its tail free of control codes', async () => {
  const { state, start } = await begin({ command: ['sleep', '60'] })
  await start()
  await writeFile(logPath(state.runDir), `${'x'.repeat(5000)}\n\u001b[31mlast\u001b[0m\n`)
  await trimLog(state.runDir, 100)
  expect((await stat(logPath(state.runDir))).size).toBe(0)
  expect((await stat(`${logPath(state.runDir)}.1`)).size).toBe(100)
  await writeFile(logPath(state.runDir), 'one\n\u001b[31mtwo\u001b[0m\nthree\n')
  expect(await tailLog(state.runDir, 2)).toBe('two\nthree')
})

it('forget removes the folder of the run', async () => {
  const { spawner, start, state } = await begin({ command: ['sleep', '60'] })
  const started = await start()
  await spawner.stop(started.state, never)
  await spawner.forget?.(started.state)
  await expect(stat(state.runDir)).rejects.toThrow('ENOENT')
})

it('ports handed out at the same time differ', async () => {
  const ports = await Promise.all(Array.from({ length: 30 }, () => findFreePort('127.0.0.1')))
  expect(new Set(ports).size).toBe(30)
})

it('names that a shell cannot export are told, not run', () => {
  const { text, leftOut } = exportLines({ GOOD: "it's", 'a;b': 'x', UID: '1' })
  expect(text).toBe(`export GOOD='it'"'"'s'`)
  expect(leftOut).toEqual(['a;b', 'UID'])
})

it('a user name cannot leave its place in the home template', () => {
  expect(toHomeDir('/srv/{username}/home', '$&x')).toBe('/srv/$&x/home')
  for (const name of ['', '.', '..', '../x', 'a/b']) {
    expect(() => toHomeDir('/tmp/{username}', name)).toThrow('cannot name a home folder')
  }
})

it('limits go below the cgroups of the hub, in the files of their version', async () => {
  const mounts = [
    '30 1 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    '31 1 0:2 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu',
  ].join('\n')
  const places = parseCgroupPlaces('4:memory:/hub.service\n1:cpu:/\n0::/\n', mounts)
  const plans = await planCgroups(places, 'r', { memLimitBytes: 1024, cpuLimitCores: 0.5 })
  expect(plans).toEqual([
    {
      folder: '/sys/fs/cgroup/memory/hub.service/orrery-r',
      files: [['memory.limit_in_bytes', '1024']],
    },
    {
      folder: '/sys/fs/cgroup/cpu/orrery-r',
      files: [
        ['cpu.cfs_period_us', '100000'],
        ['cpu.cfs_quota_us', '50000'],
      ],
    },
  ])
})
