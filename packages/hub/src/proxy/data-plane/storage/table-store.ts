import type { JsonObject } from '../../../util/json.ts'
import type { Route, RoutingTable } from '../../routing-table.ts'
import type { EdgeCounts } from '../metrics/counts.ts'
import { hostOf } from './route-store.ts'
import type { RouteStore } from './route-store.ts'

export interface TableStoreOptions {
  readonly table: RoutingTable
  readonly hostRouting: boolean
  readonly counts: EdgeCounts
  readonly onChange: () => void
  /** Resolves once changes made so far route requests: only then are they answered. */
  readonly applied: () => Promise<void>
  /** Resolves once the table knows of recent activity. */
  readonly freshen: () => Promise<void>
}

/** Routes in memory. */
export function createTableStore(options: TableStoreOptions): RouteStore {
  const { table, hostRouting, counts, onChange, applied, freshen } = options
  const view = ({ path, entry, lastActivityMs }: Route): JsonObject => ({
    ...entry.data,
    target: entry.targetUrl,
    ...hostOf(path, hostRouting),
    last_activity: new Date(lastActivityMs).toISOString(),
  })
  return {
    async list() {
      await freshen()
      return [...table.list()].map((route) => [route.path, view(route)])
    },
    async find(path) {
      await freshen()
      const route = table.find(path)
      return route && view(route)
    },
    async add(path, { target: targetUrl, last_activity: _ignored, ...data }) {
      const beganAt = performance.now()
      table.set({ path, owner: 'api', targetUrl, data, lastActivityMs: Date.now() })
      counts.took('activity', performance.now() - beganAt)
      onChange()
      await applied()
    },
    async remove(path) {
      const isGone = [table.delete(path, 'api'), table.delete(path, 'default')].includes(true)
      if (!isGone) return false
      onChange()
      await applied()
      return true
    },
    count: () => Promise.resolve(table.size),
  }
}
