import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hasErrno } from '../../util/errno.ts'
import { loadBootId } from './process-table.ts'
import type { ProcessId } from './process-table.ts'

/** Who holds a run: one process, or nobody for ever (`tombstone`). */
export type Claim =
  | ({ readonly kind: 'process'; readonly bootId: string } & ProcessId)
  | { readonly kind: 'tombstone' }

let sequence = 0

/**
 * `undefined` while the run is unclaimed. A claim appears whole or not at all, because it is written
 * aside and then hard-linked to its name; it never changes afterwards.
 * Throws when the data folder cannot be read: unknown is not unclaimed.
 */
export async function findClaim(runDir: string): Promise<Claim | undefined> {
  try {
    return parseClaim(await readFile(join(runDir, 'pid'), 'latin1'))
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error
  }
  // A missing file in a missing data folder (an unmounted disk) tells nothing.
  await stat(dirname(dirname(runDir)))
  return undefined
}

/**
 * Takes the run for nobody unless a process has it; returns whose it is. A wrapper that comes later
 * finds the claim taken and exits without starting anything.
 */
export async function ensureClaimed(runDir: string): Promise<Claim> {
  const existing = await findClaim(runDir)
  if (existing !== undefined) return existing
  await mkdir(runDir, { recursive: true, mode: 0o700 })
  const draft = join(runDir, `claim.hub.${process.pid}.${sequence++}`)
  await writeFile(draft, `0 0 ${await loadBootId()}\n`, { mode: 0o600 })
  try {
    await link(draft, join(runDir, 'pid'))
    return { kind: 'tombstone' }
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error
    return parseClaim(await readFile(join(runDir, 'pid'), 'latin1'))
  } finally {
    await rm(draft, { force: true })
  }
}

function parseClaim(text: string): Claim {
  const match = /^([0-9]{1,10}) ([0-9]{1,20}) ([0-9a-f-]{1,64})\n$/.exec(text)
  const [, pid, startTicks, bootId] = match ?? []
  if (pid === undefined || startTicks === undefined || bootId === undefined) {
    throw new Error('the pid file of the run is damaged')
  }
  if (pid === '0') return { kind: 'tombstone' }
  return { kind: 'process', pid: Number(pid), startTicks, bootId }
}
