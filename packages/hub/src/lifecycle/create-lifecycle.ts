import type { Server } from '../domain/records.ts'
import { findServerById, listServersIn } from '../storage/servers.ts'
import { nextChange } from './changes.ts'
import { watchDisabledUsers } from './disabled-users.ts'
import type { Lifecycle } from './lifecycle.ts'
import { refusalLabels } from './observer.ts'
import { pollAndCleanUp, startPoller } from './poller.ts'
import { followProgress } from './progress.ts'
import { type Reconciler, startReconciler } from './reconciler.ts'
import { requestStart, requestStop } from './requests.ts'
import type { WorkContext } from './work-context.ts'

/** How long `verify` waits for the clean-up of a server that it found dead. */
const cleanUpTimeoutMs = 5_000

export interface RunningLifecycle extends Lifecycle {
  /** Requests the stop of every active server and waits until all are stopped or time is up. */
  stopAll(actor: string, timeoutMs: number): Promise<void>
  /** Ends this hub's part in the work; servers go on running. */
  close(): Promise<void>
}

/** Starts the reconciler and the poller, and answers the rest of the hub. */
export async function createLifecycle(
  context: WorkContext,
  options: { alone: boolean },
): Promise<RunningLifecycle> {
  const reconciler: Reconciler = await startReconciler(context, options)
  const poller = startPoller(context)
  const endWatch = watchDisabledUsers(context)
  const settled = (id: number, timeoutMs: number, signal?: AbortSignal) =>
    untilSettled(context, { id, timeoutMs, signal })

  return {
    async start(request) {
      try {
        return await requestStart(context, request)
      } catch (error) {
        const labels = refusalLabels(error)
        if (labels !== undefined) context.observe?.('server_spawn_duration_seconds', labels, 0)
        throw error
      }
    },
    stop: (request) => requestStop(context, request),
    settled,
    async verify(server) {
      if (server.state.kind !== 'ready') return server
      if (await pollAndCleanUp(context, server)) return server
      return (await settled(server.id, cleanUpTimeoutMs)) ?? server
    },
    progress: (server, signal) =>
      followProgress(
        { store: context.store, place: context.settings, serverId: server.id },
        signal,
      ),
    async stopAll(actor, timeoutMs) {
      const active = await listServersIn(context.store.db, ['spawning', 'ready'])
      await Promise.allSettled(active.map((server) => requestStop(context, { server, actor })))
      const stopping = await listServersIn(context.store.db, ['stopping'])
      await Promise.all(stopping.map((server) => settled(server.id, timeoutMs)))
    },
    async close() {
      await endWatch()
      await poller.stop()
      await reconciler.stop()
    },
  }
}

async function untilSettled(
  context: WorkContext,
  wait: { id: number; timeoutMs: number; signal: AbortSignal | undefined },
): Promise<Server | undefined> {
  const giveUp = AbortSignal.timeout(Math.max(wait.timeoutMs, 0))
  const signal = wait.signal === undefined ? giveUp : AbortSignal.any([giveUp, wait.signal])
  for (;;) {
    const change = nextChange(context.store, { topics: ['server'], ids: [wait.id], signal })
    try {
      const server = await findServerById(context.store.db, wait.id)
      const kind = server?.state.kind
      if ((kind !== 'spawning' && kind !== 'stopping') || signal.aborted) return server
      await change.changed
    } finally {
      change.stop()
    }
  }
}
