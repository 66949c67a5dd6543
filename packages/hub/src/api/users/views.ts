import type { Server, User } from '../../domain/records.ts'
import { wirePending } from '../../domain/server-state.ts'
import { serverUrl } from '../../domain/urls.ts'
import type { ApiSettings } from '../context.ts'
import type { UserModelKey, Viewer } from '../permissions.ts'
import type { ServerModel } from '../servers/schemas.ts'
import { viewServer } from '../servers/views.ts'
import { toWireTime, toWireTimeOrNull } from '../timestamps.ts'
import type { UserModel } from './schemas.ts'

/** A user with everything that a model of it may show. */
export interface UserRecord {
  readonly user: User
  readonly servers: readonly Server[]
  readonly groups: readonly string[]
  readonly roles: readonly string[]
}

export interface UserViewOptions {
  readonly viewer: Viewer
  readonly settings: Pick<ApiSettings, 'baseUrl' | 'subdomains' | 'hubPrefix' | 'publicUrl'>
  readonly includeStopped: boolean
}

/**
 * The keys of a user that the viewer may see; `undefined` when there are none, or when nothing but
 * some of the user's servers is visible.
 * Source: contract rest-api §6.1.
 */
export function viewUser(record: UserRecord, options: UserViewOptions): UserModel | undefined {
  const { user } = record
  const keys = options.viewer.userKeys(user.name)
  if (keys.size === 0) return undefined
  const values = [...keys].map((key) => [key, userValue(key, record, options)] as const)
  const model = Object.fromEntries(values.filter(([, value]) => value !== undefined))
  const servers = viewServers(record, options)
  return { ...model, ...(servers !== undefined && { servers }) }
}

function userValue(key: UserModelKey, record: UserRecord, options: UserViewOptions): unknown {
  const { user } = record
  const defaultServer = record.servers.find((server) => server.name === '')
  const kind = defaultServer?.state.kind ?? 'stopped'
  switch (key) {
    case 'kind':
      return 'user'
    case 'name':
      return user.name
    case 'admin':
      return user.admin
    case 'disabled':
      return user.disabled ? true : undefined
    case 'user_info':
      return user.userInfo
    case 'roles':
      return record.roles
    case 'groups':
      return record.groups
    case 'server':
      return kind === 'ready' ? serverUrl(options.settings, user.name, '') : null
    case 'pending':
      return wirePending[kind]
    case 'created':
      return toWireTime(user.createdAt)
    case 'last_activity':
      return toWireTimeOrNull(user.lastActivityAt)
    case 'auth_state':
      // Filled in where one user is asked for.
      return null
    case 'servers':
      return {} // filled in for each server that is visible
  }
}

/** Present though empty for who may read all servers of the user, else only with a visible one. */
function viewServers(
  record: UserRecord,
  options: UserViewOptions,
): Record<string, ServerModel> | undefined {
  const { viewer, settings, includeStopped } = options
  const { user } = record
  const visible = record.servers.filter(
    (server) =>
      (includeStopped || server.state.kind !== 'stopped') &&
      viewer.coversServer('read:servers', user.name, server.name),
  )
  if (visible.length === 0 && !viewer.coversUser('read:servers', user.name)) return undefined
  return Object.fromEntries(
    visible.map((server) => {
      const showState = viewer.coversServer('admin:server_state', user.name, server.name)
      return [server.name, viewServer(server, { settings, showState })]
    }),
  )
}
