import type { FastifyInstance } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import type { Server, User } from '../../domain/records.ts'
import { recordAudit } from '../../storage/audit.ts'
import { findServer, listServersOf } from '../../storage/servers.ts'
import { createUser, getUser, listUsers } from '../../storage/users.ts'
import { isValidUsername, normalizeUsername } from '../../domain/names.ts'
import { createPasswordLink } from '../accounts.ts'
import { browserOrigin } from '../client-address.ts'
import { type Html, html } from '../html.ts'
import {
  definePage,
  type Exchange,
  field,
  page,
  requireScope,
  signedIn,
  xsrf,
} from '../page-kit.ts'
import { serverPageUrl, serverUrl } from '../server-pages.ts'
import type { SignedIn, WebDeps } from '../web-deps.ts'
import { stateLabels } from './home.ts'

type ViewerExchange = Exchange & { viewer: SignedIn }
interface Notice {
  readonly text: string
  readonly link?: string
  readonly isError?: boolean
}

const pageSize = 100

/** People and their servers, for administrators. Plain forms, each guarded by its own scope. */
export function registerAdminPage(app: FastifyInstance, deps: WebDeps): void {
  definePage(app, deps, {
    url: `${deps.settings.hubPrefix}admin`,
    methods: { GET: signedIn((exchange) => showAdmin(exchange)), POST: signedIn(act) },
  })
}

async function act(exchange: ViewerExchange): Promise<string> {
  await requireScope(exchange, 'admin-ui')
  try {
    return await showAdmin(exchange, await perform(exchange))
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    exchange.reply.code(error.status)
    return showAdmin(exchange, { text: error.message, isError: true })
  }
}

async function perform(exchange: ViewerExchange): Promise<Notice> {
  const { body } = exchange.request
  switch (field(body, 'action')) {
    case 'add':
      return addUser(exchange)
    case 'link':
      await requireScope(exchange, 'admin:users', { username: field(body, 'user') })
      return linkNotice(exchange, await getUser(exchange.deps.store.db, field(body, 'user')))
    case 'stop':
      return stopServer(exchange)
    default:
      throw new HubError('bad_request')
  }
}

async function addUser(exchange: ViewerExchange): Promise<Notice> {
  const { deps, request, viewer } = exchange
  await requireScope(exchange, 'admin:users')
  const { rules } = deps.login
  const name = normalizeUsername(field(request.body, 'user').trim(), rules)
  if (!isValidUsername(name, rules)) throw new HubError('username_invalid')
  requireAdminFor(exchange, { name, admin: false })
  const now = deps.now()
  const user = await deps.store.write(async (transaction) => {
    const created = await createUser(transaction, { name }, now)
    const event = { actor: `user ${viewer.user.name}`, action: 'user.create', subject: name }
    await recordAudit(transaction, event, now)
    return created
  })
  return deps.accounts === undefined ? { text: `Added ${name}.` } : linkNotice(exchange, user)
}

/** The link is shown once: only its hash is stored. */
async function linkNotice(exchange: ViewerExchange, user: User): Promise<Notice> {
  const { deps, viewer, request } = exchange
  if (deps.accounts === undefined) throw new HubError('not_found')
  requireAdminFor(exchange, user)
  const token = await createPasswordLink(deps.accounts, user, `user ${viewer.user.name}`)
  const { protocol, host } = browserOrigin(request, deps.sessions.config)
  const link = `${protocol}://${host}${deps.settings.hubPrefix}set-password?token=${encodeURIComponent(token)}`
  return { text: `Give ${user.name} this link. It sets a password, once, within 24 hours:`, link }
}

/** Whoever sets the password of an administrator, or of one who will be at sign-in, is one. */
function requireAdminFor(
  { deps, viewer }: ViewerExchange,
  user: Pick<User, 'name' | 'admin'>,
): void {
  const isAdmin = user.admin || deps.login.rules.adminUsers.has(user.name)
  if (isAdmin && !viewer.user.admin) throw new HubError('forbidden')
}

async function stopServer(exchange: ViewerExchange): Promise<Notice> {
  const { deps, request, viewer } = exchange
  const username = field(request.body, 'user')
  const serverName = field(request.body, 'server')
  await requireScope(exchange, 'servers', { username, serverName })
  const server = await findServer(deps.store.db, username, serverName)
  if (server === undefined) throw new HubError('server_not_found')
  await deps.lifecycle.stop({ server, actor: `user ${viewer.user.name}` })
  await deps.lifecycle.settled(server.id, 2000)
  return { text: `Stopping the server ${username}/${serverName}.` }
}

