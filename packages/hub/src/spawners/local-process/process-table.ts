import { readdir, readFile } from 'node:fs/promises'
import { hasErrno } from '../../util/errno.ts'

/** One process, identified beyond the reuse of its pid. */
export interface ProcessId {
  readonly pid: number
  readonly startTicks: string
}

export interface ProcessRow extends ProcessId {
  readonly parentPid: number
  readonly sessionId: number
  /** Dead, only waiting for its parent to notice. */
  readonly isZombie: boolean
}

/**
 * `undefined` when there is no such process.
 * Throws when that cannot be told: `/proc` unreadable or not mounted.
 * Source: proc(5), `/proc/[pid]/stat`.
 */
export async function findProcess(pid: number): Promise<ProcessRow | undefined> {
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, 'latin1'))
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ESRCH')) throw error
  }
  // Without /proc every process looks dead; then nothing is known.
  await readFile('/proc/self/stat')
  return undefined
}

/** All processes except the caller's own. Those that end while we look are left out. */
export async function listProcesses(): Promise<ProcessRow[]> {
  const pids = (await readdir('/proc')).filter((name) => /^[1-9][0-9]*$/.test(name)).map(Number)
  const rows = await Promise.all(pids.filter((pid) => pid !== process.pid).map(findProcess))
  return rows.filter((row) => row !== undefined)
}

/** Whether exactly this process still runs; a zombie does not. */
export async function isRunning(id: ProcessId): Promise<boolean> {
  const row = await findProcess(id.pid)
  return row !== undefined && row.startTicks === id.startTicks && !row.isZombie
}

/** Whether a process was started with `name=value`; false for what we may not look into. */
export async function startedWith(pid: number, variable: string): Promise<boolean> {
  try {
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1')
    return environment.split('\0').includes(variable)
  } catch {
    return false
  }
}

/** Command line with its words separated by NUL; `''` when the process is gone. */
export async function commandLine(pid: number): Promise<string> {
  return await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')
}

/** Changes with every boot, so that pids of an earlier one mean nothing. */
export async function loadBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim()
}

/** The name in parentheses may hold spaces and parentheses itself, hence the search from the end. */
export function parseStat(text: string): ProcessRow {
  const pid = Number.parseInt(text, 10)
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, parentPid, , sessionId] = fields
  const startTicks = fields[19]
  if (!Number.isSafeInteger(pid) || state === undefined || startTicks === undefined) {
    throw new Error(`unexpected text in /proc/PID/stat: ${JSON.stringify(text.slice(0, 80))}`)
  }
  return {
    pid,
    startTicks,
    parentPid: Number(parentPid),
    sessionId: Number(sessionId),
    isZombie: state === 'Z' || state === 'X' || state === 'x',
  }
}
