import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import { headerText } from '../client-address.ts'
import { beginExchange, rawPath, rawQuery } from '../page-kit.ts'
import { type Asset, findAsset } from '../static-assets.ts'
import type { WebDeps } from '../web-deps.ts'

const tenYearsSeconds = 315_360_000

/** How browsers may keep a file. */
type Caching = 'by version' | 'by tag'

/** Static files, logo, and what browsers ask the origin for. Source: contract pages-and-urls §1, §9. */
export function registerFiles(app: FastifyInstance, deps: WebDeps): void {
  const { hubPrefix, logo } = deps.settings
  const startedAt = deps.now()
  const serve = (
    url: string,
    caching: Caching,
    find: (request: FastifyRequest) => Asset | undefined,
  ) => {
    app.route({
      method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      url,
      exposeHeadRoute: false,
      handler: async (request, reply) => {
        if (request.method !== 'GET' && request.method !== 'HEAD') {
          return refuseMethod(deps, request, reply)
        }
        const asset = find(request)
        if (asset === undefined) throw new HubError('not_found')
        return sendAsset({ deps, asset, caching }, request, reply)
      },
    })
  }
  const ownLogo = findAsset('logo.svg')
  const configured = logo && { ...logo, modifiedAt: startedAt, hash: String(startedAt.getTime()) }
  serve(`${hubPrefix}logo`, 'by tag', () => configured ?? ownLogo)
  serve(`${hubPrefix}static/*`, 'by version', (request) =>
    findAsset(rawPath(request).slice(`${hubPrefix}static/`.length)),
  )
  // At the root of the origin, whatever the base URL is.
  serve('/favicon.ico', 'by version', () => findAsset('favicon.svg'))
  serve('/robots.txt', 'by version', () => findAsset('robots.txt'))
}

/** The XSRF check comes first, as everywhere. */
async function refuseMethod(
  deps: WebDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<never> {
  const { identity } = await beginExchange(deps, { request, reply })
  deps.sessions.checkXsrf(request, identity, 'page')
  throw new HubError('method_not_allowed')
}

const pageOnlyHeaders = [
  'x-jupyterhub-version',
  'content-security-policy',
  'access-control-allow-headers',
  'cache-control',
]

/** No page headers on files, as in the reference. */
async function sendAsset(
  file: { deps: WebDeps; asset: Asset; caching: Caching },
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { deps, asset, caching } = file
  for (const name of pageOnlyHeaders) reply.removeHeader(name)
  reply.headers({
    'content-type': asset.contentType,
    'last-modified': asset.modifiedAt.toUTCString(),
    'accept-ranges': 'bytes',
    ...cacheHeaders(file, request, deps.now()),
  })
  if (isUnchanged(asset, caching, request)) return reply.code(304).send()
  return sendRange(asset.body, request, reply)
}

function cacheHeaders(
  { deps, asset, caching }: { deps: WebDeps; asset: Asset; caching: Caching },
  request: FastifyRequest,
  now: Date,
): Record<string, string> {
  const isVersioned = new URLSearchParams(rawQuery(request)).has('v')
  if (isVersioned && !deps.settings.noCacheStatic) {
    const expires = new Date(now.getTime() + tenYearsSeconds * 1000)
    return { expires: expires.toUTCString(), 'cache-control': `max-age=${tenYearsSeconds}` }
  }
  return caching === 'by tag' ? { etag: `"${asset.hash}"` } : { 'cache-control': 'no-cache' }
}

/** A tag counts before a date. Source: RFC 9110 §13.2.2. */
function isUnchanged(asset: Asset, caching: Caching, request: FastifyRequest): boolean {
  const tags = headerText(request, 'if-none-match')
  if (tags !== undefined && caching === 'by tag') return tags.includes(`"${asset.hash}"`)
  const since = Date.parse(headerText(request, 'if-modified-since') ?? '')
  return since >= Math.floor(asset.modifiedAt.getTime() / 1000) * 1000
}

/** One range of bytes; a header that asks for several, or makes no sense, is answered in full. */
function sendRange(body: Buffer, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const range = /^bytes=(\d*)-(\d*)$/.exec(headerText(request, 'range') ?? '')
  const [, from = '', to = ''] = range ?? []
  if (range === null || (from === '' && to === '')) return reply.send(body)
  const size = body.length
  const start = from === '' ? Math.max(size - Number(to), 0) : Number(from)
  const end = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  if (start > end) {
    return reply.code(416).type('text/plain').header('content-range', `bytes */${size}`).send()
  }
  if (start > 0 || end < size - 1) {
    reply.code(206).header('content-range', `bytes ${start}-${end}/${size}`)
  }
  return reply.send(body.subarray(start, end + 1))
}
