import { messageOf } from '../domain/errors.ts'
import type { Server } from '../domain/records.ts'
import { holdLease } from '../storage/leases.ts'
import { listServersIn } from '../storage/servers.ts'
import { withDeadline } from './deadline.ts'
import { secondsSince } from './observer.ts'
import { fullName, requestStop } from './requests.ts'
import type { WorkContext } from './work-context.ts'

/** Polls at once; the rest wait their turn, so that ten thousand servers are no storm. */
const concurrentPolls = 50
const pollTimeoutMs = 10_000
const leaseName = 'poller'

/**
 * Whether the server's process still runs: `null` for yes, an exit status for no.
 * Throws when the spawner cannot tell.
 */
export async function pollServer(context: WorkContext, server: Server): Promise<number | null> {
  const state = server.spawnerState
  if (state === null) return 0
  const spawner = context.spawnerOf(server.spawnerId ?? context.spawnerId)
  const since = context.now()
  const status = await withDeadline(
    { what: 'Asking whether the server runs', timeoutMs: pollTimeoutMs },
    (signal) => spawner.poll(state, signal),
  )
  // As the reference spells them.
  const label = status === null ? 'ServerPollStatus.running' : 'ServerPollStatus.stopped'
  const seconds = secondsSince(since, context.now())
  context.observe?.('server_poll_duration_seconds', { status: label }, seconds)
  return status
}

/** Polls one ready server and requests the clean-up of a dead one. @returns whether it is alive */
export async function pollAndCleanUp(context: WorkContext, server: Server): Promise<boolean> {
  let status: number | null
  try {
    status = await pollServer(context, server)
  } catch (error) {
    context.logger.warn(
      { server: fullName(server), cause: messageOf(error) },
      'the spawner cannot say whether the server runs; it is taken to run',
    )
    return true
  }
  if (status === null) return true
  context.logger.warn({ server: fullName(server), status }, 'the server has ended by itself')
  await requestStop(context, { server, actor: 'hub' })
  return false
}

export interface Poller {
  stop(): Promise<void>
}

/** Polls every ready server at once, for servers may have died with no hub to see it, then regularly. */
export function startPoller(context: WorkContext): Poller {
  const { pollIntervalMs, pollJitter } = context.settings
  const ending = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const since = context.now()
  let polling: Promise<void> = pollAll(context, ending.signal).finally(() => {
    const seconds = secondsSince(since, context.now())
    context.observe?.('init_spawners_duration_seconds', {}, seconds)
  })

  function schedule(): void {
    if (pollIntervalMs <= 0 || ending.signal.aborted) return
    const jitter = 1 + pollJitter * (2 * Math.random() - 1)
    timer = setTimeout(() => {
      polling = pollAll(context, ending.signal).finally(schedule)
    }, pollIntervalMs * jitter)
  }

  polling = polling.finally(schedule)
  return {
    async stop() {
      ending.abort()
      clearTimeout(timer)
      await polling
      clearTimeout(timer)
    },
  }
}

/** One hub polls at a time; the others find its lease and wait. */
async function pollAll(context: WorkContext, signal: AbortSignal): Promise<void> {
  const { store, settings, logger } = context
  try {
    const now = context.now()
    const expiresAt = new Date(now.getTime() + Math.max(settings.pollIntervalMs, 1_000) * 2)
    const mine = await store.write((tx) =>
      holdLease(tx, { name: leaseName, owner: store.hubId, now, expiresAt }),
    )
    if (!mine) return
    const waiting = await listServersIn(store.db, ['ready'])
    const workers = Array.from({ length: Math.min(concurrentPolls, waiting.length) }, async () => {
      for (let server = waiting.pop(); server !== undefined; server = waiting.pop()) {
        if (signal.aborted) return
        await pollAndCleanUp(context, server)
      }
    })
    await Promise.all(workers)
  } catch (error) {
    logger.error({ cause: messageOf(error) }, 'polling failed; tried again at the next interval')
  }
}
