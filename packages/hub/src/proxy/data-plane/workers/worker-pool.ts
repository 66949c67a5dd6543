import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../../domain/errors.ts'
import type { RoutingTable } from '../../routing-table.ts'
import type { EdgeLog } from '../context.ts'
import type { Front, FrontSettings } from '../front.ts'
import { createLimitMemory, type LimitMemory, SharedLimits } from '../limits/limit-memory.ts'
import { noLimits } from '../limits/request-limits.ts'
import type { Listen } from '../listen.ts'
import { EdgeCounts } from '../metrics/counts.ts'
import type { Drain } from '../public-server.ts'
import { type WorkerEvents, WorkerThread } from './worker-thread.ts'

export interface WorkerPoolOptions {
  readonly count: number
  readonly settings: FrontSettings
  /** Which every worker reads for itself. */
  readonly table: RoutingTable
  readonly log: EdgeLog
  /** No worker can be kept: nothing is served any more, and none is started again. */
  readonly onDead: (error: Error) => void
  readonly limits?: WorkerLimits
}

export interface WorkerLimits {
  /** A worker whose event loop does nothing for so long is replaced; 10 s unless given. */
  readonly stallMs?: number
  /** Of one worker's JavaScript objects; one that needs more is replaced. Node's own unless given. */
  readonly heapMb?: number
  /** Before the first start in place of one that ended; doubled each time. */
  readonly firstPauseMs?: number
}

/** How much is open now is not waited for longer. */
const measureMs = 100
const defaultStallMs = 10_000
/** The stall is counted in looks, so that a process that was stopped altogether is not taken for one. */
const looksPerStall = 10
const defaultFirstPauseMs = 100
const lastPauseMs = 10_000
/** One that served so long may end without its successor being held back. */
const steadyMs = 30_000
/** Workers that end so often, none serving long, are not started again; at least one for each place. */
const minFailures = 8

/**
 * Worker threads that listen on one port. One that ends or stalls is replaced; the others do
 * not notice. All read the routing table where it is written, so there is nothing to tell them.
 */
export class WorkerPool implements Front {
  readonly #options: WorkerPoolOptions
  readonly #threads = new Set<WorkerThread>()
  /** Those that listen or are about to, and are replaced when they end. */
  readonly #serving = new Set<WorkerThread>()
  readonly #ending = new AbortController()
  readonly #starting = new Set<Promise<void>>()
  /** What workers counted that have ended. */
  readonly #past = new EdgeCounts()
  readonly #firstPauseMs: number
  readonly #limitMemory: LimitMemory
  /** To give back what a worker had that has ended. */
  readonly #sharedLimits: SharedLimits
  #watch: NodeJS.Timeout | undefined
  #restarts = 0
  #ticketKeys: Uint8Array | undefined
  #at: Listen | undefined
  #pauseMs: number
  /** Ends of workers since one served for long. */
  #failures = 0

  constructor(options: WorkerPoolOptions) {
    this.#options = options
    this.#firstPauseMs = options.limits?.firstPauseMs ?? defaultFirstPauseMs
    this.#pauseMs = this.#firstPauseMs
    const { settings, count } = options
    const { limits = noLimits } = settings.server
    this.#limitMemory = createLimitMemory(limits, count)
    this.#sharedLimits = new SharedLimits(limits, this.#limitMemory, 0)
  }

  get workers(): number {
    return this.#serving.size
  }

  get restarts(): number {
    return this.#restarts
  }

