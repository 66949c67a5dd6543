import type { EdgeActivity } from '../../proxy/edge-protocol.ts'
import type { Executor } from '../../storage/dialects/dialect.ts'
import { touchServer } from '../../storage/servers.ts'
import type { Store } from '../../storage/store.ts'
import { touchUser } from '../../storage/users.ts'
import { parseStoredObject } from '../../util/json.ts'

const namesPerQuery = 500

/**
 * Moves the last activity of servers and their users forward, as an edge has seen it. Routes that
 * are gone, and the hub's own, are passed over.
 */
export async function recordEdgeActivity(
  store: Store,
  report: EdgeActivity,
  now: Date,
): Promise<void> {
  const seen = await findServersBehind(store.db, report)
  if (seen.length === 0) return
  await store.write(async (tx) => {
    for (const { serverId, userId, atMs } of seen) {
      // The clock of an edge may be ahead of ours.
      const at = new Date(Math.min(atMs, now.getTime()))
      await touchServer(tx, serverId, at)
      await touchUser(tx, userId, at)
    }
  })
}

interface Seen {
  readonly serverId: number
  readonly userId: number
  readonly atMs: number
}

async function findServersBehind(db: Executor, report: EdgeActivity): Promise<Seen[]> {
  const atByName = new Map<string, number>()
  for (const part of chunks(Object.keys(report.routes))) {
    const rows = await db
      .selectFrom('routes')
      .select(['routespec', 'data'])
      .where('routespec', 'in', part)
      .where('deleted', '=', 0)
      .execute()
    for (const row of rows) {
      const { user, server_name: server } = parseStoredObject(row.data) ?? {}
      const atMs = report.routes[row.routespec]
      if (typeof user === 'string' && typeof server === 'string' && atMs !== undefined) {
        atByName.set(`${user}/${server}`, atMs)
      }
    }
  }
  const seen: Seen[] = []
  const users = new Set([...atByName.keys()].map((name) => name.slice(0, name.indexOf('/'))))
  for (const part of chunks([...users])) {
    const rows = await db
      .selectFrom('servers')
      .innerJoin('users', 'users.id', 'servers.user_id')
      .select(['servers.id', 'servers.user_id', 'servers.name', 'users.name as username'])
      .where('users.name', 'in', part)
      .execute()
    for (const row of rows) {
      const atMs = atByName.get(`${row.username}/${row.name}`)
      if (atMs !== undefined) seen.push({ serverId: row.id, userId: row.user_id, atMs })
    }
  }
  return seen
}

function* chunks(names: readonly string[]): Generator<string[]> {
  for (let at = 0; at < names.length; at += namesPerQuery) yield names.slice(at, at + namesPerQuery)
}
