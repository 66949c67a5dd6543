import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import { createPrincipals } from '../access/principals.ts'
import { createScopeRules } from '../access/rbac-rules.ts'
import { nativeAuthenticator } from '../authenticators/native/native-authenticator.ts'
import { PasswordHasher } from '../authenticators/native/password-hash.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { decide } from '../rbac/decide.ts'
import type { Authenticator } from '../plugin-api/authenticator.ts'
import { putRole } from '../storage/access.ts'
import { openStore } from '../storage/open.ts'
import { ensureServer, findServerById, updateServer } from '../storage/servers.ts'
import type { Store } from '../storage/store.ts'
import { endBrowserSession } from '../storage/browser-sessions.ts'
import { findPasswordHash } from '../storage/users.ts'
import { Sessions } from './identify.ts'
import { pageSettings } from './settings-test-kit.ts'
import { LoginThrottle } from './login-throttle.ts'
import { registerPages } from './register-pages.ts'
import type { SessionConfig } from './session-config.ts'
import type { WebDeps, WebSettings } from './web-deps.ts'

/** The pages over a real store, principals and scopes; servers change state at a word. */
export interface TestHub {
  readonly app: FastifyInstance
  readonly store: Store
  readonly deps: WebDeps
  readonly clock: { now: Date }
  browser(): Browser
  close(): Promise<void>
}

/** Keeps cookies as a browser does, by name. */
export interface Browser {
  readonly cookies: Map<string, string>
  get(url: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  post(url: string, fields: Record<string, string>): Promise<LightMyRequestResponse>
}

export interface TestHubOptions {
  readonly session?: Partial<SessionConfig>
  readonly settings?: Partial<WebSettings>
  /** Native accounts when left out. */
  readonly authenticator?: Authenticator
  /** A store of the test's, which closes it, with the roles of a hub in it. */
  readonly store?: Store
  /** Replaces the simple one, whose starts stay pending. */
  readonly lifecycle?: Lifecycle
}

export async function startTestHub(options: TestHubOptions = {}): Promise<TestHub> {
  const store = options.store ?? (await openStore({ url: 'sqlite:///:memory:', directory: '.' }))
  await store.write(async (tx) => {
    await putRole(tx, { name: 'user', description: '', scopes: ['self'] })
    const scopes = ['admin-ui', 'admin:users', 'admin:servers', 'tokens', 'access:servers']
    await putRole(tx, { name: 'admin', description: '', scopes })
  })
  const clock = { now: new Date() }
  const now = () => clock.now
  const principals = createPrincipals({ store, rules: createScopeRules(new Map()), now })
  const deps = testDeps({ store, principals, now }, options)
  const app = Fastify()
  await registerPages(app, deps)
  const close = async () => {
    await app.close()
    principals.close()
    if (options.store === undefined) await store.close()
  }
  return { app, store, deps, clock, browser: () => createBrowser(app), close }
}

function testDeps(
  parts: {
    store: Store
    principals: ReturnType<typeof createPrincipals>
    now: () => Date
  },
  options: TestHubOptions,
): WebDeps {
  const { store, principals, now } = parts
  const hasher = new PasswordHasher({ memoryKiB: 64, passes: 1, parallelism: 1 })
  const config = {
    baseUrl: '/',
    hubPrefix: '/hub/',
    cookieSecret: Buffer.alloc(32, 7),
    cookieMaxAgeDays: 14,
    cookieHostPrefix: false,
    trustedDownstreamIps: [],
    now,
    ...options.session,
  }
  const passwords = { findPasswordHash: (name: string) => findPasswordHash(store.db, name) }
  return {
    store,
    principals,
    sessions: new Sessions(config, principals, store),
    lifecycle: options.lifecycle ?? simpleLifecycle(store),
    login: {
      store,
      authenticator:
        options.authenticator ?? nativeAuthenticator.create({ options: { hasher }, passwords }),
      rules: {
        allowedUsers: new Set(),
        blockedUsers: new Set(['mallory']),
        adminUsers: new Set(['root']),
        manageGroups: false,
      },
      throttle: new LoginThrottle(store, now),
      now,
    },
    accounts: {
      store,
      hasher,
      passwordRules: { minimumLength: 8 },
      usernameRules: {},
      reservedNames: new Set(['root']),
      now,
    },
    signUpOpen: true,
    settings: {
      ...config,
      ...pageSettings,
      ...options.settings,
    },
    async endSession(userId, sessionId) {
      await store.write((tx) => endBrowserSession(tx, { userId, id: sessionId }))
    },
    async decide(principal, scope, target) {
      const groupsOf = await principals.loadMembership()
      const resource =
        target === undefined
          ? undefined
          : ({ kind: 'server', user: target.username, server: target.serverName ?? '' } as const)
      const decision = decide(principal.scopes, [scope], { resource, groupsOf })
      return decision === 'denied' ? 'missing' : decision
    },
    now,
  }
}

/** Starts stay pending, stops are done at once: enough for pages, which only ask and show. */
function simpleLifecycle(store: Store): Lifecycle {
  return {
    async start({ user, serverName }) {
      const server = await store.write(async (tx) => {
        const row = { userId: user.id, name: serverName, displayName: null }
        const found = await ensureServer(tx, row, new Date())
        const state = { kind: 'spawning', since: new Date() } as const
        return (await updateServer(tx, found, { state })) ?? found
      })
      return { server, operationId: 1 }
    },
    async stop({ server }) {
      const state = { kind: 'stopped' } as const
      const stopped = await store.write((tx) => updateServer(tx, server, { state }))
      return { server: stopped ?? server, operationId: 1 }
    },
    settled: (id) => findServerById(store.db, id),
    verify: async (server) => server,
    async *progress() {
      yield { progress: 0, message: 'Server requested' }
    },
  }
}

function createBrowser(app: FastifyInstance): Browser {
  const cookies = new Map<string, string>()
  const send = async (options: {
    method: 'GET' | 'POST'
    url: string
    headers?: Record<string, string>
    payload?: string
  }) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { ...(cookie !== '' && { cookie }), ...options.headers }
    const response = await app.inject({ ...options, headers })
    for (const line of [response.headers['set-cookie'] ?? []].flat()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (line.includes('Max-Age=0')) cookies.delete(name)
      else cookies.set(name, value)
    }
    return response
  }
  return {
    cookies,
    get: (url, headers = {}) => send({ method: 'GET', url, headers }),
    post: (url, fields) =>
      send({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        payload: new URLSearchParams(fields).toString(),
      }),
  }
}
