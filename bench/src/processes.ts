import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const clockTicksPerSecond = 100
const wantedFiles = 65_536

/** Programs under test get one core, clients and targets another: with `--pin`, from two cores on. */
export type Place = 'server' | 'client' | 'anywhere'

let isPinning = false

/** @returns why it cannot be, or `undefined` */
export function pinProcesses(): string | undefined {
  if (availableParallelism() < 2) return 'one core only'
  if (findProgram('taskset') === undefined) return 'taskset is not on the PATH'
  isPinning = true
  return undefined
}

/** Files that a process started here may open: `wantedFiles` where the limit can be raised. */
export function fileLimit(): number {
  const { stdout } = spawnSync('sh', ['-c', `${raiseLimit}; ulimit -n`], { encoding: 'utf8' })
  const limit = stdout.trim()
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit)
}

const raiseLimit = `ulimit -n ${wantedFiles} 2>/dev/null || ulimit -n $(ulimit -Hn)`

export interface StartOptions {
  readonly place?: Place
  readonly env?: NodeJS.ProcessEnv
  /** With a channel for messages. */
  readonly hasChannel?: boolean
}

/** Starts a program with as many files as may be, on the core of its place. */
export function startProgram(
  command: string,
  args: readonly string[],
  { place = 'server', env = {}, hasChannel = false }: StartOptions = {},
): ChildProcess {
  const placed = [...placing(place), command, ...args]
  const child = spawn('sh', ['-c', `${raiseLimit}; exec "$@"`, 'sh', ...placed], {
    stdio: ['ignore', 'ignore', 'ignore', ...(hasChannel ? (['ipc'] as const) : [])],
    env: { ...process.env, ...env },
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

const running = new Set<ChildProcess>()

/** Nothing that was started outlives this process, however it ends. */
export function endWithThisProcess(): void {
  process.once('exit', () => {
    for (const child of running) {
      // A client that was stopped takes no other signal.
      child.kill('SIGCONT')
      child.kill('SIGTERM')
    }
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
}

/** What begins a command line that is to run there. */
export function placing(place: Place): readonly string[] {
  if (!isPinning || place === 'anywhere') return []
  return ['taskset', '-c', place === 'server' ? '0' : '1']
}

export async function endProgram(child: ChildProcess, folder?: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const cancel = new AbortController()
    child.kill('SIGTERM')
    const tooLate = delay(10_000, undefined, { signal: cancel.signal }).then(
      () => child.kill('SIGKILL'),
      () => undefined,
    )
    await Promise.race([ended, tooLate])
    await ended
    cancel.abort()
  }
  if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** Resolves once something answers HTTP there. */
export async function untilAccepting(child: ChildProcess, port: number): Promise<void> {
  const giveUpAt = Date.now() + 60_000
  const program = child.spawnargs.slice(4).join(' ').slice(0, 200)
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`)
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer !== undefined) return
    if (Date.now() > giveUpAt) throw new Error(`${program} did not listen within a minute`)
    await delay(50)
  }
}

/** A program on the PATH. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, name)).find(isProgram)
}

/** What a program says of its version: its first line with a number. */
export function versionOf(program: string, flag: string): string {
  const { stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8', timeout: 10_000 })
  return /\d+\.\d+[\w.-]*/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown'
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((one) => statOf(one)?.[1] === String(pid))
}

/** Of all threads, the compiler's and the collector's too; to the nanosecond where Linux says so. */
export function cpuSecondsOf(pid: number): number {
  const tasks = `/proc/${pid}/task`
  if (!existsSync(`/proc/${pid}/schedstat`)) {
    const fields = statOf(pid)
    return (Number(fields?.[11]) + Number(fields?.[12])) / clockTicksPerSecond
  }
  let nanoseconds = 0
  for (const task of readdirSync(tasks)) {
    try {
      nanoseconds += Number(readFileSync(`${tasks}/${task}/schedstat`, 'latin1').split(' ')[0])
    } catch {
      // A thread that has just ended.
    }
  }
  return nanoseconds / 1e9
}

/** Resident memory, in bytes. */
export function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) * 1024
}

export function openFilesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** Fields of `/proc/PID/stat` from the third on; `undefined` when there is no such process. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}
