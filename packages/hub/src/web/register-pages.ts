import type { FastifyInstance } from 'fastify'
import { useFormParsers } from './body-parsers.ts'
import { sendErrorPage } from './error-page.ts'
import { decorateIdentity } from './identify.ts'
import { setPageHeaders } from './layout.ts'
import { registerAcceptSharePage } from './pages/accept-share.ts'
import { registerAccountPages } from './pages/accounts.ts'
import { registerAdminPage } from './pages/admin.ts'
import { registerFiles } from './pages/files.ts'
import { registerHomePages } from './pages/home.ts'
import { registerLoginPages } from './pages/login.ts'
import { registerMetricsPages } from './pages/metrics.ts'
import { registerFallbacks, registerMiscPages } from './pages/misc.ts'
import { registerPendingPages } from './pages/pending.ts'
import { registerSpawnPages } from './pages/spawn.ts'
import { registerTokenPage } from './pages/token.ts'
import { registerUserPaths } from './pages/user-paths.ts'
import type { WebDeps } from './web-deps.ts'

/**
 * Adds every page of the hub, with their own body parsers and error pages, and the routes of last
 * resort: whatever no other route takes is redirected below `{hub}` or is a 404.
 */
export async function registerPages(app: FastifyInstance, deps: WebDeps): Promise<void> {
  decorateIdentity(app)
  await app.register(async (pages) => {
    useFormParsers(pages)
    pages.addHook('onRequest', async (_request, reply) => setPageHeaders(reply, deps.settings))
    pages.setErrorHandler((error, request, reply) =>
      sendErrorPage(deps.settings, { error, request, reply, sessions: deps.sessions }),
    )
    registerLoginPages(pages, deps)
    registerAccountPages(pages, deps)
    registerHomePages(pages, deps)
    registerSpawnPages(pages, deps)
    registerPendingPages(pages, deps)
    registerUserPaths(pages, deps)
    registerTokenPage(pages, deps)
    registerAcceptSharePage(pages, deps)
    registerAdminPage(pages, deps)
    registerMiscPages(pages, deps)
    registerMetricsPages(pages, deps)
    registerFiles(pages, deps)
    registerFallbacks(pages, deps)
  })
}
