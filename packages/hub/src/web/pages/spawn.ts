import type { FastifyInstance } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import type { Server, User } from '../../domain/records.ts'
import { wirePending } from '../../domain/server-state.ts'
import { checkNamedServer } from '../../lifecycle/named-servers.ts'
import { findServer } from '../../storage/servers.ts'
import { isJsonObject, type JsonObject } from '../../util/json.ts'
import { maxSpawnFormBytes as maxFormBytes } from '../body-parsers.ts'
import { html, trustedHtml } from '../html.ts'
import { appendQuery } from '../next-url.ts'
import {
  decodeSegment,
  definePage,
  type Exchange,
  field,
  fieldValues,
  page,
  rawPath,
  rawQuery,
  redirect,
  requireScope,
  signedIn,
  xsrf,
} from '../page-kit.ts'
import { getPageUser, nextUrl, serverPageUrl, serverUrl } from '../server-pages.ts'
import type { SignedIn, WebDeps } from '../web-deps.ts'

export type ViewerExchange = Exchange & { viewer: SignedIn }

/** Which server a page is about. */
export interface PageTarget {
  readonly user: User
  readonly serverName: string
  readonly server: Server | undefined
}

const startWaitMs = 1000

/** `U` or `U/S`, without a final slash. */
export const serverPagePath = /^[^/]+(?:\/[^/]+)?$/

/** Starting a server. Source: contract pages-and-urls §4.3. */
export function registerSpawnPages(app: FastifyInstance, deps: WebDeps): void {
  const { hubPrefix } = deps.settings
  const methods = { GET: signedIn(showSpawn), POST: signedIn(spawnFromForm) }
  definePage(app, deps, { url: `${hubPrefix}spawn`, methods, maxFormBytes })
  definePage(app, deps, { url: `${hubPrefix}spawn/*`, methods, maxFormBytes, path: serverPagePath })
}

/**
 * The server named by `{page}`, `{page}/U` or `{page}/U/S`, once the viewer may use it.
 * Fails with `scope_missing`, `resource_hidden`.
 */
export async function readTarget(
  exchange: ViewerExchange,
  pageName: 'spawn' | 'spawn-pending',
): Promise<PageTarget> {
  const { deps, request, viewer } = exchange
  const prefix = `${deps.settings.hubPrefix}${pageName}`
  const segments = rawPath(request).slice(prefix.length).split('/').slice(1).map(decodeSegment)
  const [username = viewer.user.name, serverName = ''] = segments
  await requireScope(exchange, 'servers', { username, serverName })
  const user = await getPageUser(exchange, username)
  const server = await findServer(deps.store.db, username, serverName)
  return { user, serverName, server }
}

async function showSpawn(exchange: ViewerExchange): Promise<string> {
  const { deps } = exchange
  const target = await readTarget(exchange, 'spawn')
  await checkName(exchange, target)
  const kind = target.server?.state.kind ?? 'stopped'
  if (kind === 'ready') {
    const url = serverUrl(deps.settings, target.user.name, target.serverName)
    return redirect(exchange, await nextUrl(exchange, url))
  }
  if (kind !== 'stopped') return redirect(exchange, pendingUrl(exchange, target))
  const options = optionsFromQuery(exchange)
  if (options !== undefined) {
    return startOrForm(exchange, target, () => deps.settings.optionsFromQuery(options))
  }
  if (deps.settings.optionsForm !== '') return spawnForm(exchange, target)
  return start(exchange, target, undefined)
}

async function spawnFromForm(exchange: ViewerExchange): Promise<string> {
  const { deps, request } = exchange
  const target = await readTarget(exchange, 'spawn')
  await checkName(exchange, target)
  const kind = target.server?.state.kind ?? 'stopped'
  if (kind === 'ready') {
    throw new HubError('server_already_running', {
      message: `${shownName(target)} is already running`,
    })
  }
  if (kind !== 'stopped') {
    const message = `${shownName(target)} is pending ${wirePending[kind]}`
    throw new HubError('server_pending', { message })
  }
  const values = formValues(request.body)
  return startOrForm(exchange, target, () => deps.settings.optionsFromForm(values))
}

function shownName({ user, serverName }: PageTarget): string {
  return serverName === '' ? user.name : `${user.name}:${serverName}`
}

/** Starts with the chosen options; what is wrong with them is shown in the form. */
async function startOrForm(
  exchange: ViewerExchange,
  target: PageTarget,
  readOptions: () => JsonObject,
): Promise<string> {
  const { settings } = exchange.deps
  try {
    return await start(exchange, target, readOptions())
  } catch (error) {
    if (settings.optionsForm === '' || !(error instanceof HubError)) throw error
    exchange.reply.code(error.status).headers(error.headers)
    return spawnForm(exchange, target, error.message)
  }
}

