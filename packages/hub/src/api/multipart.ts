import type { FastifyRequest } from 'fastify'
import { HubError } from '../domain/errors.ts'
import { headerText } from '../web/client-address.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Boundary of a body that calls itself `multipart/form-data`. */
    multipartBoundary: string | null
  }
}

/**
 * A body that says it is a form with parts has to be one, although the API reads JSON only.
 * Source: contract rest-api §1.3; observed: JupyterHub 6.1, 400 before the endpoint runs.
 */
export function noteMultipart(request: FastifyRequest): void {
  const type = headerText(request, 'content-type') ?? ''
  if (!/^multipart\/form-data/i.test(type)) return
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type) ?? []
  const boundary = quoted ?? plain
  if (boundary === undefined) throw invalid('multipart boundary not found')
  request.multipartBoundary = boundary
}

/** Fails with `bad_request` when the parts are not what the header promises. */
export function checkMultipart(request: FastifyRequest): void {
  const { multipartBoundary: boundary, body } = request
  if (boundary === null) return
  const text = Buffer.isBuffer(body) ? body.toString('latin1') : ''
  const end = text.lastIndexOf(`--${boundary}--`)
  if (end === -1) throw invalid('no final boundary')
  const parts = text.slice(0, end).split(`--${boundary}\r\n`)
  for (const part of parts.filter((candidate) => candidate !== '')) {
    const head = part.split('\r\n\r\n', 1)[0] ?? ''
    if (head.length === part.length || !part.endsWith('\r\n'))
      throw invalid('a part has no headers')
    if (!/^content-disposition:\s*form-data;.*\bname=/im.test(head))
      throw invalid('a part has no name')
  }
}

function invalid(problem: string): HubError {
  return new HubError('bad_request', { message: `Invalid multipart/form-data: ${problem}` })
}
