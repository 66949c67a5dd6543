import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { HubError, messageOf } from '../domain/errors.ts'

/** Body of every API error. Source: contract rest-api §4. */
export interface ErrorBody {
  readonly status: number
  readonly message: string
}

/**
 * Turns whatever a route threw into `{"status","message"}`. Only what the caller may know gets
 * out; the rest is in the log under the request's id.
 */
export function sendApiError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const failure = toHubError(error)
  logFailure(failure, error, request)
  for (const [name, value] of Object.entries(failure.headers)) void reply.header(name, value)
  const message = failure.message === '' ? reasonPhrase(failure.status) : failure.message
  const body: ErrorBody = { status: failure.status, message }
  // As bytes: Fastify adds a charset to the type of JSON text.
  void reply
    .code(failure.status)
    .type('application/json')
    .send(Buffer.from(JSON.stringify(body)))
}

export function reasonPhrase(status: number): string {
  return STATUS_CODES[status] ?? 'Error'
}

function toHubError(error: unknown): HubError {
  if (error instanceof HubError) return error
  if (isFastifyError(error)) {
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
      return new HubError('payload_too_large', { cause: error })
    }
    const status = error.statusCode ?? 500
    if (status >= 400 && status < 500) {
      return new HubError('bad_request', { status, message: reasonPhrase(status), cause: error })
    }
  }
  return new HubError('internal', { cause: error })
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('FST_')
}

/** Our own bugs with their stack; scope errors for administrators; the rest for the curious. */
function logFailure(failure: HubError, error: unknown, request: FastifyRequest): void {
  const { code, status } = failure
  if (code === 'internal') request.log.error({ err: error }, 'request failed')
  else if (status >= 500) request.log.error({ code, err: failure }, failure.message)
  else if (code === 'scope_missing') request.log.warn({ code }, failure.message)
  else request.log.debug({ code, status }, messageOf(failure))
}
