import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import { renderErrorPage } from '../error-page.ts'
import { jupyterhubVersion } from '../../util/version.ts'
import {
  beginExchange,
  definePage,
  type Exchange,
  type PageDefinition,
  rawPath,
  rawQuery,
  redirect,
  signedIn,
  xsrf,
} from '../page-kit.ts'
import { serverPageUrl, serverUrl } from '../server-pages.ts'
import type { SignedIn, WebDeps } from '../web-deps.ts'

const maxReportLogLength = 4096

/** Health, error pages, reports and redirects. Source: contract pages-and-urls §1, §2. */
export function registerMiscPages(app: FastifyInstance, deps: WebDeps): void {
  const { hubPrefix } = deps.settings
  const pages: Record<string, Pick<PageDefinition, 'methods' | 'path'>> = {
    health: { methods: { GET: health, HEAD: health } },
    'api/health': { methods: { GET: health, HEAD: health } },
    'error/*': { methods: { GET: errorPage }, path: /^\d{1,9}$/ },
    'user-redirect/*': { methods: { GET: signedIn(userRedirect) } },
    'security/csp-report': { methods: { POST: signedIn(cspReport) } },
  }
  for (const [path, page] of Object.entries(pages)) {
    definePage(app, deps, { url: `${hubPrefix}${path}`, ...page })
  }
}

async function health(): Promise<string> {
  return ''
}

/** For the proxy: answers 200 with the page of error N, whatever N is. */
async function errorPage(exchange: Exchange): Promise<string> {
  const { settings } = exchange.deps
  const text = rawPath(exchange.request).slice(`${settings.hubPrefix}error/`.length)
  return renderErrorPage(settings, {
    status: Number(text),
    username: exchange.viewer?.user.name,
    xsrfToken: xsrf(exchange),
  })
}

async function userRedirect(exchange: Exchange & { viewer: SignedIn }): Promise<string> {
  const { deps, request, viewer } = exchange
  const { settings } = deps
  const rest = request.url.slice(`${settings.hubPrefix}user-redirect/`.length)
  const target = { username: viewer.user.name, serverName: settings.defaultServerName }
  const next = `${serverUrl(settings, target.username, target.serverName)}${rest}`
  const spawn = serverPageUrl(settings, { page: 'spawn', ...target })
  return redirect(exchange, `${spawn}?next=${encodeURIComponent(next)}`)
}

async function cspReport(exchange: Exchange): Promise<string> {
  const { body } = exchange.request
  const report = Buffer.isBuffer(body) ? body.toString('utf8').slice(0, maxReportLogLength) : ''
  exchange.request.log.warn({ report }, 'content security policy report')
  return ''
}

/** Rows 12 to 14 of the routing table, and unknown API paths. */
export function registerFallbacks(app: FastifyInstance, deps: WebDeps): void {
  const { baseUrl, hubPrefix } = deps.settings
  app.route({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url: '*',
    exposeHeadRoute: false,
    // Before the body is read, which need not be a form.
    onRequest: async (request, reply) => {
      if (isApiPath(rawPath(request), hubPrefix)) return sendApiNotFound(deps, reply)
    },
    handler: async (request, reply) => {
      const path = rawPath(request)
      const exchange = await beginExchange(deps, { request, reply })
      deps.sessions.checkXsrf(request, exchange.identity, 'page')
      if (path.startsWith(hubPrefix)) throw new HubError('not_found')
      if (request.method !== 'GET') throw new HubError('method_not_allowed')
      if (isBareName(path, baseUrl)) return reply.send(redirect(exchange, withSlash(request), 301))
      return reply.send(redirect(exchange, fallbackTarget(deps, request)))
    },
  })
}

function isApiPath(path: string, hubPrefix: string): boolean {
  return path === `${hubPrefix}api` || path.startsWith(`${hubPrefix}api/`)
}

/** `{prefix}user/X` and `{prefix}services/X`. */
function isBareName(path: string, baseUrl: string): boolean {
  const rest = path.startsWith(baseUrl) ? path.slice(baseUrl.length) : ''
  return /^(?:user|services)\/[^/]+$/.test(rest)
}

function withSlash(request: FastifyRequest): string {
  const query = rawQuery(request)
  return `${singleSlash(rawPath(request))}/${query === '' ? '' : `?${query}`}`
}

/** Row 13: the same path below `{hub}`; a path outside the base URL goes whole, without its query. */
function fallbackTarget(deps: WebDeps, request: FastifyRequest): string {
  const { baseUrl, hubPrefix, sessions } = {
    ...deps.settings,
    sessions: deps.sessions.config,
  }
  const url = singleSlash(request.url)
  const isBase = `${url}/` === baseUrl // but for its final slash
  const inside = url.startsWith(baseUrl)
    ? url.slice(baseUrl.length)
    : url.split('?', 1)[0]?.slice(1)
  const rest = isBase ? '' : inside
  const { publicUrl, subdomainHost } = sessions
  const origin = publicUrl?.origin ?? subdomainHost?.origin ?? ''
  return `${origin}${hubPrefix}${rest ?? ''}`
}

/** `//evil.example` in a `Location` would be another host. */
function singleSlash(url: string): string {
  return `/${url.replace(/^[/\\]+/, '')}`
}

function sendApiNotFound(deps: WebDeps, reply: FastifyReply): FastifyReply {
  const { hubPrefix, headers } = deps.settings
  return reply
    .removeHeader('cache-control')
    .code(404)
    .headers({
      'x-jupyterhub-version': jupyterhubVersion,
      'access-control-allow-headers': 'accept, content-type, authorization',
      'content-security-policy': `frame-ancestors 'none'; report-uri ${hubPrefix}security/csp-report; default-src 'none'`,
      ...headers,
      'content-type': 'application/json',
    })
    .send(Buffer.from(JSON.stringify({ status: 404, message: 'Not Found' })))
}
