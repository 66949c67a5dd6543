import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../../domain/errors.ts'
import type { NewRoute, RouteChange, RoutingTable } from '../../routing-table.ts'
import type { EdgeLog } from '../context.ts'
import type { Front, FrontSettings } from '../front.ts'
import type { Listen } from '../listen.ts'
import { EdgeCounts } from '../metrics/counts.ts'
import type { Drain } from '../public-server.ts'
import { WorkerThread } from './worker-thread.ts'

export interface WorkerPoolOptions {
  readonly count: number
  readonly settings: FrontSettings
  /** The table that the workers' own are copies of. */
  readonly table: () => RoutingTable
  readonly log: EdgeLog
}

/** A worker that applies nothing for so long is replaced. */
const silenceMs = 2000
/** A listing does not wait longer for the latest activity. */
const freshenMs = 100
const firstPauseMs = 100
const lastPauseMs = 10_000
/** One that served so long may end without its successor being held back. */
const steadyMs = 30_000

/**
 * Worker threads that listen on one port. One that ends, or does not keep up, is replaced; the
 * others do not notice. Changes reach all in order, those of one turn together.
 */
export class WorkerPool implements Front {
  readonly #options: WorkerPoolOptions
  /** Those that get changes. */
  readonly #threads = new Set<WorkerThread>()
  /** Those that listen or are about to: changes must have reached them. */
  readonly #serving = new Set<WorkerThread>()
  readonly #ending = new AbortController()
  readonly #replacing = new Set<Promise<void>>()
  /** What workers counted that have ended. */
  readonly #past = new EdgeCounts()
  #restarts = 0
  #pending: RouteChange[] = []
  #at: Listen | undefined
  #pauseMs = firstPauseMs

  constructor(options: WorkerPoolOptions) {
    this.#options = options
  }

  get workers(): number {
    return this.#serving.size
  }

  get restarts(): number {
    return this.#restarts
  }

  async countInto(sum: EdgeCounts): Promise<void> {
    await this.freshen()
    sum.absorb(this.#past)
    for (const { counts } of this.#threads) sum.absorb(counts)
  }

  /** Notes a change of the table. */
  changed(change: RouteChange): void {
    if (this.#threads.size === 0) return
    if (this.#pending.length === 0) queueMicrotask(() => this.#send())
    this.#pending.push(forWorker(change))
  }

  async listen(at: Listen): Promise<number> {
    const { count } = this.#options
    try {
      const threads = Array.from({ length: count }, () => this.#create())
      await Promise.all(threads.map((thread) => thread.ready()))
      let port: number | undefined
      for (const thread of threads) {
        this.#serving.add(thread)
        port = await thread.listen({ ...at, port: port ?? at.port })
      }
      this.#at = { ...at, port: port ?? at.port }
      return this.#at.port
    } catch (error) {
      await this.close({ requestsMs: 0, webSocketsMs: 0 })
      throw error
    }
  }

  async applied(): Promise<void> {
    this.#send()
    const waits = [...this.#serving].map(async (thread) => {
      if (await thread.applied(silenceMs)) return
      this.#options.log('error', 'a worker does not keep up: replaced')
      await thread.terminate()
    })
    await Promise.all(waits)
  }

  async freshen(): Promise<void> {
    await Promise.all([...this.#serving].map((thread) => thread.freshen(freshenMs)))
  }

  reloadCertificates(): void {
    for (const thread of this.#threads) thread.reloadCertificates()
  }

  async close(drain: Drain): Promise<void> {
    this.#ending.abort()
    await Promise.all([...this.#threads].map((thread) => thread.close(drain)))
    await Promise.all(this.#replacing)
  }

  #send(): void {
    if (this.#pending.length === 0) return
    const changes = this.#pending
    this.#pending = []
    for (const thread of this.#threads) thread.send(changes)
  }

  /** A thread with the whole table on its way to it. */
  #create(): WorkerThread {
    const { settings, table, log } = this.#options
    const startedAt = performance.now()
    const thread: WorkerThread = new WorkerThread(settings, {
      onActivity: (touched) => {
        for (const [path, ms] of touched) {
          const route = table().find(path)
          if (route !== undefined) table().touch(route, ms)
        }
      },
      onLog: ({ level, message }) => log(level, message),
      onExit: (error) => {
        this.#threads.delete(thread)
        this.#past.absorb(thread.counts, true)
        const wasServing = this.#serving.delete(thread)
        if (this.#ending.signal.aborted || !wasServing || this.#at === undefined) return
        const reason = error === undefined ? '' : `: ${messageOf(error)}`
        log('error', `a worker has ended and is replaced${reason}`)
        if (performance.now() - startedAt > steadyMs) this.#pauseMs = firstPauseMs
        this.#keepReplacing(this.#at)
      },
    })
    this.#send()
    this.#threads.add(thread)
    const routes = [...table().listOwned()]
    thread.send(routes.map((route) => forWorker({ kind: 'set', route })))
    return thread
  }

  #keepReplacing(at: Listen): void {
    const replacing = this.#replace(at).finally(() => this.#replacing.delete(replacing))
    this.#replacing.add(replacing)
  }

  /** Goes on until there is one; never rejects. */
  async #replace(at: Listen): Promise<void> {
    const { signal } = this.#ending
    while (!signal.aborted) {
      await sleep(this.#pauseMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      this.#pauseMs = Math.min(this.#pauseMs * 2, lastPauseMs)
      const thread = this.#create()
      try {
        await thread.ready()
        this.#serving.add(thread)
        await thread.listen(at)
        this.#restarts += 1
        return
      } catch (error) {
        // It is not one whose end calls for another: this loop goes on.
        this.#serving.delete(thread)
        this.#options.log('error', `a worker cannot be started: ${messageOf(error)}`)
        await thread.terminate()
      }
    }
  }
}

/** Workers need of a route's data what routing asks for, and no more. */
function forWorker(change: RouteChange): RouteChange {
  if (change.kind === 'delete') return change
  const { path, owner, targetUrl, lastActivityMs, data } = change.route
  const route: NewRoute = {
    path,
    owner,
    targetUrl,
    lastActivityMs,
    data: {
      ...(data['hub'] === true && { hub: true }),
      ...(data['user'] !== undefined && { user: data['user'] }),
    },
  }
  return { kind: 'set', route }
}
