import { listCgroupPids } from './cgroup.ts'
import { isRunning, listProcesses, startedWith } from './process-table.ts'
import type { ProcessId, ProcessRow } from './process-table.ts'
import { listRunCgroups } from './run-limits.ts'

export const runVariable = 'ORRERY_RUN_ID'

/** What one run may have left, as known from its claim and earlier looks. */
export interface RunTraces {
  readonly runId: string
  readonly runDir: string
  readonly leader: ProcessId | undefined
  /** Found before; they stay part of the run when their parents are gone. */
  readonly known: readonly ProcessId[]
}

/**
 * Everything alive of a run: its session, its cgroups, processes started with its run id, and the
 * descendants of all these. One mark alone is not enough: kernels and terminals of Jupyter start
 * sessions of their own, a program may clear its environment, and parents may be gone.
 */
export async function listRunProcesses(traces: RunTraces): Promise<ProcessRow[]> {
  const rows = await listProcesses()
  const found = new Set(await rootsAmong(rows, traces))
  // Children may be listed before their parents, hence rounds.
  for (let before = -1; before !== found.size; ) {
    before = found.size
    const pids = new Set([...found].map((row) => row.pid))
    for (const row of rows) if (pids.has(row.parentPid)) found.add(row)
  }
  return [...found].filter((row) => !row.isZombie)
}

async function rootsAmong(rows: readonly ProcessRow[], traces: RunTraces): Promise<ProcessRow[]> {
  const { leader } = traces
  const isSame = (id: ProcessId) => (row: ProcessRow) =>
    row.pid === id.pid && row.startTicks === id.startTicks
  // The number of a session is only its leader's while the leader (or its zombie) is there.
  const session = leader && rows.some(isSame(leader)) ? leader.pid : undefined
  const known = new Set(traces.known.map((id) => `${id.pid} ${id.startTicks}`))
  const inCgroup = new Set(
    (await Promise.all((await listRunCgroups(traces.runDir)).map(listCgroupPids))).flat(),
  )
  const mark = `${runVariable}=${traces.runId}`
  const isRoot = async (row: ProcessRow) =>
    row.sessionId === session ||
    known.has(`${row.pid} ${row.startTicks}`) ||
    inCgroup.has(row.pid) ||
    (await startedWith(row.pid, mark))
  const flags = await Promise.all(rows.map(isRoot))
  return rows.filter((_, index) => flags[index])
}

/** Sends a signal to exactly these processes; those that ended meanwhile are skipped. */
export async function signalAll(ids: readonly ProcessId[], signal: NodeJS.Signals): Promise<void> {
  for (const id of ids) {
    if (!(await isRunning(id))) continue
    try {
      process.kill(id.pid, signal)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  }
}
