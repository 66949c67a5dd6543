import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { messageOf } from '../../../domain/errors.ts'
import type { EdgeLog } from '../context.ts'
import { formatEdgeMetrics } from './edge-metrics.ts'
import type { Measurements } from './edge-metrics.ts'

/** Scrapers are few. */
const maxConnections = 100
/** Whoever says nothing must not keep a place for long. */
const times = { headersTimeout: 10_000, requestTimeout: 10_000, connectionsCheckingInterval: 1_000 }

/**
 * Answers `/metrics`, and nothing else. Measurements of the process are those of the client library;
 * what the edge counts itself is written here, as it is counted in memory that threads share.
 * Source: contract proxy §8.
 */
export async function createMetricsServer(
  measure: () => Promise<Measurements>,
  log: EdgeLog,
): Promise<Server> {
  // Loaded when metrics are wanted: few edges need it.
  const { collectDefaultMetrics, Registry } = await import('@prometheus-io/client')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const server = createServer(times, (req, res) => {
    if (req.url !== '/metrics') {
      res.writeHead(404, { 'Content-Type': 'text/plain' }).end('Not Found')
      return
    }
    Promise.all([registry.metrics(), measure()])
      .then(([ofProcess, measured]) => {
        res.writeHead(200, { 'Content-Type': registry.contentType })
        res.end(`${ofProcess}\n${formatEdgeMetrics(measured)}`)
      })
      .catch((error: unknown) => {
        log('error', `metrics cannot be read: ${messageOf(error)}`)
        res.destroy()
      })
  })
  server.maxConnections = maxConnections
  server.once('close', () => registry.clear())
  return server
}
