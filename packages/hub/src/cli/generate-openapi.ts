import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import Fastify from 'fastify'
import { createPrincipals } from '../access/principals.ts'
import { createScopeRules } from '../access/rbac-rules.ts'
import { registerApi } from '../api/app.ts'
import { createEdgeHub } from '../api/edge/edge-hub.ts'
import { createProxySecret } from '../api/edge/proxy-secret.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { openStore } from '../storage/open.ts'
import { Sessions } from '../web/identify.ts'

/** Committed, so that changes of the API show in review. */
export const openApiFile = fileURLToPath(
  new URL('../../../../openapi/hub.v1.json', import.meta.url),
)

/** The description of the API under `/hub/`, made from the route schemas; no hub runs for it. */
export async function generateOpenApi(): Promise<string> {
  const store = await openStore({ url: 'sqlite:///:memory:', directory: '.' })
  const rules = createScopeRules(new Map())
  const principals = createPrincipals({ store, rules })
  const app = Fastify({ exposeHeadRoutes: false, routerOptions: { maxParamLength: 1024 } })
  const now = () => new Date()
  const config = {
    baseUrl: '/',
    hubPrefix: '/hub/',
    cookieSecret: randomBytes(32),
    cookieMaxAgeDays: 14,
    cookieHostPrefix: false,
    trustedDownstreamIps: [],
    now,
  }
  const edgeHub = createEdgeHub({ store, logger: app.log })
  try {
    await registerApi(app, {
      store,
      principals,
      rules,
      sessions: new Sessions(config, principals, store),
      lifecycle: noLifecycle,
      settings: {
        baseUrl: config.baseUrl,
        hubPrefix: config.hubPrefix,
        pageDefaultLimit: 50,
        pageMaxLimit: 200,
        slowSpawnTimeoutMs: 0,
        slowStopTimeoutMs: 0,
        allowNamedServers: false,
        namedServerLimitPerUser: 0,
        allowExistingInvalidNamedServers: 'allow-start',
        tokenExpiresInMaxSeconds: 0,
        adminAccess: false,
        trustTokens: false,
        usernameRules: {},
        adminUsers: new Set(),
        headers: {},
        spawner: { class: '', version: '' },
        authenticator: { class: '', version: '' },
      },
      edgeHub,
      proxySecret: createProxySecret(randomBytes(16).toString('hex')),
      proxy: { check: refuse, change: refuse },
      shutDown: () => undefined,
      recordActivity: () => undefined,
      authStates: { load: refuse, save: refuse },
      findPython: refuse,
      authenticateCredentials: async () => undefined,
      now,
    })
    const answer = await app.inject('/hub/api/openapi.json')
    const document: unknown = answer.json()
    return `${JSON.stringify(document, null, 2)}\n`
  } finally {
    await app.close()
    await edgeHub.close()
    principals.close()
    await store.close()
  }
}

const refuse = async (): Promise<never> => {
  throw new TypeError('no hub runs while its API is described')
}
const noLifecycle: Lifecycle = {
  start: refuse,
  stop: refuse,
  settled: refuse,
  verify: refuse,
  progress() {
    throw new TypeError('no hub runs while its API is described')
  },
}
