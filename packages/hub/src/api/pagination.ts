import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { TSchema } from 'typebox'
import { HubError } from '../domain/errors.ts'
import { requestOrigin, headerText } from '../web/client-address.ts'
import type { ApiSettings } from './context.ts'

const mediaType = 'application/jupyterhub-pagination+json'

/** Query fields of paginated lists. */
export const pageQueryFields = {
  offset: Type.Optional(Type.String({ description: 'Index of the first item; 0 by default.' })),
  limit: Type.Optional(
    Type.String({ description: 'Items per page, at most the configured maximum (200).' }),
  ),
}

export interface Page {
  /** Whether the client asked for the envelope. */
  readonly enveloped: boolean
  readonly offset: number
  readonly limit: number
}

/**
 * Reads `offset` and `limit`. Source: contract rest-api §5, which has negative numbers mean their
 * absolute value. Fails with `bad_request` for what is no integer.
 */
export function readPage(
  request: FastifyRequest,
  query: { readonly offset?: string; readonly limit?: string },
  settings: Pick<ApiSettings, 'pageDefaultLimit' | 'pageMaxLimit'>,
): Page {
  const accepted = headerText(request, 'accept')?.toLowerCase().split(',') ?? []
  const enveloped = accepted.some((item) => item.trim() === mediaType)
  const standard = enveloped ? settings.pageDefaultLimit : settings.pageMaxLimit
  const limit = readInteger('limit', query.limit) ?? standard
  return {
    enveloped,
    offset: readInteger('offset', query.offset) ?? 0,
    limit: Math.max(1, Math.min(limit, settings.pageMaxLimit)),
  }
}

export function envelopeSchema<T extends TSchema>(items: T) {
  return Type.Object({
    items,
    _pagination: Type.Object({
      offset: Type.Integer(),
      limit: Type.Integer(),
      total: Type.Integer({ description: 'Items of all pages.' }),
      next: Type.Union([
        Type.Object({ offset: Type.Integer(), limit: Type.Integer(), url: Type.String() }),
        Type.Null(),
      ]),
    }),
  })
}

export function toEnvelope<Items>(
  request: FastifyRequest,
  options: { items: Items; page: Page; total: number },
) {
  const { items, page, total } = options
  const { offset, limit } = page
  const nextOffset = offset + limit
  const next =
    nextOffset < total
      ? {
          offset: nextOffset,
          limit,
          url: nextUrl(request, { offset: nextOffset, limit }),
        }
      : null
  return { items, _pagination: { offset, limit, total, next } }
}

/**
 * This request's URL with `offset` and `limit` replaced in place, or appended. It stays at the origin that the
 * client chose, which may reach the hub where the public URL does not.
 */
function nextUrl(request: FastifyRequest, page: { offset: number; limit: number }): string {
  const { protocol, host } = requestOrigin(request)
  const url = new URL(request.url, `${protocol}://${host}`)
  url.searchParams.set('offset', String(page.offset))
  url.searchParams.set('limit', String(page.limit))
  return url.href
}

function readInteger(field: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = /^[+-]?\d{1,15}$/.test(text.trim()) ? Math.abs(Number(text)) : Number.NaN
  if (!Number.isInteger(value)) {
    throw new HubError('bad_request', { message: `query.${field} must be an integer` })
  }
  return value
}
