import {
  closeSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../domain/errors.ts'
import type { EdgeLog } from '../proxy/data-plane/context.ts'
import { findProcess, type ProcessIdentity } from '../util/process-identity.ts'
import { hasErrno } from '../util/errno.ts'
import { UsageError } from './edge-flags.ts'

/** Nobody holds the lock for longer than it takes to read and write a small file. */
const staleLockMs = 2000
const lockPauseMs = 10

/**
 * The edge that a pid file names: a process that was given the same file. Another one that got the
 * number of an edge which has ended is none, were it an edge as well.
 */
export function findEdgeOf(path: string): ProcessIdentity | undefined {
  const pid = Number(readOr('', path).trim())
  if (!Number.isSafeInteger(pid) || pid < 1 || pid === process.pid) return undefined
  const found = findProcess(pid)
  const words = readOr('', `/proc/${pid}/cmdline`).split('\0')
  const at = placeOf(path, process.cwd())
  const isGiven = (word: string): boolean => placeOf(word, folderOf(pid)) === at
  return words.map((word) => word.replace(/^--pid-file=/, '')).some(isGiven) ? found : undefined
}

/** A place that cannot be written is refused before anything is served; what is there stays. */
export function checkPidFile(path: string): void {
  try {
    closeSync(openSync(path, 'a', 0o600))
  } catch (error) {
    throw new UsageError(`--pid-file: ${messageOf(error)}`)
  }
}

/**
 * Makes this process the one that the file names. Of two that do so at a time, one sees the other.
 * The disk may have become full meanwhile: serving matters more than the file.
 * @returns the edge that it named till then
 */
export async function takePidFile(
  path: string,
  log: EdgeLog,
): Promise<ProcessIdentity | undefined> {
  const lock = `${path}.lock`
  let isLocked = false
  try {
    isLocked = await takeLock(lock)
    const before = findEdgeOf(path)
    writeFileSync(path, String(process.pid), { mode: 0o600 })
    return before
  } catch (error) {
    log('error', `the process id cannot be written, serving without: ${messageOf(error)}`)
    return undefined
  } finally {
    if (isLocked) rmSync(lock, { force: true })
  }
}

/** A successor may have written its own by now. */
export function leavePidFile(path: string): void {
  if (readOr('', path) === String(process.pid)) rmSync(path, { force: true })
}

/** @returns false where none can be made: the folder may be another's, and the file is what counts. */
async function takeLock(lock: string): Promise<boolean> {
  try {
    while (!makeLock(lock)) {
      const since = statSync(lock, { throwIfNoEntry: false })?.ctimeMs ?? Date.now()
      // Its owner was killed; a clock that was set back must not make it last.
      if (Math.abs(Date.now() - since) > staleLockMs) rmSync(lock, { force: true })
      else await sleep(lockPauseMs)
    }
    return true
  } catch {
    return false
  }
}

/** @returns false when there is one */
function makeLock(lock: string): boolean {
  try {
    writeFileSync(lock, '', { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return false
    throw error
  }
}

/** Where a path leads, however it is written. */
function placeOf(path: string, folder: string): string {
  const full = resolve(folder, path)
  try {
    return join(realpathSync(dirname(full)), basename(full))
  } catch {
    return full
  }
}

function folderOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return '/'
  }
}

function readOr(otherwise: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return otherwise
  }
}
