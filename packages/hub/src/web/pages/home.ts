import type { FastifyInstance } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import { toServerName } from '../../domain/names.ts'
import type { Server, User } from '../../domain/records.ts'
import type { ServerStateKind } from '../../domain/server-state.ts'
import { findServer, listServersOf } from '../../storage/servers.ts'
import { type Html, html } from '../html.ts'
import { appendQuery } from '../next-url.ts'
import {
  definePage,
  type Exchange,
  field,
  page,
  redirect,
  requireScope,
  signedIn,
  xsrf,
} from '../page-kit.ts'
import { isActive, nextUrl, serverPageUrl, serverUrl } from '../server-pages.ts'
import type { SignedIn, WebDeps, WebSettings } from '../web-deps.ts'

type ViewerExchange = Exchange & { viewer: SignedIn }

/** How a server's state reads to people. */
export const stateLabels: Record<ServerStateKind, string> = {
  stopped: 'Stopped',
  spawning: 'Starting',
  ready: 'Running',
  stopping: 'Stopping',
}

/** Root and home. Stop, create and delete are plain forms: they work without script. */
export function registerHomePages(app: FastifyInstance, deps: WebDeps): void {
  const { hubPrefix, baseUrl } = deps.settings
  definePage(app, deps, { url: hubPrefix, methods: { GET: root } })
  definePage(app, deps, {
    url: `${baseUrl}hub`,
    methods: { GET: async (exchange) => redirect(exchange, hubPrefix, 301) },
  })
  definePage(app, deps, {
    url: `${hubPrefix}home`,
    methods: { GET: signedIn(showHome), POST: signedIn(actOnServer) },
  })
}

async function root(exchange: Exchange): Promise<string> {
  const { settings } = exchange.deps
  const { defaultUrl } = settings
  const target = typeof defaultUrl === 'string' ? defaultUrl : defaultUrl(exchange.request)
  if (target !== '' || exchange.viewer !== undefined) {
    return redirect(exchange, await nextUrl(exchange))
  }
  const next = encodeURIComponent(settings.hubPrefix)
  return redirect(exchange, appendQuery(`${settings.hubPrefix}login?next=${next}`, ''))
}

async function showHome(exchange: ViewerExchange): Promise<string> {
  const { deps, viewer } = exchange
  const { user } = viewer
  const found = await findServer(deps.store.db, user.name, '')
  const server = found?.state.kind === 'ready' ? await deps.lifecycle.verify(found) : found
  const all = (await listServersOf(deps.store.db, [user.id])).get(user.id) ?? []
  const named = all.filter((item) => item.name !== '')
  const xsrfToken = xsrf(exchange)
  return page(exchange, {
    title: 'Home',
    announce: 'home',
    xsrfToken,
    data: { page: 'home' },
    main: html`<h1>Your server</h1>
<div class="card">${defaultServer({ settings: deps.settings, user, server, xsrfToken })}</div>
${deps.settings.allowNamedServers && namedServers({ settings: deps.settings, user, named, xsrfToken })}
${deps.accounts !== undefined && html`<p class="actions"><a href="${deps.settings.hubPrefix}change-password">Change password</a></p>`}`,
  })
}

function defaultServer(context: {
  settings: WebSettings
  user: User
  server: Server | undefined
  xsrfToken: string
}): Html {
  const { settings, user, server, xsrfToken } = context
  const kind = server?.state.kind ?? 'stopped'
  const target = { page: 'spawn', username: user.name, serverName: '' } as const
  const href = isActive(server)
    ? serverUrl(settings, user.name, '')
    : serverPageUrl(settings, target)
  const isStopping = kind === 'stopping'
  return html`<p>${stateLabels[kind]}</p>
<div class="actions">
<a id="start" role="button" class="btn btn-primary" href="${href}">${isActive(server) ? 'My Server' : 'Start My Server'}</a>
${server !== undefined && isActive(server) && html`<form method="post" action="${settings.hubPrefix}home">${hidden({ xsrfToken, server: '', action: 'stop' })}<button id="stop" type="submit" class="btn-danger"${isStopping && html` disabled`}>${kind === 'spawning' ? 'Cancel start' : 'Stop My Server'}</button></form>`}
</div>`
}

