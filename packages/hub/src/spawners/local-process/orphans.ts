import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { findClaim } from './claim.ts'
import { hasErrno } from '../../util/errno.ts'
import { loadBootId } from './process-table.ts'
import { listRunProcesses } from './run-processes.ts'
import type { ProcessState } from './state.ts'

/** Only what `stop` and `forget` need is known of a run that the hub has lost: not its address. */
const unknownPort = 1

/**
 * Runs below `dataDir` with live processes that `knownRunIds` does not name. Each can be given to
 * the spawner's `stop` and `forget`. Younger than `minAgeMs` are left out: their hub may be about
 * to store them.
 */
export async function listOrphanRuns(
  dataDir: string,
  knownRunIds: ReadonlySet<string>,
  minAgeMs = 0,
): Promise<ProcessState[]> {
  const bootId = await loadBootId()
  const orphans: ProcessState[] = []
  for (const runId of await listRunIds(dataDir)) {
    if (knownRunIds.has(runId)) continue
    const runDir = join(dataDir, 'runs', runId)
    const claim = await findClaim(runDir)
    const leader = claim?.kind === 'process' && claim.bootId === bootId ? claim : undefined
    const alive = await listRunProcesses({ runId, runDir, leader, known: [] })
    if (alive.length === 0 || (await ageMs(runDir)) < minAgeMs) continue
    orphans.push({ runId, ip: '127.0.0.1', port: unknownPort, runDir, bootId })
  }
  return orphans
}

async function listRunIds(dataDir: string): Promise<string[]> {
  try {
    return (await readdir(join(dataDir, 'runs'))).filter((name) => /^[0-9a-f]{32}$/.test(name))
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return []
    throw error
  }
}

async function ageMs(folder: string): Promise<number> {
  return Date.now() - (await stat(folder)).birthtimeMs
}
