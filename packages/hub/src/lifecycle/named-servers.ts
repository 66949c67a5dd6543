import { HubError } from '../domain/errors.ts'
import { isNewServerName, parseDisplayName, parseNewServerName, shorten } from '../domain/names.ts'
import type { Executor } from '../storage/dialects/dialect.ts'
import { countNamedServers } from '../storage/servers.ts'

/** What may become of stored servers whose name breaks today's rules. */
export type InvalidNamePolicy = 'allow-start' | 'allow-delete' | 'autorename'

export interface NamingSettings {
  readonly allowNamedServers: boolean
  /** Named servers per user; 0 is no limit. */
  readonly namedServerLimitPerUser: number
  readonly allowExistingInvalidNamedServers: InvalidNamePolicy
}

export interface NamedServerCheck {
  readonly user: { readonly id: number; readonly name: string }
  readonly name: string
  readonly displayName?: string | undefined
  readonly exists: boolean
  /** A rename of a named server leaves their number as it is. */
  readonly addsOne: boolean
}

/** @throws HubError `named_servers_disabled` */
export function requireNamedServers(settings: NamingSettings): void {
  if (!settings.allowNamedServers) throw new HubError('named_servers_disabled')
}

/**
 * Whether a server of this name may come into being, or, where it exists, be started. Fails with
 * `named_servers_disabled`, `named_server_limit`, `server_name_invalid`, `display_name_invalid`.
 * Source: contract rest-api §8.1, "Named-server check"; pages-and-urls §4.3.
 */
export async function checkNamedServer(
  db: Executor,
  settings: NamingSettings,
  server: NamedServerCheck,
): Promise<void> {
  requireNamedServers(settings)
  if (server.exists) return requireStartableName(server.name, settings)
  const limit = settings.namedServerLimitPerUser
  if (server.addsOne && limit > 0 && (await countNamedServers(db, server.user.id)) >= limit) {
    throw new HubError('named_server_limit', {
      message:
        `User ${server.user.name} already has the maximum of ${limit} named servers. ` +
        'One must be deleted before a new server can be created',
    })
  }
  parseNewServerName(server.name)
  if (server.displayName !== undefined && server.displayName !== '') {
    parseDisplayName(server.displayName)
  }
}

/** Stored names may be older and looser than today's rule. */
function requireStartableName(name: string, settings: NamingSettings): void {
  if (name === '' || isNewServerName(name)) return
  if (name.includes('/') || settings.allowExistingInvalidNamedServers !== 'allow-start') {
    throw new HubError('server_name_invalid', {
      message: `Invalid server_name: '${shorten(name)}'. Servers of this name may not start.`,
    })
  }
}
