import type { FastifyInstance } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { HubError } from '../domain/errors.ts'
import { decorateIdentity } from '../web/identify.ts'
import { authorize } from './authorize.ts'
import { addBodyParser, readJsonBody } from './body.ts'
import type { ApiApp, ApiDeps } from './context.ts'
import { registerDocsPage } from './docs-page.ts'
import { registerEdgeRoutes } from './edge/routes.ts'
import { sendApiError } from './errors.ts'
import { StreamRegistry } from './event-stream.ts'
import { registerAuthorizationRoutes } from './authorizations/routes.ts'
import { registerProxyRoutes } from './proxy/routes.ts'
import { registerGroupRoutes } from './groups/routes.ts'
import { allowAnyOrigin, finishAnswer, setApiHeaders } from './headers.ts'
import { registerHubRoutes } from './hub/routes.ts'
import { collectMethods, isRouted } from './methods.ts'
import { checkMultipart } from './multipart.ts'
import { registerOpenApi } from './openapi.ts'
import { registerRoleRoutes } from './roles/routes.ts'
import { registerServerRoutes } from './servers/routes.ts'
import { registerServiceRoutes } from './services/routes.ts'
import { registerShareRoutes } from './shares/routes.ts'
import { registerTokenRoutes } from './tokens/routes.ts'
import { registerUserRoutes } from './users/routes.ts'
import { validatorCompiler } from './validation.ts'

const maxProgressStreams = 5_000
const maxEdgeStreams = 200

/**
 * Registers the REST API at `{hub}api`, encapsulated: its hooks, parser and error form reach
 * nothing else. The application needs `exposeHeadRoutes: false` and a `maxParamLength` of 1024.
 */
export async function registerApi(app: FastifyInstance, deps: ApiDeps): Promise<void> {
  decorateIdentity(app)
  const prefix = `${deps.settings.hubPrefix}api`
  await app.register(
    async (scope) => {
      const api = scope.withTypeProvider<TypeBoxTypeProvider>()
      prepare(api, deps)
      await registerOpenApi(api)
      await registerDocsPage(api, deps)
      await api.register(async (inner) => {
        registerResources(inner.withTypeProvider<TypeBoxTypeProvider>(), deps)
      })
    },
    { prefix },
  )
}

/** What holds for everything below the prefix, the documentation page included. */
function prepare(api: ApiApp, deps: ApiDeps): void {
  api.decorateRequest('caller', null)
  api.decorateRequest('multipartBoundary', null)
  api.setValidatorCompiler(validatorCompiler)
  // Views make exactly what the schemas say; the type checker has seen to it.
  api.setSerializerCompiler(() => (value) => JSON.stringify(value))
  api.addHook('onRequest', async (request, reply) => {
    setApiHeaders(reply, deps.settings)
    const { url } = request.routeOptions
    if (url !== undefined) allowAnyOrigin(reply, url.slice(api.prefix.length))
  })
  api.setErrorHandler(sendApiError)
  api.setNotFoundHandler((request, reply) => {
    setApiHeaders(reply, deps.settings)
    const code = isRouted(request.method) ? 'not_found' : 'method_not_allowed'
    sendApiError(new HubError(code), request, reply)
  })
}

function registerResources(api: ApiApp, deps: ApiDeps): void {
  addBodyParser(api)
  api.addHook('onRequest', (request, reply) => authorize(deps, request, reply))
  api.addHook('preValidation', async (request) => {
    const { body, checkFirst, checkParsed } = request.routeOptions.config
    checkMultipart(request)
    await checkFirst?.(request)
    readJsonBody(request, body)
    await checkParsed?.(request)
  })
  api.addHook('onSend', async (request, reply, payload) => finishAnswer(request, reply, payload))
  const streams = new StreamRegistry(maxProgressStreams)
  const edgeStreams = new StreamRegistry(maxEdgeStreams)
  api.addHook('preClose', async () => {
    streams.closeAll()
    edgeStreams.closeAll()
  })

  const completeMethods = collectMethods(api)
  registerHubRoutes(api, deps)
  registerUserRoutes(api, deps)
  registerServerRoutes(api, { deps, streams })
  registerTokenRoutes(api, deps)
  registerServiceRoutes(api, deps)
  registerGroupRoutes(api, deps)
  registerRoleRoutes(api, deps)
  registerShareRoutes(api, deps)
  registerProxyRoutes(api, deps)
  registerAuthorizationRoutes(api, deps)
  registerEdgeRoutes(api, { deps, streams: edgeStreams })
  registerDocument(api)
  completeMethods()
}

function registerDocument(api: ApiApp): void {
  api.get(
    '/openapi.json',
    { config: { access: { kind: 'public' } }, schema: { hide: true } },
    async () => api.swagger(),
  )
}
