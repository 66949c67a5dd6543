import type { FastifyInstance } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import { definePage, type Exchange } from '../page-kit.ts'
import type { WebDeps } from '../web-deps.ts'

/**
 * What a Prometheus reads, below `{hub}` and below its API. Any filter on the scope will do.
 * Source: contract rest-api §7.1; JupyterHub 6.1, `metrics_authentication`.
 */
export function registerMetricsPages(app: FastifyInstance, deps: WebDeps): void {
  const { metrics } = deps
  if (metrics === undefined) return
  const show = async ({ reply, identity }: Exchange) => {
    if (!metrics.isOpen && identity.principal?.scopes.has('read:metrics') !== true) {
      throw new HubError('scope_missing', {
        message: "Access to metrics requires scope 'read:metrics'",
      })
    }
    const text = await metrics.text()
    reply.header('content-type', metrics.contentType)
    return text
  }
  for (const path of ['metrics', 'api/metrics']) {
    const url = `${deps.settings.hubPrefix}${path}`
    definePage(app, deps, { url, methods: { GET: show }, accept: 'token-or-cookie' })
  }
}
