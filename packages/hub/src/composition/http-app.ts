import Fastify, { type FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { registerAccessLog } from '../observability/access-log.ts'

const maxHeaderBytes = 32_768
/** Bodies are small but for files of the spawn form, which bring a limit of their own. */
const maxBodyBytes = 1_048_576
/** Longer than the edge keeps idle connections, so that it is the edge that closes them. */
const keepAliveTimeoutMs = 75_000
const requestTimeoutMs = 60_000
const maxNameInPath = 1_024

/** The hub's HTTP application, without routes. */
export function createHttpApp(logger: Logger): FastifyInstance {
  const app = Fastify({
    bodyLimit: maxBodyBytes,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    keepAliveTimeout: keepAliveTimeoutMs,
    requestTimeout: requestTimeoutMs,
    http: { maxHeaderSize: maxHeaderBytes },
    routerOptions: { maxParamLength: maxNameInPath, caseSensitive: true },
  })
  registerAccessLog(app, logger)
  return app
}
