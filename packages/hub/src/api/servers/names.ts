import { HubError } from '../../domain/errors.ts'
import { parseDisplayName, parseNewServerName, shorten } from '../../domain/names.ts'
import { countNamedServers } from '../../storage/servers.ts'
import type { Executor } from '../../storage/dialects/dialect.ts'
import type { ApiSettings } from '../context.ts'

export type NamingSettings = Pick<
  ApiSettings,
  'allowNamedServers' | 'namedServerLimitPerUser' | 'allowExistingInvalidNamedServers'
>

/** @throws HubError `named_servers_disabled` */
export function requireNamedServers(settings: NamingSettings): void {
  if (!settings.allowNamedServers) throw new HubError('named_servers_disabled')
}

/**
 * Whether a server of this name may come into being, or, where it exists, be started.
 * Source: contract rest-api §8.1, "Named-server check".
 */
export async function checkNamedServer(
  db: Executor,
  settings: NamingSettings,
  server: {
    user: { readonly id: number; readonly name: string }
    name: string
    displayName?: string | undefined
    exists: boolean
    /** A rename of a named server leaves their number as it is. */
    addsOne: boolean
  },
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
  if (name === '' || isNewName(name)) return
  if (name.includes('/') || settings.allowExistingInvalidNamedServers !== 'allow-start') {
    throw new HubError('server_name_invalid', {
      message: `Invalid server_name: '${shorten(name)}'. Servers of this name may not start.`,
    })
  }
}

function isNewName(name: string): boolean {
  try {
    parseNewServerName(name)
    return true
  } catch {
    return false
  }
}
