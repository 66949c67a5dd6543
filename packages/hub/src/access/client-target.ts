import type { OAuthClient } from '../domain/records.ts'
import type { Executor } from '../storage/dialects/dialect.ts'
import { findServerById } from '../storage/servers.ts'

/** What an OAuth client gives access to. */
export type ClientTarget =
  | {
      readonly kind: 'server'
      readonly serverId: number
      readonly ownerId: number
      readonly username: string
      readonly serverName: string
    }
  | { readonly kind: 'service'; readonly serviceId: number; readonly name: string }

/** The server or service behind a client; `undefined` for the hub's own and for strays. */
export async function findClientTarget(
  db: Executor,
  client: OAuthClient,
): Promise<ClientTarget | undefined> {
  if (client.serverId !== null) {
    const server = await findServerById(db, client.serverId)
    if (server === undefined) return undefined
    const { id: serverId, userId: ownerId, username, name: serverName } = server
    return { kind: 'server', serverId, ownerId, username, serverName }
  }
  if (client.serviceId === null) return undefined
  const service = await db
    .selectFrom('services')
    .select(['id', 'name'])
    .where('id', '=', client.serviceId)
    .executeTakeFirst()
  return service && { kind: 'service', serviceId: service.id, name: service.name }
}

/**
 * Scope that opens what the client stands for.
 * Source: contract scopes-and-roles §5, "access scope of a client".
 */
export function accessScopeOf(target: ClientTarget): string {
  return target.kind === 'server'
    ? `access:servers!server=${target.username}/${target.serverName}`
    : `access:services!service=${target.name}`
}
