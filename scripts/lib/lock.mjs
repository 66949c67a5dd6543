import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readIfPresent, writeWhole } from './files.mjs'
import { SetupError } from './failure.mjs'

const pollMs = 200

/** @typedef {{ addProcess: (pid: number) => void, release: () => void }} SetupLock */

/**
 * Waits until no other process holds the lock file, then holds it. The file lists processes by pid and start
 * time: the owner, and the tool it runs, which may outlive a killed owner and still be writing.
 * @param {string} path
 * @param {{ deadlineMs: number, onWait?: (pid: number) => void }} options
 * @returns {Promise<SetupLock>}
 */
export async function takeLock(path, options) {
  mkdirSync(dirname(path), { recursive: true })
  const until = Date.now() + options.deadlineMs
  const own = identify(process.pid)
  let told = false
  while (!tryCreate(path, own)) {
    const seen = readIfPresent(path)
    const holder = seen === undefined ? undefined : seen.split('\n').find(isAlive)
    if (seen !== undefined && holder === undefined) {
      setAside(path, seen)
      continue
    }
    if (holder !== undefined) {
      const pid = Number.parseInt(holder, 10)
      if (!told) options.onWait?.(pid)
      told = true
      if (Date.now() > until) {
        throw new SetupError(`process ${pid} has been setting this clone up for too long`, {
          remedy: `Look at what it does, end it, and run the command again. The lock is ${path}.`,
        })
      }
    }
    await sleep(pollMs)
  }
  return {
    addProcess: (pid) => writeWhole(path, `${own}\n${identify(pid)}`),
    release: () => {
      if (readIfPresent(path)?.split('\n')[0] === own) rmSync(path, { force: true })
    },
  }
}

/**
 * A link appears with its content, whereas a file that is created and then filled can be seen empty.
 * @param {string} path
 * @param {string} content
 */
function tryCreate(path, content) {
  const draft = `${path}.${process.pid}.new`
  writeFileSync(draft, content)
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/**
 * Removes a lock whose owner is gone. Renaming tells what was removed: should another process have been
 * quicker and hold a new lock by now, that one is put back.
 * @param {string} path
 * @param {string} stale
 */
function setAside(path, stale) {
  const aside = `${path}.${process.pid}.stale`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  try {
    if (readFileSync(aside, 'utf8') !== stale) linkSync(aside, path)
  } finally {
    rmSync(aside, { force: true })
  }
}

/**
 * `pid start-time`; without /proc the start time is empty and the pid alone has to do.
 * @param {number} pid
 */
function identify(pid) {
  const stat = readIfPresent(`/proc/${pid}/stat`)
  // Field 22, counted from the end of the command, which may itself hold spaces. Source: proc_pid_stat(5).
  const startTime = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  return `${pid} ${startTime ?? ''}`
}

/** @param {string} entry */
function isAlive(entry) {
  const pid = Number.parseInt(entry, 10)
  if (!(pid > 0) || entry !== identify(pid)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
