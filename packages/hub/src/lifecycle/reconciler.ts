import { messageOf } from '../domain/errors.ts'
import type { Operation } from '../domain/records.ts'
import {
  claimOperation,
  countOperations,
  countRunningSpawnsByUser,
  findOperation,
  listClaimable,
  releaseLeases,
  renewLease,
} from '../storage/operations.ts'
import { runSpawn } from './spawn-operation.ts'
import { fairOrder } from './spawn-queue.ts'
import { runStop } from './stop-operation.ts'
import {
  HubEnding,
  LeaseLost,
  SpawnCancelled,
  type Work,
  type WorkContext,
} from './work-context.ts'

/** A hub that dies is replaced after this long. */
const leaseMs = 10_000
const renewEveryMs = 3_000
/** A lost message costs no more than this. */
const lookEveryMs = 1_000
/** Stops at work at once in one hub. */
const maxStops = 200
/** Queued starts that are looked at for a fair order. */
const fairWindow = 2_000
/** How long an ending hub waits for work that does not heed its signal. */
const endTimeoutMs = 5_000

interface Running {
  readonly controller: AbortController
  readonly kind: Operation['kind']
  readonly done: Promise<void>
}

export interface Reconciler {
  /** Looks for work now rather than at the next change. */
  wake(): void
  /** Ends the hub's work; what is half done is left to the next hub. Resolves when all has ended. */
  stop(): Promise<void>
}

/**
 * Claims operations that nobody works on, runs them, and renews its leases while it does. Any
 * number of hubs do this side by side. `alone` says that no other hub can use this store, so that
 * leases left by an earlier process are void at once.
 */
export async function startReconciler(
  context: WorkContext,
  options: { alone: boolean },
): Promise<Reconciler> {
  const { store, logger } = context
  if (options.alone) await store.write((tx) => releaseLeases(tx))
  const running = new Map<number, Running>()
  let ending = false
  let looking: Promise<void> | undefined
  let lookAgain = false

  function wake(): void {
    lookAgain = true
    if (ending || looking !== undefined) return
    looking = look().finally(() => {
      looking = undefined
      if (lookAgain && !ending) wake()
    })
  }

  async function look(): Promise<void> {
    lookAgain = false
    try {
      await claimStops()
      await claimSpawns()
    } catch (error) {
      logger.error({ cause: messageOf(error) }, 'looking for operations failed; tried again soon')
    }
  }

  async function claimStops(): Promise<void> {
    const free = maxStops - [...running.values()].filter((run) => run.kind === 'stop').length
    if (free <= 0) return
    await claimAll(await listClaimable(store.db, { now: context.now(), limit: free, kind: 'stop' }))
  }

  async function claimSpawns(): Promise<void> {
    const claimable = await listClaimable(store.db, {
      now: context.now(),
      limit: fairWindow,
      kind: 'spawn',
    })
    if (claimable.length === 0) return
    // Starts that another hub left half done hold their place already.
    await claimAll(claimable.filter((operation) => operation.state === 'running'))
    const queued = claimable.filter((operation) => operation.state === 'queued')
    const limit = context.settings.concurrentSpawnLimit
    const atWork = await countOperations(store.db, 'spawn', ['running'])
    const free = limit === 0 ? queued.length : limit - atWork
    if (free <= 0) return
    const byId = new Map(queued.map((operation) => [operation.id, operation]))
    const order = fairOrder(queued, await countRunningSpawnsByUser(store.db)).slice(0, free)
    await claimAll(order.flatMap((spawn) => byId.get(spawn.id) ?? []))
  }

  /** Claims share commits; each claimed operation then runs on its own. */
  async function claimAll(operations: readonly Operation[]): Promise<void> {
    await Promise.all(operations.filter((operation) => !running.has(operation.id)).map(claim))
  }

  async function claim(operation: Operation): Promise<void> {
    const now = context.now()
    const claimed = await store.write((tx) =>
      claimOperation(tx, operation, {
        owner: store.hubId,
        now,
        expiresAt: new Date(now.getTime() + leaseMs),
      }),
    )
    if (claimed !== undefined && !ending) begin(claimed)
  }

  function begin(operation: Operation): void {
    const controller = new AbortController()
    const hold = { id: operation.id, owner: store.hubId, attempt: operation.attempt }
    const work = { operation, hold, signal: controller.signal }
    if (operation.cancelRequested) controller.abort(new SpawnCancelled())
    const done = run(work).finally(() => {
      running.delete(operation.id)
      wake() // the next in line, or the stop that waited for this start
    })
    running.set(operation.id, { controller, kind: operation.kind, done })
  }

  async function run(work: Work): Promise<void> {
    const { operation } = work
    try {
      await (operation.kind === 'spawn' ? runSpawn(context, work) : runStop(context, work))
    } catch (error) {
      if (error instanceof HubEnding || error instanceof LeaseLost) return
      // The store could not be written, or a bug: the lease runs out and somebody goes on from there.
      logger.error(
        { operation: operation.id, kind: operation.kind, cause: messageOf(error) },
        'an operation was interrupted; it is taken up again when its lease ends',
      )
    }
  }

  async function renew(): Promise<void> {
    const expiresAt = new Date(context.now().getTime() + leaseMs)
    await Promise.all(
      [...running].map(async ([id, { controller }]) => {
        const current = await findOperation(store.db, id)
        if (current === undefined) return controller.abort(new LeaseLost(id))
        const hold = { id, owner: store.hubId, attempt: current.attempt }
        const renewed = await store.write((tx) => renewLease(tx, hold, expiresAt))
        if (renewed === undefined && running.has(id)) controller.abort(new LeaseLost(id))
        if (renewed?.cancelRequested === true) controller.abort(new SpawnCancelled())
      }),
    )
  }

  async function heed(id: number): Promise<void> {
    const current = await findOperation(store.db, id)
    if (current?.cancelRequested === true) running.get(id)?.controller.abort(new SpawnCancelled())
  }

  const off = store.bus.on(['operation'], (change) => {
    wake()
    if (change !== undefined && running.has(Number(change.id))) {
      heed(Number(change.id)).catch(() => undefined) // the next renewal sees it too
    }
  })
  const timers = [
    setInterval(wake, lookEveryMs),
    setInterval(() => {
      renew().catch((error: unknown) => {
        logger.warn({ cause: messageOf(error) }, 'leases could not be renewed; tried again soon')
      })
    }, renewEveryMs),
  ]
  wake()

  return {
    wake,
    async stop() {
      ending = true
      off()
      for (const timer of timers) clearInterval(timer)
      await looking
      const work = [...running.values()]
      for (const { controller } of work) controller.abort(new HubEnding())
      const all = Promise.allSettled(work.map(({ done }) => done))
      const timeout = new Promise((resolve) => setTimeout(resolve, endTimeoutMs).unref())
      await Promise.race([all, timeout])
      await store.write((tx) => releaseLeases(tx, store.hubId)).catch(() => undefined) // they run out
    },
  }
}
