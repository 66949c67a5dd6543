import { STATUS_CODES } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { HubError } from '../domain/errors.ts'
import { html } from './html.ts'
import type { Sessions } from './identify.ts'
import { renderPage, setPageHeaders } from './layout.ts'
import type { WebSettings } from './web-deps.ts'

export interface ErrorContent {
  readonly status: number
  readonly message?: string | undefined
  readonly username?: string | undefined
  readonly xsrfToken?: string | undefined
}

/** The page for a failure, in words for people. */
export function renderErrorPage(settings: WebSettings, error: ErrorContent): string {
  const reason = STATUS_CODES[error.status] ?? 'Error'
  const message = error.message === reason ? undefined : error.message
  const hint = hints[error.status]
  const { username } = error
  return renderPage(settings, {
    title: `${error.status} ${reason}`,
    ...(username !== undefined && { user: { name: username, isAdmin: false } }),
    xsrfToken: error.xsrfToken,
    data: { page: 'error' },
    main: html`<div class="card error-page">
<h1>${error.status} : ${reason}</h1>
${message && html`<p class="message">${message}</p>`}
${hint && html`<p class="hint">${hint}</p>`}
<p class="actions"><a class="btn" href="${settings.hubPrefix}home">Home</a></p>
</div>`,
  })
}

const hints: Readonly<Record<number, string>> = {
  404: 'Nothing is at this address, or you may not see it.',
  429: 'Wait a moment, then try again.',
  500: 'Something went wrong on our side. If it happens again, tell an administrator.',
  503: 'The server did not answer. It may have been stopped or may be starting again.',
}

/** What people are told of anything thrown, with the status and headers to send. */
export function describeError(error: unknown): {
  status: number
  message: string | undefined
  headers: Readonly<Record<string, string>>
} {
  if (error instanceof HubError) {
    return { status: error.status, message: error.message, headers: error.headers }
  }
  const status = statusOf(error)
  return { status, message: STATUS_CODES[status], headers: {} }
}

/**
 * Answers a failed page request; own bugs go to the log with their stack. The page carries an XSRF
 * token like any other, once it is known whose browser asks.
 */
export function sendErrorPage(
  settings: WebSettings,
  failure: { error: unknown; request: FastifyRequest; reply: FastifyReply; sessions?: Sessions },
): FastifyReply {
  const { error, request, reply, sessions } = failure
  const { status, message, headers } = describeError(error)
  if (status >= 500) request.log.error({ err: error }, 'a page failed')
  setPageHeaders(reply, settings)
  const { identity } = request
  const username = identity?.principal?.name
  // Beside the hub's own path no login cookie comes with a request: a token for a stranger would
  // replace that of the person who is signed in.
  const isOwnPath = request.url.startsWith(settings.hubPrefix)
  const xsrfToken = isOwnPath && identity && sessions?.issueXsrf({ request, reply }, identity)
  const body = renderErrorPage(settings, {
    status,
    message,
    username,
    xsrfToken: xsrfToken || undefined,
  })
  return reply
    .code(status)
    .headers(headers)
    .send(request.method === 'HEAD' ? '' : body)
}

/** Fastify's own errors (body too large, bad media type) carry their status. */
function statusOf(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return 500
  const { statusCode } = error
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : 500
}