async function showAdmin(exchange: ViewerExchange, notice?: Notice): Promise<string> {
  const { deps, request } = exchange
  await requireScope(exchange, 'admin-ui')
  await requireScope(exchange, 'list:users')
  const offset = Math.min(Number(/^\d{1,9}$/.exec(field(request.query, 'offset'))?.[0] ?? 0), 1e9)
  const nameFilter = field(request.query, 'name_filter').slice(0, 255)
  const { users, total } = await listUsers(deps.store.db, {
    selection: { kind: 'all' },
    nameFilter,
    sort: 'name',
    descending: false,
    offset,
    limit: pageSize,
  })
  const servers = await listServersOf(
    deps.store.db,
    users.map((user) => user.id),
  )
  const xsrfToken = xsrf(exchange)
  const action = `${deps.settings.hubPrefix}admin`
  return page(exchange, {
    title: 'Admin',
    xsrfToken,
    main: html`<h1>Users and servers</h1>
${notice && html`<p class="${notice.isError === true ? 'error' : 'notice'}" role="status">${notice.text}${notice.link && html` <code>${notice.link}</code>`}</p>`}
<form method="post" action="${action}" class="card">${hidden(xsrfToken, { action: 'add' })}
<label for="new-user">New user</label><input id="new-user" name="user" maxlength="255" autocapitalize="off" spellcheck="false" required>
<div class="actions"><button type="submit" class="btn-primary">Add user</button></div></form>
<form method="get" action="${action}" role="search"><label for="name-filter">Find users</label><input id="name-filter" type="search" name="name_filter" value="${nameFilter}"></form>
<p class="hint">${total} ${total === 1 ? 'user' : 'users'}.</p>
<div class="scroll"><table class="user-table"><thead><tr><th scope="col">User</th><th scope="col">Server</th><th scope="col">Actions</th></tr></thead>
<tbody>${users.map((user) => userRow({ deps, user, servers: servers.get(user.id) ?? [], xsrfToken }))}</tbody></table></div>
${pager({ action, offset, total, nameFilter })}`,
  })
}

function userRow(context: {
  deps: WebDeps
  user: User
  servers: readonly Server[]
  xsrfToken: string
}): Html {
  const { deps, user, servers, xsrfToken } = context
  const { settings } = deps
  const action = `${settings.hubPrefix}admin`
  const start = serverPageUrl(settings, { page: 'spawn', username: user.name, serverName: '' })
  const hasDefault = servers.some(({ name, state }) => name === '' && state.kind !== 'stopped')
  return html`<tr data-user="${user.name}"><td>${user.name}${user.admin && ' (admin)'}</td>
<td>${servers.map((server) => serverLine({ deps, user, server, xsrfToken }))}</td>
<td>${!hasDefault && html`<a class="btn" role="button" href="${start}">Start</a> `}${deps.accounts !== undefined && html`<form method="post" action="${action}">${hidden(xsrfToken, { action: 'link', user: user.name })}<button type="submit">Create password link</button></form>`}</td></tr>`
}

function serverLine(context: {
  deps: WebDeps
  user: User
  server: Server
  xsrfToken: string
}): Html {
  const { deps, user, server, xsrfToken } = context
  const { kind } = server.state
  const label = `${server.name === '' ? 'default' : server.name}: ${stateLabels[kind]}`
  const values = { action: 'stop', user: user.name, server: server.name }
  return html`<div>${kind === 'ready' ? html`<a href="${serverUrl(deps.settings, user.name, server.name)}">${label}</a>` : label} ${(kind === 'ready' || kind === 'spawning') && html`<form method="post" action="${deps.settings.hubPrefix}admin">${hidden(xsrfToken, values)}<button type="submit" class="btn-danger">Stop</button></form>`}</div>`
}

function pager(context: {
  action: string
  offset: number
  total: number
  nameFilter: string
}): Html {
  const { action, offset, total, nameFilter } = context
  const href = (to: number) =>
    `${action}?offset=${to}&name_filter=${encodeURIComponent(nameFilter)}`
  return html`<p class="actions">${offset > 0 && html`<a class="btn" href="${href(Math.max(0, offset - pageSize))}">Previous</a>`}${offset + pageSize < total && html`<a class="btn" href="${href(offset + pageSize)}">Next</a>`}</p>`
}

function hidden(xsrfToken: string, values: Readonly<Record<string, string>>): Html {
  const all = Object.entries({ _xsrf: xsrfToken, ...values })
  return html`${all.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}`
}