function namedServers(context: {
  settings: WebSettings
  user: User
  named: readonly Server[]
  xsrfToken: string
}): Html {
  const { settings, user, named, xsrfToken } = context
  const limit = settings.namedServerLimitPerUser
  return html`<h2>Named servers</h2>
${limit > 0 && html`<p class="hint">${named.length} of ${limit} servers.</p>`}
<form class="card actions" method="post" action="${settings.hubPrefix}home">
${hidden({ xsrfToken, action: 'create' })}
<label class="visually-hidden" for="new-server-name">Name of the new server</label>
<input id="new-server-name" class="new-server-name" name="display_name" placeholder="Name of the new server" maxlength="255" required>
<button type="submit" class="new-server-btn">Add new server</button>
</form>
<div class="scroll"><table class="server-table">
<thead><tr><th scope="col">Server</th><th scope="col">State</th><th scope="col">Actions</th></tr></thead>
<tbody>${named.map((server) => serverRow({ settings, user, server, xsrfToken }))}</tbody>
</table></div>`
}

function serverRow(context: {
  settings: WebSettings
  user: User
  server: Server
  xsrfToken: string
}): Html {
  const { settings, user, server, xsrfToken } = context
  const { kind } = server.state
  const target = { page: 'spawn', username: user.name, serverName: server.name } as const
  const action = `${settings.hubPrefix}home`
  const form = (name: 'stop' | 'delete', label: string) =>
    html`<form method="post" action="${action}">${hidden({ xsrfToken, server: server.name, action: name })}<button type="submit" class="${name}-server btn-danger">${label}</button></form>`
  return html`<tr class="home-server-row" data-server-name="${server.name}">
<td>${isActive(server) ? html`<a href="${serverUrl(settings, user.name, server.name)}">${server.displayName ?? server.name}</a>` : (server.displayName ?? server.name)}</td>
<td>${stateLabels[kind]}</td>
<td>${kind === 'stopped' && html`<a role="button" class="btn start-server" href="${serverPageUrl(settings, target)}">Start</a> `}${(kind === 'ready' || kind === 'spawning') && form('stop', 'Stop')}${kind === 'stopped' && form('delete', 'Delete')}</td>
</tr>`
}

async function actOnServer(exchange: ViewerExchange): Promise<string> {
  const { deps, request, viewer } = exchange
  const { user } = viewer
  const action = field(request.body, 'action')
  if (action === 'create') return createServer(exchange)
  const serverName = field(request.body, 'server')
  const resource = { username: user.name, serverName }
  await requireScope(exchange, action === 'delete' ? 'delete:servers' : 'servers', resource)
  const server = await findServer(deps.store.db, user.name, serverName)
  if (server === undefined) throw new HubError('server_not_found')
  if (action !== 'stop' && action !== 'delete') throw new HubError('bad_request')
  const remove = action === 'delete'
  if (remove && serverName === '') throw new HubError('bad_request')
  await deps.lifecycle.stop({ server, remove, actor: `user ${user.name}` })
  await deps.lifecycle.settled(server.id, 2000)
  return redirect(exchange, `${deps.settings.hubPrefix}home`, 303)
}

/** The spawn page creates the server, after its own checks. */
async function createServer(exchange: ViewerExchange): Promise<string> {
  const { deps, request, viewer } = exchange
  if (!deps.settings.allowNamedServers) throw new HubError('named_servers_disabled')
  const displayName = field(request.body, 'display_name').trim().replace(/\s+/g, ' ')
  const username = viewer.user.name
  const serverName = await freeServerName(deps, username, toServerName(displayName))
  const url = serverPageUrl(deps.settings, { page: 'spawn', username, serverName })
  const query = displayName === serverName ? '' : `?display_name=${encodeURIComponent(displayName)}`
  return redirect(exchange, url + query, 303)
}

async function freeServerName(deps: WebDeps, username: string, slug: string): Promise<string> {
  for (let count = 1; count <= 100; count += 1) {
    const suffix = count === 1 ? '' : `-${count}`
    const name = `${slug.slice(0, 30 - suffix.length).replace(/-$/, '')}${suffix}`
    if ((await findServer(deps.store.db, username, name)) === undefined) return name
  }
  throw new HubError('server_exists')
}

function hidden(fields: { xsrfToken: string; action: string; server?: string }): Html {
  return html`<input type="hidden" name="_xsrf" value="${fields.xsrfToken}"><input type="hidden" name="action" value="${fields.action}">${fields.server !== undefined && html`<input type="hidden" name="server" value="${fields.server}">`}`
}
