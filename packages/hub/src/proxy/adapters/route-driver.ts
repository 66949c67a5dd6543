import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../domain/errors.ts'
import type { EdgeMessage, EdgeRoute } from '../edge-protocol.ts'
import { findRoutePath } from '../routespec.ts'
import type { ListedRoute, ProxyAdapter } from './proxy-adapter.ts'

/** The hub's side: the table and its changes, as an edge subscribes to them. */
export interface RouteSource {
  follow(
    edge: string,
    wish: { readonly inPieces: false },
    signal: AbortSignal,
  ): AsyncIterable<EdgeMessage>
  acknowledge(edge: string, seq: number): void
}

export interface RouteDriverOptions {
  readonly source: RouteSource
  readonly adapter: ProxyAdapter
  /**
   * The hub's routespec or one below it, such as `/hub/`: gets a route to the hub, whose absence
   * shows that the proxy has lost its table.
   */
  readonly canary: string
  /** How often the canary is looked for. */
  readonly probeIntervalMs: number
  /** `last_activity_interval`: how often the whole table is compared and activity taken over. */
  readonly checkIntervalMs: number
  readonly recordActivity: (routes: Readonly<Record<string, number>>) => Promise<void>
  readonly logger: {
    info(details: object, message: string): void
    warn(details: object, message: string): void
  }
}

/** Keeps a proxy that cannot subscribe in step with the hub's routing table. */
export interface RouteDriver {
  /**
   * Compares the proxy's table with the hub's now and repairs it.
   * Fails with a `ProxyError` when the proxy gives no answer.
   */
  check(): Promise<void>
  /** Drives another proxy from now on; the old one keeps what it has. */
  replaceAdapter(adapter: ProxyAdapter): Promise<void>
  close(): Promise<void>
}

const name = 'configurable-http-proxy'
const firstPauseMs = 100
const lastPauseMs = 5_000
const callTimeoutMs = 30_000
const callsAtOnce = 10
const maxRoutesPerReport = 2_000

/**
 * Starts driving. Every hub drives by itself: calls are idempotent and each hub goes through all
 * changes in order, so that several end with the same table.
 */
export function startRouteDriver(options: RouteDriverOptions): RouteDriver {
  const driver = new Driver(options)
  driver.start()
  return driver
}

class Driver implements RouteDriver {
  readonly #options: RouteDriverOptions
  readonly #ending = new AbortController()
  /** The hub's table by decoded path; `undefined` until the first snapshot. */
  #wanted: Map<string, EdgeRoute> | undefined
  #adapter: ProxyAdapter
  /** Ends the subscription, which then starts anew with a snapshot and a full comparison. */
  #round = new AbortController()
  /** Comparisons and changes, one after the other: they must not overtake each other. */
  #queue: Promise<unknown> = Promise.resolve()
  #loops: Promise<unknown> = Promise.resolve()
  #isDown = false

  constructor(options: RouteDriverOptions) {
    this.#options = options
    this.#adapter = options.adapter
  }

  start(): void {
    this.#loops = Promise.all([this.#follow(), this.#probe(), this.#checkForEver()])
  }

  async check(): Promise<void> {
    await this.#inTurn(() => this.#reconcile())
  }

  async replaceAdapter(adapter: ProxyAdapter): Promise<void> {
    const old = this.#adapter
    this.#adapter = adapter
    this.#round.abort()
    await old.close()
    await this.check()
  }

  async close(): Promise<void> {
    this.#ending.abort()
    this.#round.abort()
    await this.#loops
    await this.#queue.catch(() => undefined)
    await this.#adapter.close()
  }

  async #follow(): Promise<void> {
    for (let pauseMs = firstPauseMs; !this.#ending.signal.aborted; ) {
      this.#round = new AbortController()
      try {
        for await (const message of this.#options.source.follow(
          name,
          { inPieces: false },
          AbortSignal.any([this.#ending.signal, this.#round.signal]),
        )) {
          await this.#inTurn(() => this.#apply(message))
          this.#isUp()
          pauseMs = firstPauseMs
        }
      } catch (error) {
        this.#isUnreachable(error)
      }
      await this.#pause(pauseMs)
      pauseMs = Math.min(pauseMs * 2, lastPauseMs)
    }
  }

