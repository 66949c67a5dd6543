import type { FastifyRequest } from 'fastify'
import { headerText } from '../web/client-address.ts'
import { parseForm } from './form.ts'

export interface BasicCredentials {
  readonly clientId: string
  readonly secret: string
}

const maxLength = 4096

/**
 * Client id and secret of an `Authorization: Basic` header, both form-encoded inside.
 * Source: RFC 6749 §2.3.1.
 */
export function basicCredentials(request: FastifyRequest): BasicCredentials | undefined {
  const header = headerText(request, 'authorization') ?? ''
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1]
  if (encoded === undefined || header.length > maxLength) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon === -1) return undefined
  const clientId = decode(text.slice(0, colon))
  const secret = decode(text.slice(colon + 1))
  return clientId === undefined || secret === undefined ? undefined : { clientId, secret }
}

/** Clients that do not encode send what would be malformed: it is taken as it is. */
function decode(text: string): string | undefined {
  if (text.includes('&') || text.includes('=')) return text
  return parseForm(`value=${text}`)?.get('value') ?? text
}
