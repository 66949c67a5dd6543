import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Metrics } from './metrics.ts'

const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/**
 * Measures every request. The handler is the pattern of its route, never its path: names of users
 * would make series without end.
 */
export function registerRequestMetrics(
  app: FastifyInstance,
  metrics: Metrics,
  hubPrefix: string,
): void {
  app.addHook('onResponse', (request, reply, done) => {
    const seconds = reply.elapsedTime / 1000
    const method = knownMethods.has(request.method) ? request.method : 'other'
    const handler = request.routeOptions.url ?? 'none'
    const code = String(reply.statusCode)
    metrics.observe('request_duration_seconds', { method, handler, code }, seconds)
    observePage(metrics, { request, reply, page: pageOf(handler, hubPrefix), seconds })
    done()
  })
}

function pageOf(handler: string, hubPrefix: string): string {
  return handler.startsWith(hubPrefix) ? handler.slice(hubPrefix.length) : ''
}

function observePage(
  metrics: Metrics,
  what: { request: FastifyRequest; reply: FastifyReply; page: string; seconds: number },
): void {
  const { request, reply, page, seconds } = what
  if (page === 'login' && request.method === 'POST') {
    const succeeded = reply.statusCode >= 300 && reply.statusCode < 400
    // As the reference spells them.
    const status = succeeded ? 'LoginStatus.success' : 'LoginStatus.failure'
    metrics.observe('login_duration_seconds', { status }, seconds)
  } else if (page === 'logout') {
    metrics.observe('logout_duration_seconds', {}, seconds)
  } else if (page === 'security/csp-report' && reply.statusCode < 300) {
    metrics.countCspReport()
  }
}
