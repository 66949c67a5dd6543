import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import { escapePathSegment } from '../../domain/urls.ts'
import { headerText } from '../client-address.ts'
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
} from '../page-kit.ts'
import { type Asset, findAsset } from '../static-assets.ts'
import type { SignedIn, WebDeps } from '../web-deps.ts'

const maxReportLogLength = 4096
const tenYearsSeconds = 315_360_000

/** Static files, logo, health, error pages, reports and redirects. Source: contract pages-and-urls §1, §2, §9. */
export function registerMiscPages(app: FastifyInstance, deps: WebDeps): void {
  const { hubPrefix } = deps.settings
  const pages: Record<string, PageDefinition['methods']> = {
    health: { GET: health, HEAD: health },
    'api/health': { GET: health, HEAD: health },
    'error/*': { GET: errorPage },
    'user-redirect/*': { GET: signedIn(userRedirect) },
    'security/csp-report': { POST: signedIn(cspReport) },
  }
  for (const [path, methods] of Object.entries(pages)) {
    definePage(app, deps, { url: `${hubPrefix}${path}`, methods })
  }
  registerFiles(app, deps)
}

function registerFiles(app: FastifyInstance, deps: WebDeps): void {
  const { hubPrefix, logo } = deps.settings
  const startedAt = deps.now()
  const serve = (url: string, find: (request: FastifyRequest) => Asset | undefined) => {
    app.route({
      method: ['GET', 'HEAD'],
      url,
      exposeHeadRoute: false,
      handler: (request, reply) => sendAsset(find(request), request, reply),
    })
  }
  const ownLogo = findAsset('logo.svg')
  serve(`${hubPrefix}logo`, () =>
    logo === undefined ? ownLogo : { ...logo, modifiedAt: startedAt, hash: '' },
  )
  serve(`${hubPrefix}static/*`, (request) =>
    findAsset(rawPath(request).slice(`${hubPrefix}static/`.length)),
  )
  serve('/favicon.ico', () => findAsset('favicon.svg'))
}

/** No page headers on files, as in the reference. */
async function sendAsset(
  asset: Asset | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (asset === undefined) throw new HubError('not_found')
  for (const name of ['x-jupyterhub-version', 'content-security-policy']) reply.removeHeader(name)
  const isVersioned = new URLSearchParams(rawQuery(request)).has('v')
  const seconds = Math.floor(asset.modifiedAt.getTime() / 1000)
  reply.headers({
    'content-type': asset.contentType,
    'last-modified': asset.modifiedAt.toUTCString(),
    'cache-control': isVersioned ? `max-age=${tenYearsSeconds}` : 'no-cache',
  })
  const since = Date.parse(headerText(request, 'if-modified-since') ?? '')
  if (since >= seconds * 1000) return reply.code(304).send()
  return reply.send(asset.body)
}

async function health(): Promise<string> {
  return ''
}

/** For the proxy: answers 200 with the page of error N. */
async function errorPage(exchange: Exchange): Promise<string> {
  const { settings } = exchange.deps
  const text = rawPath(exchange.request).slice(`${settings.hubPrefix}error/`.length)
  if (!/^[45]\d\d$/.test(text)) throw new HubError('not_found')
  return renderErrorPage(settings, { status: Number(text) })
}

async function userRedirect(exchange: Exchange & { viewer: SignedIn }): Promise<string> {
  const { deps, request, viewer } = exchange
  const { baseUrl, hubPrefix, defaultServerName } = deps.settings
  const rest = request.url.slice(`${hubPrefix}user-redirect/`.length)
  const server = defaultServerName === '' ? '' : `/${escapePathSegment(defaultServerName)}`
  const home = `${escapePathSegment(viewer.user.name)}${server}`
  const next = encodeURIComponent(`${baseUrl}user/${home}/${rest}`)
  return redirect(exchange, `${hubPrefix}spawn/${home}?next=${next}`)
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
    handler: async (request, reply) => {
      const path = rawPath(request)
      if (path === `${hubPrefix}api` || path.startsWith(`${hubPrefix}api/`)) {
        return sendApiNotFound(deps, reply)
      }
      const exchange = await beginExchange(deps, { request, reply })
      deps.sessions.checkXsrf(request, exchange.identity, 'page')
      if (path.startsWith(hubPrefix)) throw new HubError('not_found')
      if (request.method !== 'GET') throw new HubError('method_not_allowed')
      if (isBareName(path, baseUrl)) return reply.send(redirect(exchange, withSlash(request), 301))
      return reply.send(redirect(exchange, fallbackTarget(deps, request)))
    },
  })
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
  const rest = url.startsWith(baseUrl) ? url.slice(baseUrl.length) : url.split('?', 1)[0]?.slice(1)
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
