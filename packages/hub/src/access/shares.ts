import { listSharesReceivedBy } from '../storage/access.ts'
import type { Executor } from '../storage/dialects/dialect.ts'

/** What others share with a user. */
export interface SharedAccess {
  /** Raw scopes, each filtered to the shared server by the name that it has now. */
  readonly scopes: readonly string[]
  /** Names of what {@link scopes} were made from, for the cache. */
  readonly dependsOn: readonly string[]
  /** When the first of the shares ends (ms); `Infinity` for never. */
  readonly validUntil: number
}

/**
 * Shares with the user and with the user's groups.
 * Differs from JupyterHub: shares through groups count for tokens as well (contract D18), and a
 * renamed server keeps its shares while a new server of the old name gets none (D12).
 */
export async function loadSharedAccess(
  db: Executor,
  userId: number,
  now: Date,
): Promise<SharedAccess> {
  const shares = await listSharesReceivedBy(db, userId, now)
  const scopes = shares.flatMap(({ ownerName, serverName, scopes: names }) =>
    names.map((name) => `${name}!server=${ownerName}/${serverName}`),
  )
  const sources = shares.flatMap(({ ownerId, serverId }) => [
    `user:${ownerId}`,
    `server:${serverId}`,
  ])
  const ends = shares.map(({ expiresAt }) => expiresAt?.getTime() ?? Infinity)
  return { scopes, dependsOn: [...new Set(sources)], validUntil: Math.min(Infinity, ...ends) }
}
