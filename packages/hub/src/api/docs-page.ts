import fastifySwaggerUi from '@fastify/swagger-ui'
import type { ApiApp, ApiDeps } from './context.ts'

/** Swagger UI styles elements in place; scripts come from files only. */
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

declare const document: { readonly cookie: string }

/**
 * The interactive page at `docs`, working against this hub with the login cookie of whoever opens
 * it, or a token typed in. Call after {@link registerOpenApi}.
 */
export async function registerDocsPage(app: ApiApp, deps: ApiDeps): Promise<void> {
  await app.register(async (scope) => {
    scope.addHook('onRequest', async (request, reply) => {
      const identity = await deps.sessions.identify({ request, reply, accept: 'cookie' })
      deps.sessions.issueXsrf({ request, reply }, identity)
    })
    scope.addHook('onSend', async (_request, reply) => {
      void reply.header('content-security-policy', contentSecurityPolicy)
    })
    await scope.register(fastifySwaggerUi, {
      routePrefix: '/docs',
      // The page names its files by absolute paths.
      indexPrefix: `${deps.settings.hubPrefix}api`,
      uiConfig: {
        deepLinking: true,
        docExpansion: 'list',
        requestInterceptor: addXsrfHeader,
      },
      theme: { title: 'Hub API' },
    })
  })
}

/** Runs in the browser, as its source text: it may name nothing outside itself. */
function addXsrfHeader<Request>(request: Request): Request {
  const { headers } = request as { headers: Record<string, string> } // Source: Swagger UI, requestInterceptor
  const cookie = document.cookie.split('; ').find((item) => item.startsWith('_xsrf='))
  if (cookie !== undefined) {
    headers['X-XSRFToken'] = cookie.slice('_xsrf='.length).replace(/^"|"$/g, '')
  }
  return request
}
