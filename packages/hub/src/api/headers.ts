import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { jupyterhubVersion } from '../util/version.ts'
import { headerText } from '../web/client-address.ts'
import type { ApiSettings } from './context.ts'

/** Headers of every answer of the API. Source: contract rest-api §1.4. */
export function setApiHeaders(
  reply: FastifyReply,
  settings: Pick<ApiSettings, 'hubPrefix' | 'headers'>,
): void {
  void reply.headers({
    'x-jupyterhub-version': jupyterhubVersion,
    'content-security-policy':
      `frame-ancestors 'none'; report-uri ${settings.hubPrefix}security/csp-report; ` +
      "default-src 'none'",
    'access-control-allow-headers': 'accept, content-type, authorization',
    'x-content-type-options': 'nosniff',
    ...lowerCased(settings.headers),
  })
}

/** Scripts of any origin may look whether they speak to a hub: on the API's root, unless configured. */
export function allowAnyOrigin(reply: FastifyReply, url: string): void {
  const isRoot = url === '' || url === '/'
  if (!isRoot || reply.hasHeader('access-control-allow-origin')) return
  void reply.header('access-control-allow-origin', '*')
}

/**
 * Adds the entity tag of a 200 answer to GET, and empties it when the client has it already.
 * Types are stated without charset: JSON has none.
 */
export function finishAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): unknown {
  const type = String(reply.getHeader('content-type') ?? '')
  // PATCH of a server says its charset, as the reference does.
  if (/^(?:application\/json|text\/plain); charset=utf-8$/.test(type)) {
    void reply.header('content-type', type.slice(0, type.indexOf(';')))
  }
  if (request.method !== 'GET' || reply.statusCode !== 200) return payload
  if (typeof payload !== 'string' || !type.startsWith('application/json')) return payload
  const etag = `"${createHash('sha1').update(payload).digest('hex')}"`
  void reply.header('etag', etag)
  if (!isMatch(headerText(request, 'if-none-match'), etag)) return payload
  void reply.code(304).removeHeader('content-type').removeHeader('content-length')
  return ''
}

function isMatch(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((item) => {
    const tag = item.trim().replace(/^W\//, '')
    return tag === '*' || tag === etag
  })
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
}
