import type { Server } from '../domain/records.ts'

/**
 * Scopes of the token that a server runs with. What the owner does not hold takes no effect: a
 * token's scopes are intersected with the owner's at every use.
 * Source: contract scopes-and-roles §9.4.
 */
export function serverTokenScopes(input: {
  /** `Spawner.server_token_scopes`; empty for the scopes of the role `server`. */
  readonly configured: readonly string[]
  readonly roleScopes: readonly string[]
  readonly server: Pick<Server, 'username' | 'name'>
}): string[] {
  const { configured, roleScopes, server } = input
  const requested = configured.length > 0 ? configured : roleScopes
  const scopes = requested.map((scope) =>
    scope.endsWith('!server') ? `${scope}=${server.username}/${server.name}` : scope,
  )
  const reports = ['users:activity', 'users:activity!user', 'inherit']
  if (!scopes.some((scope) => reports.includes(scope))) scopes.push('users:activity!user')
  return [...new Set(scopes)].toSorted()
}
