import type { Server } from 'node:http'
import { type Server as TlsServer } from 'node:https'
import Fastify, {
  type FastifyHttpOptions,
  type FastifyHttpsOptions,
  type FastifyInstance,
} from 'fastify'
import type { Logger } from 'pino'
import { sendApiError } from '../api/errors.ts'
import { setApiHeaders } from '../api/headers.ts'
import { HubError } from '../domain/errors.ts'
import type { InternalTls } from '../internal-tls/internal-tls.ts'
import { registerAccessLog } from '../observability/access-log.ts'
import { answerMalformed, escapeStrayPercents } from '../web/malformed-requests.ts'

const maxHeaderBytes = 32_768
/** Bodies are small but for files of the spawn form, which bring a limit of their own. */
const maxBodyBytes = 1_048_576
/** Longer than the edge keeps idle connections, so that it is the edge that closes them. */
const keepAliveTimeoutMs = 75_000
const requestTimeoutMs = 60_000
const handshakeTimeoutMs = 10_000
const maxNameInPath = 1_024

export interface HttpSettings {
  readonly hubPrefix: string
  readonly headers: Readonly<Record<string, string>>
}

/** How the hub's application reads HTTP; its tests read it the same way. */
export function httpOptions(settings: HttpSettings): FastifyHttpOptions<Server> {
  return {
    bodyLimit: maxBodyBytes,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    keepAliveTimeout: keepAliveTimeoutMs,
    requestTimeout: requestTimeoutMs,
    http: { maxHeaderSize: maxHeaderBytes },
    routerOptions: { maxParamLength: maxNameInPath, caseSensitive: true },
    rewriteUrl: (request) => escapeStrayPercents(request.url ?? '/'),
    clientErrorHandler: answerMalformed,
    // Before any route: a path that is no UTF-8, or with a longer name than anything has.
    frameworkErrors(error, request, reply) {
      setApiHeaders(reply, settings)
      const isBadUrl = error.code === 'FST_ERR_BAD_URL'
      const failure = isBadUrl
        ? new HubError('bad_request', { message: 'Invalid unicode in url', cause: error })
        : new HubError('not_found', { cause: error })
      sendApiError(failure, request, reply)
    },
  }
}

/**
 * The hub's HTTP application, without routes.
 * @param tls - whoever connects shows a certificate of the deployment.
 */
export function createHttpApp(
  logger: Logger,
  settings: HttpSettings,
  tls?: InternalTls,
): FastifyInstance {
  const app = tls === undefined ? Fastify(httpOptions(settings)) : createTlsApp(settings, tls)
  registerAccessLog(app, logger)
  return app
}

function createTlsApp(settings: HttpSettings, tls: InternalTls): FastifyInstance {
  const { http, ...rest } = httpOptions(settings)
  const options = {
    ...rest,
    https: {
      ...http,
      ...tls.certificates.hubMaterial(),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: handshakeTimeoutMs,
    },
  }
  // The options name the kind of server, though none of them depends on it.
  const app = Fastify(options as unknown as FastifyHttpsOptions<TlsServer>)
  tls.onRenewed((material) => app.server.setSecureContext(material))
  return app
}
