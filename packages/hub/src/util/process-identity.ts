import { readFileSync } from 'node:fs'

/**
 * A process for as long as it lives: pids are given out again, a pid together with the instant at
 * which the process began (in ticks since boot) is not.
 */
export interface ProcessIdentity {
  readonly pid: number
  /** Field 22 of `/proc/PID/stat`; `''` where there is no `/proc`. */
  readonly startTicks: string
}

/** The identity of a running process; `undefined` when there is none or it has ended (a zombie). */
export function findProcess(pid: number): ProcessIdentity | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  // The second field is the command in parentheses, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state] = fields
  const startTicks = fields[19]
  if (startTicks === undefined || state === 'Z' || state === 'X') return undefined
  return { pid, startTicks }
}

export function isAlive(process: ProcessIdentity): boolean {
  return findProcess(process.pid)?.startTicks === process.startTicks
}

/** Sends a signal to that very process. @returns whether it was there to get it */
export function signalProcess(target: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(target)) return false
  try {
    process.kill(target.pid, signal)
    return true
  } catch {
    return false
  }
}
