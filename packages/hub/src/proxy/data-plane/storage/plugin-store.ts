import { isJsonObject } from '../../../util/json.ts'
import type { JsonObject } from '../../../util/json.ts'
import { messageOf } from '../../../domain/errors.ts'
import { cleanRoutePath } from '../../routespec.ts'
import type { Route, RouteEntry } from '../../route.ts'
import { findTarget } from '../../target.ts'
import type { EdgeLog } from '../context.ts'
import type { EdgeCounts } from '../metrics/counts.ts'
import type { StoragePlugin } from './plugin.ts'
import { hostOf } from './route-store.ts'
import type { RouteStore, RouteTexts } from './route-store.ts'
import { withLimit } from './with-limit.ts'

/** A promise of a plug-in that takes longer has failed. */
const defaultLimitMs = 10_000
/** So many routes have their activity told at a time; of others it is told the next time. */
const maxTelling = 10_000
const maxEntries = 10_000

export interface PluginStoreOptions {
  readonly log: EdgeLog
  readonly hostRouting: boolean
  readonly counts: EdgeCounts
  readonly limitMs?: number
}

/**
 * Routes that a plug-in keeps. Whatever it does wrong is an error of the request at hand: it rejects,
 * and has been logged.
 */
export class PluginStore implements RouteStore {
  readonly #plugin: StoragePlugin
  readonly #log: EdgeLog
  readonly #hostRouting: boolean
  readonly #counts: EdgeCounts
  readonly #limitMs: number
  /** Paths whose activity is being told; true when there was more meanwhile. */
  readonly #telling = new Map<string, boolean>()
  /** What was matched last for a path; forgotten when the REST API changes it. */
  readonly #entries = new Map<string, RouteEntry>()

  constructor(plugin: StoragePlugin, options: PluginStoreOptions) {
    this.#plugin = plugin
    this.#log = options.log
    this.#hostRouting = options.hostRouting
    this.#counts = options.counts
    this.#limitMs = options.limitMs ?? defaultLimitMs
  }

  /** @param path - decoded, with the host first where it counts. */
  async match(path: string): Promise<Route | undefined> {
    const beganAt = performance.now()
    const found = await this.#ask('getTarget', () => this.#plugin.getTarget(path))
    this.#counts.took('findTarget', performance.now() - beganAt)
    if (found === undefined || found === null) return undefined
    return this.#checked('getTarget', () => this.#keepTarget(toRoute(found)))
  }

  /** Connections are kept for the object that a target is: a route that did not change has one. */
  #keepTarget(route: Route): Route {
    const known = this.#entries.get(route.path)
    const { targetUrl, data } = route.entry
    const isSame = known?.targetUrl === targetUrl && known.data['user'] === data['user']
    const entry = isSame ? { ...route.entry, target: known.target } : route.entry
    if (isSame) return { ...route, entry }
    this.#entries.set(route.path, entry)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > maxEntries && oldest !== undefined) this.#entries.delete(oldest)
    return route
  }

  async list(beforeMs?: number): Promise<RouteTexts> {
    const routes = await this.#list()
    const isWanted = (data: JsonObject): boolean =>
      beforeMs === undefined || lastActivityMs(data) < beforeMs
    const wanted = routes.filter(([, data]) => isWanted(data))
    return [wanted.map(([path, data]) => [path, JSON.stringify(data)] as const)]
  }

  async #list(): Promise<[path: string, data: JsonObject][]> {
    const all = await this.#ask('getAll', () => this.#plugin.getAll())
    const isRoute = (entry: [string, unknown]): entry is [string, JsonObject] =>
      isJsonObject(entry[1])
    return this.#checked('getAll', () => Object.entries(toData(all)).filter(isRoute))
  }

  async count(): Promise<number> {
    return (await this.#list()).length
  }

  async find(path: string): Promise<JsonObject | undefined> {
    const found = await this.#get(path)
    return found === undefined || found === null
      ? undefined
      : this.#checked('get', () => toData(found))
  }

  async add(path: string, data: JsonObject): Promise<void> {
    const clean = this.#clean(path)
    const host = hostOf(clean, this.#hostRouting)
    await this.#ask('add', () => this.#plugin.add(clean, { ...data, ...host }))
    await this.#update(clean)
  }

  async remove(path: string): Promise<boolean> {
    const clean = this.#clean(path)
    if (!(await this.#get(path))) return false
    await this.#ask('remove', () => this.#plugin.remove(clean))
    // Not before: a request might have it kept again.
    this.#entries.delete(clean)
    return true
  }

  /** Tells of activity, soon; what comes while it is told is told once, after that. */
  touch({ path }: Route): void {
    if (this.#telling.has(path)) this.#telling.set(path, true)
    else if (this.#telling.size < maxTelling) void this.#tell(path)
  }

  /** Never rejects. */
  async #tell(path: string): Promise<void> {
    do {
      this.#telling.set(path, false)
      await this.#update(path).catch(() => undefined) // it was logged
    } while (this.#telling.get(path) === true)
    this.#telling.delete(path)
  }

  async #update(path: string): Promise<void> {
    const beganAt = performance.now()
    if (!(await this.#get(path))) return
    await this.#ask('update', () => this.#plugin.update(path, { last_activity: new Date() }))
    this.#counts.took('activity', performance.now() - beganAt)
  }

  #clean(path: string): string {
    return this.#checked('cleanPath', () => {
      const clean = this.#plugin.cleanPath?.(path) ?? cleanRoutePath(path)
      if (typeof clean !== 'string') throw new TypeError('its result is no string')
      return clean
    })
  }

  async #get(path: string): Promise<unknown> {
    const clean = this.#clean(path)
    if (this.#plugin.get !== undefined) return this.#ask('get', () => this.#plugin.get?.(clean))
    return new Map(await this.#list()).get(clean)
  }

  async #ask(method: string, call: () => unknown): Promise<unknown> {
    try {
      return await withLimit((async () => call())(), this.#limitMs)
    } catch (error) {
      throw this.#failed(method, error)
    }
  }

  #checked<T>(method: string, read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw this.#failed(method, error)
    }
  }

  #failed(method: string, error: unknown): Error {
    const message = `storage backend, ${method}: ${messageOf(error)}`
    this.#log('error', message)
    return new Error(message, { cause: error })
  }
}

function toRoute(found: unknown): Route {
  const { prefix, data } = found as { readonly prefix?: unknown; readonly data?: unknown }
  const target = isJsonObject(data) ? data['target'] : undefined
  if (typeof prefix !== 'string' || !isJsonObject(data) || typeof target !== 'string')
    throw new TypeError('its result is no {prefix, data: {target}}')
  return {
    path: prefix,
    owner: 'api',
    entry: { targetUrl: target, target: findTarget(target), data, isHub: data['hub'] === true },
  }
}

/** Instances of classes and instants become what JSON says of them. */
function toData(found: unknown): JsonObject {
  const data: unknown = JSON.parse(JSON.stringify(found) ?? 'null')
  if (!isJsonObject(data)) throw new TypeError('its result is no object')
  return data
}

/** Not a number, which is before nothing, where there is none. */
function lastActivityMs({ last_activity: at }: JsonObject): number {
  return typeof at === 'string' || typeof at === 'number' ? new Date(at).getTime() : Number.NaN
}
