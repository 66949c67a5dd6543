import type { Server } from '../../domain/records.ts'
import { wirePending } from '../../domain/server-state.ts'
import { escapePathSegment, serverUrl } from '../../domain/urls.ts'
import type { ApiSettings } from '../context.ts'
import { toWireTimeOrNull } from '../timestamps.ts'
import type { ServerModel } from './schemas.ts'

/** A server as the wire has it; `state` only for those who may see it. */
export function viewServer(
  server: Server,
  options: {
    settings: Pick<ApiSettings, 'baseUrl' | 'subdomains' | 'hubPrefix' | 'publicUrl'>
    showState: boolean
  },
): ServerModel {
  const { settings, showState } = options
  const { kind } = server.state
  const url = serverUrl(settings, server.username, server.name)
  const progressUrl = progressPath(settings.hubPrefix, server)
  return {
    name: server.name,
    display_name: server.displayName,
    full_name: `${server.username}/${server.name}`,
    last_activity: toWireTimeOrNull(server.lastActivityAt),
    started: kind === 'stopped' ? null : toWireTimeOrNull(server.startedAt),
    pending: wirePending[kind],
    ready: kind === 'ready',
    stopped: kind === 'stopped',
    url,
    // Observed: JupyterHub 6.1.1 has `{}` for both where nothing was ever set.
    user_options: { ...server.userOptions },
    progress_url: progressUrl,
    full_url: toPublic(settings.publicUrl, url),
    full_progress_url: toPublic(settings.publicUrl, progressUrl),
    ...(showState && { state: { ...server.spawnerState } }),
  }
}

/**
 * The default server of a user who never started one: it always exists on the wire.
 * Source: contract rest-api §8.2.
 */
export function toUnstartedServer(user: { id: number; name: string; createdAt: Date }): Server {
  return {
    id: 0,
    userId: user.id,
    username: user.name,
    name: '',
    displayName: '',
    state: { kind: 'stopped' },
    version: 0,
    runId: null,
    startedAt: null,
    lastActivityAt: null,
    createdAt: user.createdAt,
    userOptions: null,
    spawnerId: null,
    spawnerState: null,
    jupyterhubVersion: null,
  }
}

function progressPath(hubPrefix: string, server: Server): string {
  const user = `${hubPrefix}api/users/${escapePathSegment(server.username)}`
  return server.name === ''
    ? `${user}/server/progress`
    : `${user}/servers/${escapePathSegment(server.name)}/progress`
}

/** A URL with a host of its own stays. */
function toPublic(publicUrl: URL | undefined, path: string): string | null {
  if (!path.startsWith('/')) return path
  return publicUrl === undefined ? null : new URL(path, publicUrl).href
}
