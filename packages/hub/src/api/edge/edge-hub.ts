import { randomInt } from 'node:crypto'
import { messageOf } from '../../domain/errors.ts'
import {
  type EdgeMessage,
  type EdgeRoute,
  pingIntervalMs,
  routesPerPiece,
} from '../../proxy/edge-protocol.ts'
import { listRouteChanges, listRoutesAfter, loadRouteSeq } from '../../storage/routes.ts'
import type { StoredRoute } from '../../domain/records.ts'
import type { Store } from '../../storage/store.ts'
import { RecentRoutes } from './recent-routes.ts'
import { Slices } from '../../util/slices.ts'

/** A bus message may be lost: the table is looked at this often in any case. */
const lookAgainMs = 1_000
const changesPerRead = 500
/** An edge that is further behind gets the whole table instead of the changes. */
const maxResume = 10_000
/** Edges known at once; far above what anybody runs. */
const maxEdges = 1_000

/** What an edge says of itself when it subscribes. */
export interface EdgeWish {
  /** It goes on from there if it can. */
  readonly position?: EdgePosition | undefined
  /** It takes the table in pieces; one of an earlier build does not. */
  readonly inPieces: boolean
}

export interface EdgePosition {
  readonly since: number
  readonly epoch: string
}

export interface EdgeHubOptions {
  readonly store: Store
  readonly logger: { warn(details: object, message: string): void }
  /** An edge runs, or is about to: one that is not connected now is waited for. */
  readonly expectsEdge?: boolean
}

/** The edges that subscribe to this hub, and how far each has got. */
export interface EdgeHub {
  connectedEdges(): readonly string[]
  /** Resolves once every connected edge has applied change `seq`: true; false when time is up. */
  untilApplied(seq: number, timeoutMs: number): Promise<boolean>
  /** What an edge is to be told, without end; the reader sets the pace and nothing is queued. */
  follow(edge: string, wish: EdgeWish, signal: AbortSignal): AsyncIterable<EdgeMessage>
  acknowledge(edge: string, seq: number): void
  /** Ends all subscriptions and waits. */
  close(): Promise<void>
}

export function createEdgeHub(options: EdgeHubOptions): EdgeHub {
  return new StoreEdgeHub(options)
}

interface Connection {
  readonly edge: string
  acked: number
}

class StoreEdgeHub implements EdgeHub {
  readonly #store: Store
  readonly #logger: EdgeHubOptions['logger']
  /** By edge; a new connection of an edge replaces the old one. */
  readonly #connections = new Map<string, Connection>()
  readonly #waiters = new Set<() => void>()
  readonly #closing = new AbortController()
  readonly #expectsEdge: boolean
  readonly #recent: RecentRoutes
  #epoch: string | undefined

  constructor(options: EdgeHubOptions) {
    this.#store = options.store
    this.#recent = new RecentRoutes(options.store.bus)
    this.#logger = options.logger
    this.#expectsEdge = options.expectsEdge === true
  }

