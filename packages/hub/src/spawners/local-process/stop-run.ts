import { setTimeout as sleep } from 'node:timers/promises'
import type { SpawnerLogger } from '../../plugin-api/spawner.ts'
import { ensureClaimed } from './claim.ts'
import type { LocalProcessOptions } from './options.ts'
import { isRunning, loadBootId } from './process-table.ts'
import type { ProcessId } from './process-table.ts'
import { removeRunCgroups } from './run-limits.ts'
import { listRunProcesses, signalAll } from './run-processes.ts'
import type { ProcessState } from './state.ts'

const lookEveryMs = 25
/** For what outlives its server, such as background jobs, between SIGTERM and SIGKILL. */
const leftoverGraceMs = 1_000

/**
 * Ends a run and everything it started. First takes the claim, so that a start that is still under
 * way on another hub cannot happen later. An abort goes on with SIGKILL at once rather than leaving
 * processes behind. Throws when something survives SIGKILL for `killTimeoutMs`.
 * Source: JupyterHub 6.0, `LocalProcessSpawner.stop`, for the order of signals and waits.
 * Differs from JupyterHub: kernels, terminals and background jobs end with their server.
 */
export async function stopRun(
  state: ProcessState,
  context: { options: LocalProcessOptions; logger: SpawnerLogger; signal: AbortSignal },
): Promise<void> {
  const { options, logger, signal } = context
  const claim = await ensureClaimed(state.runDir)
  const bootId = await loadBootId()
  const leader = claim.kind === 'process' && claim.bootId === bootId ? claim : undefined
  const traces = { runId: state.runId, runDir: state.runDir, leader }
  let known: readonly ProcessId[] = await listRunProcesses({ ...traces, known: [] })

  if (leader !== undefined && (await isRunning(leader))) {
    await signalAll([leader], 'SIGINT')
    if (!(await waitUntilGone([leader], options.interruptTimeoutMs, signal))) {
      await signalAll([leader], 'SIGTERM')
      await waitUntilGone([leader], options.termTimeoutMs, signal)
    }
  }
  known = await listRunProcesses({ ...traces, known })
  if (known.length > 0 && !signal.aborted) {
    await signalAll(known, 'SIGTERM')
    await waitUntilGone(known, Math.min(leftoverGraceMs, options.termTimeoutMs), signal)
  }
  await killAll({ ...traces, known }, options.killTimeoutMs)
  await removeRunCgroups(state.runDir, logger)
}

/** Looks again after each round, for a process may start others while it is being killed. */
async function killAll(
  traces: Parameters<typeof listRunProcesses>[0],
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  for (let known = traces.known; ; ) {
    known = await listRunProcesses({ ...traces, known })
    if (known.length === 0) return
    if (Date.now() > deadline) {
      const pids = known.map((id) => id.pid).join(', ')
      throw new Error(`processes of the server survived SIGKILL: ${pids}`)
    }
    await signalAll(known, 'SIGKILL')
    await sleep(lookEveryMs)
  }
}

/** `false` at the time limit or the abort. */
async function waitUntilGone(
  ids: readonly ProcessId[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const flags = await Promise.all(ids.map(isRunning))
    if (!flags.includes(true)) return true
    if (signal.aborted || Date.now() >= deadline) return false
    await sleep(lookEveryMs)
  }
}
