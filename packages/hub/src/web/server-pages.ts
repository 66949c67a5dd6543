import { HubError } from '../domain/errors.ts'
import type { Server, User } from '../domain/records.ts'
import { escapePathSegment, serverUrl as urlOfServer } from '../domain/urls.ts'
import { findServer } from '../storage/servers.ts'
import { findUser } from '../storage/users.ts'
import { chooseNextUrl } from './next-url.ts'
import { type Exchange, nextOf, rawQuery } from './page-kit.ts'
import type { WebSettings } from './web-deps.ts'

/** Where to go after sign-in, spawn or from the root. Source: contract pages-and-urls §3.2. */
export async function nextUrl(exchange: Exchange, pageDefault?: string): Promise<string> {
  const { deps, request, viewer } = exchange
  const { settings } = deps
  const { defaultUrl } = settings
  return chooseNextUrl({
    next: nextOf(exchange),
    pageDefault,
    defaultUrl: typeof defaultUrl === 'string' ? defaultUrl : defaultUrl(request),
    redirectToServer: settings.redirectToServer,
    activeServerUrl: viewer && (await activeServerUrl(exchange, viewer.user)),
    hubPrefix: settings.hubPrefix,
    query: rawQuery(request),
  })
}

/** `{hub}<page>/U[/S]`, for spawn and spawn-pending. */
export function serverPageUrl(
  settings: WebSettings,
  target: { page: 'spawn' | 'spawn-pending'; username: string; serverName: string },
): string {
  const user = escapePathSegment(target.username)
  const server = target.serverName === '' ? '' : `/${escapePathSegment(target.serverName)}`
  return `${settings.hubPrefix}${target.page}/${user}${server}`
}

export function serverUrl(settings: WebSettings, username: string, serverName: string): string {
  return urlOfServer(settings, username, serverName)
}

/** The user whose server a page is about. Unknown users look like hidden ones. */
export async function getPageUser(exchange: Exchange, username: string): Promise<User> {
  const { viewer, deps } = exchange
  if (viewer?.user.name === username) return viewer.user
  const user = await findUser(deps.store.db, username)
  if (user === undefined) throw new HubError('resource_hidden')
  return user
}

export function isActive(server: Server | undefined): boolean {
  return server !== undefined && server.state.kind !== 'stopped'
}

async function activeServerUrl(exchange: Exchange, user: User): Promise<string | undefined> {
  const { settings, store } = exchange.deps
  const server = await findServer(store.db, user.name, '')
  return isActive(server) ? serverUrl(settings, user.name, '') : undefined
}