  async #apply(message: EdgeMessage): Promise<void> {
    switch (message.type) {
      case 'ping':
        return
      case 'resume':
      case 'routes':
        throw new TypeError('neither a position to resume from nor pieces were asked for')
      case 'snapshot':
        this.#wanted = new Map(message.routes.flatMap((route) => this.#entriesOf(route)))
        await this.#reconcile()
        break
      case 'set':
        for (const [path, route] of this.#entriesOf(message)) {
          this.#wanted?.set(path, route)
          await this.#adapter.addRoute(route, this.#deadline())
        }
        break
      case 'delete': {
        const path = findRoutePath(message.routespec)
        if (path !== undefined) this.#wanted?.delete(path)
        await this.#adapter.deleteRoute(message.routespec, this.#deadline())
        break
      }
    }
    this.#options.source.acknowledge(name, message.seq)
  }

  /** Source: contract proxy §9.4. */
  async #reconcile(): Promise<void> {
    const wanted = this.#wanted
    if (wanted === undefined) return
    const listed = await this.#adapter.listRoutes(this.#deadline())
    const present = new Map(listed.map((route) => [route.path, route]))
    const missing = [...wanted].filter(([path, route]) => !isAsWanted(present.get(path), route))
    const foreign = listed.filter((route) => route.isOurs && !wanted.has(route.path))
    if (missing.length + foreign.length > 0) {
      const details = { missing: missing.length, foreign: foreign.length }
      this.#options.logger.info(details, 'repairing the routes of the proxy')
    }
    await inParallel(missing, ([, route]) => this.#adapter.addRoute(route, this.#deadline()))
    await inParallel(foreign, (route) =>
      this.#adapter.deleteRoute(escapeRoutePath(route.path), this.#deadline()),
    )
    await this.#reportActivity(listed, wanted)
  }

  async #reportActivity(
    listed: readonly ListedRoute[],
    wanted: ReadonlyMap<string, EdgeRoute>,
  ): Promise<void> {
    const seen = listed.flatMap(({ path, lastActivityMs }): [string, number][] => {
      const route = wanted.get(path)
      if (route === undefined || lastActivityMs === undefined) return []
      return [[route.routespec, lastActivityMs]]
    })
    for (let at = 0; at < seen.length; at += maxRoutesPerReport) {
      const part = seen.slice(at, at + maxRoutesPerReport)
      await this.#options.recordActivity(Object.fromEntries(part))
    }
  }

  /** A proxy that was started anew has forgotten everything; nothing else would notice for long. */
  async #probe(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await this.#pause(this.#options.probeIntervalMs)
      const { canary } = this.#options
      const path = findRoutePath(canary)
      if (path === undefined || this.#wanted?.has(path) !== true) continue
      try {
        if (await this.#adapter.hasRoute(canary, this.#deadline())) {
          this.#isUp()
          continue
        }
        this.#options.logger.warn({}, 'the proxy has lost its routes; they are added again')
        await this.check()
      } catch (error) {
        this.#isUnreachable(error)
      }
    }
  }

  async #checkForEver(): Promise<void> {
    for (;;) {
      await this.#pause(this.#options.checkIntervalMs)
      if (this.#ending.signal.aborted) return
      await this.check().catch((error: unknown) => this.#isUnreachable(error))
    }
  }

  /** The route by its decoded path, and the canary beside that of the hub. */
  #entriesOf({ routespec, target, data }: EdgeRoute): [string, EdgeRoute][] {
    const isHub = data['hub'] === true
    const routespecs = isHub ? new Set([routespec, this.#options.canary]) : [routespec]
    return [...routespecs].flatMap((spec): [string, EdgeRoute][] => {
      const path = findRoutePath(spec)
      return path === undefined ? [] : [[path, { routespec: spec, target, data }]]
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work, work)
    this.#queue = turn.catch(() => undefined)
    return turn
  }

  #deadline(): AbortSignal {
    return AbortSignal.any([this.#ending.signal, AbortSignal.timeout(callTimeoutMs)])
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#ending.signal, ref: false }).catch(() => undefined)
  }

  /** Says it once, not with every try. */
  #isUnreachable(error: unknown): void {
    if (this.#isDown || this.#ending.signal.aborted) return
    this.#isDown = true
    this.#options.logger.warn({ cause: messageOf(error) }, 'the proxy cannot be reached')
  }

  #isUp(): void {
    if (!this.#isDown) return
    this.#isDown = false
    this.#options.logger.info({}, 'the proxy can be reached again')
  }
}

function isAsWanted(listed: ListedRoute | undefined, wanted: EdgeRoute): boolean {
  return listed?.isOurs === true && listed.target === wanted.target
}

/** A routespec for a decoded path; escapes more than it must, which the proxy decodes. */
function escapeRoutePath(path: string): string {
  return `${path.split('/').map(encodeURIComponent).join('/')}/`
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values()
  const worker = async () => {
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(callsAtOnce, items.length) }, worker))
}
