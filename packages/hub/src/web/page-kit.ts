import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { HubError } from '../domain/errors.ts'
import { findUserById } from '../storage/users.ts'
import { refuseLargeForm } from './body-parsers.ts'
import { browserOrigin } from './client-address.ts'
import type { RequestIdentity } from './identify.ts'
import { type PageContent, type PageUser, renderPage } from './layout.ts'
import { validateNextUrl } from './next-url.ts'
import { listServiceLinks } from './service-links.ts'
import type { AccessDecision, ServerResource, SignedIn, WebDeps } from './web-deps.ts'

/** One request for a page. */
export interface Exchange {
  readonly deps: WebDeps
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly identity: RequestIdentity
  /** Who is signed in; services and strangers are nobody. */
  readonly viewer: SignedIn | undefined
}

/** Resolves to the body of the answer; status and headers are set on the reply. */
export type PageHandler = (exchange: Exchange) => Promise<string>
/** A handler for signed-in people only. */
export type SignedInHandler = (exchange: Exchange & { viewer: SignedIn }) => Promise<string>

export type PageMethod = 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE'

export interface PageDefinition {
  readonly url: string
  readonly methods: Readonly<Partial<Record<PageMethod, PageHandler>>>
  /** Which paths below a `*` are the page's; others are a 404 before anybody has to sign in. */
  readonly path?: RegExp
  /** `token-or-cookie` for `{hub}user/` alone. */
  readonly accept?: 'cookie' | 'token-or-cookie'
  /** Bytes of a form of who is signed in, where it is more than others may send. */
  readonly maxFormBytes?: number
  /** Answers when the XSRF check fails; the error page by default. */
  readonly onXsrfFailure?: (exchange: Exchange, error: HubError) => Promise<string>
}

const allMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/** Registers a page; methods it does not have answer 405, after the XSRF check as in the reference. */
export function definePage(app: FastifyInstance, deps: WebDeps, page: PageDefinition): void {
  app.route({
    method: [...allMethods],
    url: page.url,
    exposeHeadRoute: false,
    ...(page.maxFormBytes !== undefined && {
      bodyLimit: page.maxFormBytes,
      onRequest: async (request: FastifyRequest, reply: FastifyReply) => {
        const { viewer } = await beginExchange(deps, { request, reply }, page.accept)
        if (viewer === undefined) refuseLargeForm(request)
      },
    }),
    // As bytes: Fastify adds a charset to the type of JSON text.
    handler: async (request, reply) =>
      reply.send(Buffer.from(await answer(deps, page, { request, reply }))),
  })
}

async function answer(
  deps: WebDeps,
  page: PageDefinition,
  http: { request: FastifyRequest; reply: FastifyReply },
): Promise<string> {
  const exchange = await beginExchange(deps, http, page.accept)
  try {
    deps.sessions.checkXsrf(http.request, exchange.identity, 'page')
  } catch (error) {
    if (!(error instanceof HubError) || page.onXsrfFailure === undefined) throw error
    return page.onXsrfFailure(exchange, error)
  }
  if (page.path !== undefined && !page.path.test(pathBelowStar(page.url, http.request))) {
    throw new HubError('not_found')
  }
  const handler = Object.entries(page.methods).find(([name]) => name === http.request.method)?.[1]
  if (handler === undefined) throw new HubError('method_not_allowed')
  return handler(exchange)
}

function pathBelowStar(url: string, request: FastifyRequest): string {
  return rawPath(request).slice(url.length - 1)
}

export async function beginExchange(
  deps: WebDeps,
  http: { request: FastifyRequest; reply: FastifyReply },
  accept: 'cookie' | 'token-or-cookie' = 'cookie',
): Promise<Exchange> {
  const identity = await deps.sessions.identify({ ...http, accept })
  http.request.identity = identity
  const { principal } = identity
  const user =
    principal?.kind === 'user' ? await findUserById(deps.store.db, principal.id) : undefined
  const viewer = principal && user && { principal, user }
  return { deps, ...http, identity, viewer }
}

