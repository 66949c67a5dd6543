import { HubError } from '../../domain/errors.ts'
import { shorten } from '../../domain/names.ts'
import type { User } from '../../domain/records.ts'
import { listServersOf, touchServer } from '../../storage/servers.ts'
import type { Store } from '../../storage/store.ts'
import { touchUser } from '../../storage/users.ts'
import { parseReportedTime } from '../timestamps.ts'
import type { ActivityBody } from './schemas.ts'

/**
 * Moves last activity forward as reported. Everything is checked before anything is written;
 * server activity leaves the user's own alone, for clients send both.
 * Source: contract rest-api §7.6.
 */
export async function reportActivity(
  store: Store,
  user: User,
  report: { body: ActivityBody; now: Date },
): Promise<void> {
  const { body, now } = report
  const servers = Object.entries(body.servers ?? {})
  const own = body.last_activity ?? ''
  if (own === '' && servers.length === 0) {
    throw new HubError('bad_request', {
      message: 'body needs last_activity, servers or both',
    })
  }
  const ownAt =
    own === '' ? undefined : parseReportedTime(own, { field: 'body.last_activity', now })
  const known = (await listServersOf(store.db, [user.id])).get(user.id) ?? []
  const touched = servers.map(([name, { last_activity }]) => {
    const field = `body.servers.${shorten(name, 100)}.last_activity`
    const server = known.find((candidate) => candidate.name === name)
    if (server === undefined && name !== '') {
      throw new HubError('bad_request', {
        message: `No such server '${shorten(name, 100)}' for user ${user.name}`,
      })
    }
    return { id: server?.id, at: parseReportedTime(last_activity, { field, now }) }
  })
  await store.write(async (tx) => {
    if (ownAt !== undefined) await touchUser(tx, user.id, ownAt)
    for (const { id, at } of touched) if (id !== undefined) await touchServer(tx, id, at)
  })
}
