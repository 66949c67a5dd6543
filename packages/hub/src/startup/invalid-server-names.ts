import { createHash } from 'node:crypto'
import { isNewServerName, shorten, toServerName } from '../domain/names.ts'
import type { Server } from '../domain/records.ts'
import type { InvalidNamePolicy } from '../lifecycle/named-servers.ts'
import { recordAudit } from '../storage/audit.ts'
import { listNamedServers, updateServer } from '../storage/servers.ts'
import type { Store } from '../storage/store.ts'

const hashLength = 7
const maxServerNameLength = 30

/**
 * What becomes of stored servers whose names are older and looser than today's rule. With
 * `autorename` those that are stopped get a valid name, and their old one as the display name;
 * shares, options and history stay with them. Idempotent.
 * Source: JupyterHub 6.1, `allow_existing_invalid_named_servers`.
 */
export async function settleInvalidServerNames(
  store: Store,
  policy: InvalidNamePolicy,
  context: {
    logger: { info(details: object, text: string): void; warn(details: object, text: string): void }
    now: Date
  },
): Promise<void> {
  const { logger, now } = context
  const servers = await listNamedServers(store.db)
  const invalid = servers.filter((server) => !isNewServerName(server.name))
  if (invalid.length === 0) return
  if (policy !== 'autorename') {
    logger.warn(
      { servers: invalid.length, policy },
      'stored servers have names that JupyterHub 6 does not allow; ' +
        'JupyterHub.allow_existing_invalid_named_servers says what they may do',
    )
    return
  }
  const takenByUser = Map.groupBy(servers, (server) => server.userId)
  for (const server of invalid) {
    const name = `${server.username}/${shorten(server.name, 100)}`
    if (server.state.kind !== 'stopped') {
      logger.warn({ server: name }, 'the server has an invalid name but is running: not renamed')
      continue
    }
    const siblings = takenByUser.get(server.userId) ?? []
    const newName = freeName(server.name, new Set(siblings.map((sibling) => sibling.name)))
    const renamed = await rename(store, { server, newName, now })
    if (renamed !== undefined) siblings.push(renamed)
    logger.info({ server: name, newName }, 'the server has a valid name now')
  }
}

async function rename(
  store: Store,
  change: { server: Server; newName: string; now: Date },
): Promise<Server | undefined> {
  const { server, newName, now } = change
  return store.write(async (tx) => {
    const renamed = await updateServer(tx, server, {
      name: newName,
      ...((server.displayName ?? '') === '' && { displayName: server.name }),
    })
    const subject = `${server.username}/${server.name}`
    const event = { actor: 'hub', action: 'server.update', subject }
    await recordAudit(tx, { ...event, data: { name: newName } }, now)
    return renamed
  })
}

/** The slug of the old name; with a hash of it when another server has the slug already. */
function freeName(oldName: string, taken: ReadonlySet<string>): string {
  const slug = toServerName(oldName)
  if (!taken.has(slug)) return slug
  const hash = createHash('sha256').update(oldName).digest('hex').slice(0, hashLength)
  return `${slug.slice(0, maxServerNameLength - hashLength - 1).replace(/-$/, '')}-${hash}`
}