async function start(
  exchange: ViewerExchange,
  target: PageTarget,
  userOptions: JsonObject | undefined,
): Promise<string> {
  const { deps, request, viewer } = exchange
  const displayName = field(request.query, 'display_name')
  const { server } = await deps.lifecycle.start({
    user: target.user,
    serverName: target.serverName,
    userOptions,
    displayName: displayName === '' ? undefined : displayName,
    actor: `user ${viewer.user.name}`,
  })
  const settled = await deps.lifecycle.settled(server.id, startWaitMs)
  const failure = settled?.state.kind === 'stopped' ? settled.state.lastFailure : undefined
  if (failure !== undefined) {
    const { code, status, message } = failure
    throw new HubError(code, { status, message })
  }
  return redirect(exchange, pendingUrl(exchange, target))
}

/** The pending page with the current query; `next` goes last. Source: contract pages-and-urls §4.3. */
export function pendingUrl(exchange: Exchange, target: PageTarget): string {
  const { settings } = exchange.deps
  const query = new URLSearchParams(rawQuery(exchange.request))
  const next = query.get('next')
  query.delete('display_name')
  const address = { username: target.user.name, serverName: target.serverName }
  const url = appendQuery(
    serverPageUrl(settings, { page: 'spawn-pending', ...address }),
    query.toString(),
  )
  if (next === null || next === '') return url
  return `${url}${url.includes('?') ? '&' : '?'}next=${encodeURIComponent(next)}`
}

/** Before anything else, for a server that exists and for one that does not. */
async function checkName(exchange: ViewerExchange, target: PageTarget): Promise<void> {
  const { deps, request } = exchange
  const { user, serverName: name, server } = target
  if (name === '') return
  await checkNamedServer(deps.store.db, deps.settings, {
    user,
    name,
    displayName: field(request.query, 'display_name'),
    exists: server !== undefined,
    addsOne: true,
  })
}

/**
 * Options in the query: those named `opt-NAME`, or without any such all others.
 * Source: contract pages-and-urls §4.3, "Query options" (6.0).
 */
function optionsFromQuery(exchange: Exchange): JsonObject | undefined {
  const reserved = new Set(['next', 'display_name', '_xsrf'])
  const entries = [...new URLSearchParams(rawQuery(exchange.request))]
  const prefixed = entries.filter(([name]) => name.startsWith('opt-'))
  if (prefixed.some(([name]) => name === 'opt-')) {
    throw new HubError('bad_request', {
      status: 422,
      message: 'Invalid user-option name opt-: an option needs a name, as in opt-NAME',
    })
  }
  const chosen =
    prefixed.length > 0
      ? prefixed.map(([name, value]) => [name.slice(4), value] as const)
      : entries.filter(([name]) => !reserved.has(name))
  if (chosen.length === 0) return undefined
  const values = new Map<string, string[]>()
  for (const [name, value] of chosen) values.set(name, [...(values.get(name) ?? []), value])
  return Object.fromEntries(values)
}

function formValues(body: unknown): JsonObject {
  if (typeof body !== 'object' || body === null || Buffer.isBuffer(body)) return {}
  const names = Object.keys(body).filter((name) => name !== '_xsrf')
  return Object.fromEntries(names.map((name) => [name, listOf(body, name)]))
}

/** Texts, or for a file field its files as objects. */
function listOf(body: object, name: string): string[] | JsonObject[] {
  const texts = fieldValues(body, name)
  if (texts.length > 0) return texts
  const value: unknown = Object.entries(body).find(([key]) => key === name)?.[1]
  return Array.isArray(value) ? value.filter(isJsonObject) : []
}

async function spawnForm(
  exchange: ViewerExchange,
  target: PageTarget,
  problem?: string,
): Promise<string> {
  const { request, viewer, deps } = exchange
  const xsrfToken = xsrf(exchange)
  const query = new URLSearchParams(rawQuery(request))
  query.delete('_xsrf')
  query.append('_xsrf', xsrfToken)
  const forOther = target.user.id !== viewer.user.id
  return page(exchange, {
    title: 'Server options',
    announce: 'spawn',
    xsrfToken,
    main: html`<h1>Server options</h1>
${forOther && html`<p>For the server of ${target.user.name}.</p>`}
${problem && html`<p class="spawn-error-msg" role="alert">${problem}</p>`}
<form id="spawn_form" class="card" method="post" enctype="multipart/form-data" action="${rawPath(request)}?${query.toString()}">
${trustedHtml(deps.settings.optionsForm)}
<div class="actions"><button type="submit" class="btn-primary">Start</button></div>
</form>`,
  })
}
