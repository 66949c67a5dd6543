import { parseStoredObject } from '../../../util/json.ts'
import type { StoredRoute } from '../../route.ts'
import type { RoutingTable } from '../../routing-table.ts'
import type { EdgeCounts } from '../metrics/counts.ts'
import { hostOf } from './route-store.ts'
import type { RouteStore, RouteTexts } from './route-store.ts'

export interface TableStoreOptions {
  readonly table: RoutingTable
  readonly hostRouting: boolean
  readonly counts: EdgeCounts
  readonly onChange: () => void
}

/** Routes in memory, which all threads share: a change is in force when it was made. */
export function createTableStore(options: TableStoreOptions): RouteStore {
  const { table, hostRouting, counts, onChange } = options
  return {
    list: (beforeMs) => Promise.resolve(listTexts(table.list(beforeMs), hostRouting)),
    async find(path) {
      const route = table.find(path)
      return route && parseStoredObject(routeText(route, hostRouting))
    },
    async add(path, { target: targetUrl, ...data }) {
      const beganAt = performance.now()
      table.set({ path, owner: 'api', targetUrl, data, lastActivityMs: Date.now() })
      counts.took('activity', performance.now() - beganAt)
      onChange()
    },
    async remove(path) {
      const isGone = [table.delete(path, 'api'), table.delete(path, 'default')].includes(true)
      if (isGone) onChange()
      return isGone
    },
    count: () => Promise.resolve(table.size),
  }
}

function* listTexts(
  parts: Iterable<readonly StoredRoute[]>,
  hostRouting: boolean,
): Generator<RouteTexts extends Iterable<infer Part> ? Part : never> {
  for (const routes of parts) {
    yield routes.map((route) => [route.path, routeText(route, hostRouting)] as const)
  }
}

/** A route's data as JSON: what was said of it, and what the proxy adds. Source: contract proxy §2.2. */
function routeText(route: StoredRoute, hostRouting: boolean): string {
  const { path, targetUrl, dataText, lastActivityMs } = route
  const target = targetUrl
  const last_activity = new Date(lastActivityMs).toISOString()
  const named = hostOf(path, hostRouting)
  if (named.host !== undefined)
    return JSON.stringify({ ...parseStoredObject(dataText), target, ...named, last_activity })
  // The data is JSON already.
  const rest = dataText === '{}' ? '' : `${dataText.slice(1, -1)},`
  return `{${rest}"target":${JSON.stringify(target)},"last_activity":"${last_activity}"}`
}