/** Strangers are sent to the login page, or refused where a redirect would lose what they sent. */
export function signedIn(handler: SignedInHandler): PageHandler {
  return async (exchange) => {
    const { viewer } = exchange
    if (viewer !== undefined) return handler({ ...exchange, viewer })
    if (exchange.request.method !== 'GET') throw new HubError('forbidden')
    return redirectToLogin(exchange)
  }
}

export function redirectToLogin(exchange: Exchange): string {
  const next = encodeURIComponent(exchange.request.url)
  return redirect(exchange, `${exchange.deps.settings.hubPrefix}login?next=${next}`)
}

/** Fails with `scope_missing` or `resource_hidden`. Source: contract pages-and-urls §1.1. */
export async function requireScope(
  exchange: Exchange & { viewer: SignedIn },
  scope: string,
  resource?: ServerResource,
): Promise<void> {
  failUnlessAllowed(await exchange.deps.decide(exchange.viewer.principal, scope, resource), scope)
}

function failUnlessAllowed(decision: AccessDecision, scope: string): void {
  if (decision === 'hidden') throw new HubError('resource_hidden')
  if (decision === 'missing') {
    throw new HubError('scope_missing', {
      message: `Action is not authorized with current scopes; requires any of [${scope}]`,
    })
  }
}

export function redirect(exchange: { reply: FastifyReply }, url: string, status = 302): string {
  exchange.reply.code(status).header('location', url)
  return ''
}

/** Renders a page for the viewer, with the XSRF token that its forms need. */
export async function page(
  exchange: Exchange,
  content: Omit<PageContent, 'user'>,
): Promise<string> {
  const { deps, viewer } = exchange
  const user = viewer && (await pageUser(deps, viewer))
  const xsrfToken = content.xsrfToken ?? xsrf(exchange)
  return renderPage(deps.settings, { ...content, xsrfToken, ...(user && { user }) })
}

export function xsrf(exchange: Exchange): string {
  return exchange.deps.sessions.issueXsrf(exchange, exchange.identity)
}

async function pageUser(deps: WebDeps, viewer: SignedIn): Promise<PageUser> {
  const { principal, user } = viewer
  const decision = await deps.decide(principal, 'admin-ui')
  const services = await listServiceLinks(deps, principal)
  return { name: user.name, isAdmin: decision === 'allowed', services }
}

/** A field of a form or query: the last value, not trimmed; `''` when absent. */
export function field(fields: unknown, name: string): string {
  return fieldValues(fields, name).at(-1) ?? ''
}

export function fieldValues(fields: unknown, name: string): string[] {
  if (typeof fields !== 'object' || fields === null || !Object.hasOwn(fields, name)) return []
  const value: unknown = Object.entries(fields).find(([key]) => key === name)?.[1]
  const values: unknown[] = Array.isArray(value) ? value : [value]
  return values.filter((item) => typeof item === 'string')
}

/** Query of the request as the browser sent it, without `?`. */
export function rawQuery(request: FastifyRequest): string {
  const at = request.url.indexOf('?')
  return at === -1 ? '' : request.url.slice(at + 1)
}

/** Path of the request as the browser sent it. */
export function rawPath(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? ''
}

/** The valid `next` of body or query; `''` without one. */
export function nextOf(exchange: Pick<Exchange, 'deps' | 'request'>): string {
  const { request, deps } = exchange
  const next = field(request.body, 'next') || field(request.query, 'next')
  const { config } = deps.sessions
  const { protocol, host } = browserOrigin(request, config)
  const subdomainHost = config.subdomainHost?.host
  return validateNextUrl(next, { protocol, host, subdomainHost })
}

/**
 * One percent-decoded path segment.
 * @throws HubError `bad_request` for bytes that are no UTF-8
 */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (cause) {
    throw new HubError('bad_request', { cause })
  }
}