  async countInto(sum: EdgeCounts): Promise<void> {
    await Promise.all([...this.#serving].map((thread) => thread.measure(measureMs)))
    sum.absorb(this.#past)
    for (const { counts } of this.#threads) sum.absorb(counts)
  }

  /** Resolves with the first worker, which has the cores for itself till then. */
  async listen(at: Listen): Promise<number> {
    const thread = this.#create(0)
    try {
      await thread.ready()
      this.#serving.add(thread)
      const port = await thread.listen(at)
      this.#at = { ...at, port }
    } catch (error) {
      await this.close({ requestsMs: 0, webSocketsMs: 0 })
      throw error
    }
    for (let place = 1; place < this.#options.count; place += 1) this.#keepStarting(place, 0)
    const { stallMs = defaultStallMs } = this.#options.limits ?? {}
    this.#watch = setInterval(() => this.#look(), stallMs / looksPerStall)
    return this.#at.port
  }

  async complete(): Promise<void> {
    await Promise.all(this.#starting)
  }

  reloadCertificates(): void {
    for (const thread of this.#threads) thread.reloadCertificates()
  }

  useTicketKeys(keys: Uint8Array): void {
    this.#ticketKeys = keys
    for (const thread of this.#threads) thread.useTicketKeys(keys)
  }

  async close(drain: Drain): Promise<void> {
    this.#ending.abort()
    clearInterval(this.#watch)
    await Promise.all([...this.#threads].map((thread) => thread.close(drain)))
    await Promise.all(this.#starting)
  }

  #look(): void {
    for (const thread of this.#serving) {
      if (thread.missedLooks() < looksPerStall) continue
      this.#options.log('error', 'a worker does nothing any more: replaced')
      void thread.terminate()
    }
  }

  #create(place: number): WorkerThread {
    const { settings, table, log, limits } = this.#options
    const startedAt = performance.now()
    const events: WorkerEvents = {
      onLog: ({ level, message }) => log(level, message),
      onExit: (error) => {
        this.#threads.delete(thread)
        this.#past.absorb(thread.counts, true)
        this.#sharedLimits.giveBack(place)
        const wasServing = this.#serving.delete(thread)
        if (this.#ending.signal.aborted || !wasServing || this.#at === undefined) return
        const reason = error === undefined ? '' : `: ${messageOf(error)}`
        log('error', `a worker has ended and is replaced${reason}`)
        if (performance.now() - startedAt > steadyMs) {
          this.#pauseMs = this.#firstPauseMs
          this.#failures = 0
        }
        this.#failed(error ?? new Error('it ended without an error'))
        this.#keepStarting(place, this.#nextPauseMs())
      },
    }
    const server = { ...settings.server, limitMemory: this.#limitMemory, worker: place }
    const keys = this.#ticketKeys
    const tls = settings.tls && { ...settings.tls, ...(keys !== undefined && { ticketKeys: keys }) }
    const own: FrontSettings = { ...settings, server, ...(tls !== undefined && { tls }) }
    const thread: WorkerThread = new WorkerThread(
      { settings: own, table: table.buffer },
      events,
      limits?.heapMb,
    )
    this.#threads.add(thread)
    return thread
  }

  #keepStarting(place: number, pauseMs: number): void {
    const starting = this.#start(place, pauseMs).finally(() => this.#starting.delete(starting))
    this.#starting.add(starting)
  }

  /** Goes on until there is one; never rejects. @param pauseMs - 0 for the first of its place. */
  async #start(place: number, pauseMs: number): Promise<void> {
    const { signal } = this.#ending
    for (let waitMs = pauseMs; ; waitMs = this.#nextPauseMs()) {
      if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted || this.#at === undefined) return
      let thread: WorkerThread | undefined
      try {
        thread = this.#create(place) // throws where the system allows no further thread
        await thread.ready()
        this.#serving.add(thread)
        await thread.listen(this.#at)
        if (pauseMs > 0) this.#restarts += 1
        return
      } catch (error) {
        // It is not one whose end calls for another: this loop goes on.
        if (thread !== undefined) {
          this.#serving.delete(thread)
          await thread.terminate()
        }
        if (signal.aborted) return
        this.#options.log('error', `a worker cannot be started: ${messageOf(error)}`)
        this.#failed(error)
      }
    }
  }

  #nextPauseMs(): number {
    const pauseMs = this.#pauseMs
    this.#pauseMs = Math.min(pauseMs * 2, lastPauseMs)
    return pauseMs
  }

  /** Gives up when one after the other ends and none is left. */
  #failed(error: unknown): void {
    this.#failures += 1
    const most = Math.max(minFailures, this.#options.count)
    if (this.#serving.size > 0 || this.#failures < most) return
    this.#ending.abort()
    const message = `${this.#failures} workers have ended one after the other; the last: ${messageOf(error)}`
    this.#options.onDead(new Error(message, { cause: error }))
  }
}