  connectedEdges(): readonly string[] {
    return [...this.#connections.keys()]
  }

  untilApplied(seq: number, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (applied: boolean) => {
        clearTimeout(timer)
        this.#waiters.delete(look)
        resolve(applied)
      }
      const look = () => {
        const connections = [...this.#connections.values()]
        const isAbsent = connections.length === 0 && this.#expectsEdge
        const isBehind = isAbsent || connections.some(({ acked }) => acked < seq)
        if (!isBehind) finish(true)
        else if (this.#closing.signal.aborted) finish(false)
      }
      const timer = setTimeout(() => finish(false), timeoutMs)
      this.#waiters.add(look)
      look()
    })
  }

  acknowledge(edge: string, seq: number): void {
    const connection = this.#connections.get(edge)
    if (connection === undefined || connection.acked >= seq) return
    connection.acked = seq
    this.#wake()
  }

  async *follow(edge: string, wish: EdgeWish, signal: AbortSignal): AsyncGenerator<EdgeMessage> {
    if (this.#connections.size >= maxEdges && !this.#connections.has(edge)) return
    const connection: Connection = { edge, acked: -1 }
    this.#connections.set(edge, connection)
    try {
      yield* this.#messages(wish, AbortSignal.any([signal, this.#closing.signal]))
    } catch (error) {
      // The edge goes on with what it has and subscribes again.
      this.#logger.warn({ edge, cause: messageOf(error) }, 'subscription of an edge ended')
    } finally {
      if (this.#connections.get(edge) === connection) this.#connections.delete(edge)
      this.#wake()
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#recent.close()
    this.#wake()
  }

  async *#messages(
    { position, inPieces }: EdgeWish,
    signal: AbortSignal,
  ): AsyncGenerator<EdgeMessage> {
    const epoch = await this.#loadEpoch()
    let seq = 0
    if (position?.epoch === epoch && (await this.#canResume(position.since))) {
      seq = position.since
      yield { type: 'resume', epoch, seq }
    } else {
      seq = await loadRouteSeq(this.#store.db)
      yield* this.#snapshot({ epoch, seq, inPieces })
    }
    let quietSince = Date.now()
    while (!signal.aborted) {
      const change = this.#nextChange(signal)
      try {
        const own = this.#recent.after(seq)
        const rows =
          own.length > 0 ? own : await listRouteChanges(this.#store.db, seq, changesPerRead)
        for (const row of rows) {
          yield toMessage(row)
          seq = row.seq
          quietSince = Date.now()
        }
        if (rows.length > 0) continue
        if (Date.now() - quietSince >= pingIntervalMs - lookAgainMs) {
          yield { type: 'ping' }
          quietSince = Date.now()
        }
        await change.changed
      } finally {
        change.stop()
      }
    }
  }

  async #canResume(since: number): Promise<boolean> {
    const seq = await loadRouteSeq(this.#store.db)
    return since <= seq && seq - since <= maxResume
  }

  /**
   * The table in pieces, or of these made one. What changes while it is read may be in it or not,
   * but has a number after `seq` and so is told once more.
   */
  async *#snapshot({
    epoch,
    seq,
    inPieces,
  }: {
    readonly epoch: string
    readonly seq: number
    readonly inPieces: boolean
  }): AsyncGenerator<EdgeMessage> {
    const slices = new Slices()
    const kept: EdgeRoute[] = []
    let after = ''
    for (let isFirst = true; ; isFirst = false) {
      const rows = await listRoutesAfter(this.#store.db, after, routesPerPiece)
      const isLast = rows.length < routesPerPiece
      after = rows.at(-1)?.routespec ?? after
      const told = rows.map(({ routespec, target, data }) => ({ routespec, target, data }))
      if (inPieces) {
        const piece = { routes: told, ...(!isLast && { more: true as const }) }
        yield isFirst ? { type: 'snapshot', epoch, seq, ...piece } : { type: 'routes', ...piece }
      } else kept.push(...told)
      if (isLast) break
      if (slices.isOver) await slices.next()
    }
    if (!inPieces) yield { type: 'snapshot', epoch, seq, routes: kept }
  }

  /** Names the database, whose numbers an edge must not take for those of another. */
  async #loadEpoch(): Promise<string> {
    if (this.#epoch !== undefined) return this.#epoch
    const name = 'route-epoch'
    const value = await this.#store.write(async (tx) => {
      await tx.db
        .insertInto('counters')
        .values({ name, value: randomInt(1, 2 ** 47) })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute()
      const row = await tx.db
        .selectFrom('counters')
        .select('value')
        .where('name', '=', name)
        .executeTakeFirstOrThrow()
      return row.value
    })
    this.#epoch = value.toString(36)
    return this.#epoch
  }

  #nextChange(signal: AbortSignal): { changed: Promise<void>; stop(): void } {
    let finish: () => void = () => undefined
    const changed = new Promise<void>((resolve) => {
      const timer = setTimeout(() => finish(), lookAgainMs)
      const off = this.#store.bus.on(['route'], () => finish())
      finish = () => {
        clearTimeout(timer)
        off()
        signal.removeEventListener('abort', finish)
        resolve()
      }
      signal.addEventListener('abort', finish, { once: true })
      if (signal.aborted) finish()
    })
    return { changed, stop: () => finish() }
  }

  #wake(): void {
    for (const look of this.#waiters) look()
  }
}

/** Numbers may be skipped: of a route that was written twice only the last change is stored. */
function toMessage(route: StoredRoute): Extract<EdgeMessage, { type: 'set' | 'delete' }> {
  const { routespec, target, data, deleted, seq } = route
  return deleted
    ? { type: 'delete', seq, routespec }
    : { type: 'set', seq, routespec, target, data }
}
