import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Principal } from '../../access/principal.ts'
import { HubError } from '../../domain/errors.ts'
import { findServer } from '../../storage/servers.ts'
import { browserOrigin, headerText } from '../client-address.ts'
import {
  decodeSegment,
  definePage,
  type Exchange,
  rawPath,
  redirect,
  redirectToLogin,
} from '../page-kit.ts'
import { redirectLimit, redirectLoop } from '../redirect-limit.ts'
import { getPageUser, serverPageUrl } from '../server-pages.ts'
import type { WebDeps } from '../web-deps.ts'
import { notRunning } from './pending.ts'
import type { PageTarget } from './spawn.ts'

const maxSleepMs = 10_000

/** Requests for servers that do not answer. Source: contract pages-and-urls §5. */
export function registerUserPaths(app: FastifyInstance, deps: WebDeps): void {
  const { hubPrefix } = deps.settings
  const methods = {
    GET: showServer,
    POST: answerStopped,
    PATCH: answerStopped,
    DELETE: answerStopped,
  }
  definePage(app, deps, {
    url: `${hubPrefix}user/*`,
    path: /^[^/]/,
    methods,
    accept: 'token-or-cookie',
  })
}

/** For services as well: their tokens may come with access to servers. */
async function showServer(exchange: Exchange): Promise<string> {
  const { deps } = exchange
  const { principal } = exchange.identity
  if (principal === undefined) return redirectToLogin(exchange)
  const target = await readUserPath(exchange, principal)
  const state = target.server?.state ?? { kind: 'stopped' as const }
  if (state.kind === 'ready')
    return redirectToServer(exchange, target.server?.jupyterhubVersion ?? null)
  if (wantsJson(exchange)) return jsonStopped(exchange, target)
  // Of the hub, as in the reference: it leads back here, and from here to the server's own host.
  const next = exchange.request.url
  const isPending = state.kind !== 'stopped' || state.lastFailure !== undefined
  if (isPending) {
    const address = { username: target.user.name, serverName: target.serverName }
    const url = serverPageUrl(deps.settings, { page: 'spawn-pending', ...address })
    return redirect(exchange, `${url}?next=${encodeURIComponent(next)}`, 303)
  }
  exchange.reply.code(stoppedStatus(deps))
  return notRunning(exchange, target, { next })
}

/**
 * The server meant: the first segment after the user, if it names one of the user's servers, else
 * the default one. Fails with `resource_hidden` when the viewer may not enter it.
 */
async function readUserPath(exchange: Exchange, principal: Principal): Promise<PageTarget> {
  const { deps } = exchange
  const { segments, hasTail } = splitUserPath(exchange)
  const [username = '', first = ''] = segments
  const candidates = hasTail && first !== '' ? ['', first] : ['']
  const isAllowed = await Promise.all(
    candidates.map(async (serverName) => {
      const resource = { username, serverName }
      return (await deps.decide(principal, 'access:servers', resource)) === 'allowed'
    }),
  )
  if (!isAllowed.includes(true)) throw new HubError('resource_hidden')
  const user = await getPageUser(exchange, username)
  const named =
    deps.settings.allowNamedServers && first !== ''
      ? await findServer(deps.store.db, username, first)
      : undefined
  const server = named ?? (await findServer(deps.store.db, username, ''))
  return { user, serverName: named?.name ?? '', server }
}

/** Back to the server, whose route should be there by now, a limited number of times. */
async function redirectToServer(exchange: Exchange, version: string | null): Promise<string> {
  const { deps, request } = exchange
  const url = new URL(toPublicUrl(exchange), 'http://localhost')
  const count = Number(url.searchParams.get('redirects') ?? '0')
  const redirects = Number.isInteger(count) && count > 0 ? count : 0
  const { userRedirectLimit } = deps.settings
  if (redirects >= redirectLimit(version, userRedirectLimit)) throw redirectLoop(version)
  if (redirects > 0) {
    await sleep(Math.min(2 ** redirects * 1000, maxSleepMs))
  }
  url.searchParams.set('redirects', String(redirects + 1))
  request.log.debug({ redirects }, 'server is ready but its request came to the hub')
  const username = splitUserPath(exchange).segments[0] ?? ''
  const origin = deps.settings.subdomains?.userOrigin(username) ?? ''
  return redirect(exchange, `${origin}${url.pathname.replace(/^\/+/, '/')}${url.search}`)
}

/** Whatever the state, as the reference answers writes. */
async function answerStopped(exchange: Exchange): Promise<string> {
  const { segments } = splitUserPath(exchange)
  const [username = '', first = ''] = segments
  const { deps, viewer } = exchange
  const isOwn = viewer?.user.name === username && deps.settings.allowNamedServers && first !== ''
  const named = isOwn ? await findServer(deps.store.db, username, first) : undefined
  return jsonStopped(exchange, { user: { name: username }, serverName: named?.name ?? '' })
}

/** Clients read 424 as "server gone". Source: contract pages-and-urls §5, JSON body. */
function jsonStopped(
  exchange: Exchange,
  target: { user: { name: string }; serverName: string },
): string {
  const { deps, request, reply } = exchange
  const { hubPrefix } = deps.settings
  const { protocol, host } = browserOrigin(request, deps.sessions.config)
  const address = { username: target.user.name, serverName: target.serverName }
  const spawn = serverPageUrl(deps.settings, { page: 'spawn', ...address })
  const path = `/${rawPath(request).slice(hubPrefix.length)}`
  reply.code(stoppedStatus(deps)).header('content-type', 'application/json')
  return JSON.stringify({
    message: `JupyterHub server no longer running at ${path}. Restart the server at ${protocol}://${host}${spawn}`,
  })
}

function stoppedStatus(deps: WebDeps): number {
  return deps.settings.useLegacyStoppedServerStatusCode ? 503 : 424
}

/** `{prefix}user/…` of a `{hub}user/…`, with its query. */
function toPublicUrl(exchange: Exchange): string {
  const { baseUrl, hubPrefix } = exchange.deps.settings
  return `${baseUrl}${exchange.request.url.slice(hubPrefix.length)}`
}

function splitUserPath(exchange: Exchange): { segments: string[]; hasTail: boolean } {
  const prefix = `${exchange.deps.settings.hubPrefix}user/`
  const parts = rawPath(exchange.request).slice(prefix.length).split('/')
  return { segments: parts.slice(0, 2).map(decodeSegment), hasTail: parts.length > 2 }
}

function wantsJson({ request }: Exchange): boolean {
  if (rawPath(request).split('/').includes('api')) return true
  const weights = new Map<string, number>()
  for (const item of (headerText(request, 'accept') ?? '').split(',').slice(0, 50)) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    const quality = parameters.find((part) => part.startsWith('q='))
    weights.set(type, quality === undefined ? 1 : Number(quality.slice(2)) || 0)
  }
  const json = weights.get('application/json') ?? 0
  return json > 0 && json > (weights.get('text/html') ?? 0)
}
