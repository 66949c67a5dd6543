import Fastify, {
  type FastifyInstance,
  type InjectOptions,
  type LightMyRequestResponse,
} from 'fastify'
import { expect } from 'vitest'
import { createAuthStates } from '../../src/access/auth-states.ts'
import { createPrincipals } from '../../src/access/principals.ts'
import { createScopeRules } from '../../src/access/rbac-rules.ts'
import { registerApi } from '../../src/api/app.ts'
import type { ApiDeps, ApiSettings } from '../../src/api/context.ts'
import { createEdgeHub, type EdgeHub } from '../../src/api/edge/edge-hub.ts'
import { createProxySecret } from '../../src/api/edge/proxy-secret.ts'
import type { ShutdownRequest } from '../../src/api/hub/shutdown.ts'
import { httpOptions } from '../../src/composition/http-app.ts'
import { HubProxyControl } from '../../src/composition/proxy-control.ts'
import type { RunningLifecycle } from '../../src/lifecycle/create-lifecycle.ts'
import type { LifecycleSettings } from '../../src/lifecycle/settings.ts'
import { type CustomScopes, noCustomScopes } from '../../src/rbac/custom-scopes.ts'
import { putRole } from '../../src/storage/access.ts'
import { addGroupMember, ensureGroup } from '../../src/storage/groups.ts'
import type { Store } from '../../src/storage/store.ts'
import { newApiToken } from '../../src/storage/token-hash.ts'
import { createToken } from '../../src/storage/tokens.ts'
import { createUser, findUser, grantUserRole, stripUserRole } from '../../src/storage/users.ts'
import { Sessions } from '../../src/web/identify.ts'
import type { SessionConfig } from '../../src/web/session-config.ts'
import { signValue } from '../../src/web/signed-value.ts'
import { signInFor } from '../../src/web/sign-in-test-kit.ts'
import { FakeMachines } from '../support/fake-spawner.ts'
import { quickSettings, seedRoles, silentLogger, startTestHub } from '../support/hubs.ts'

/** Matchers with a type that assignments may have. */
export const anyText: unknown = expect.any(String)
export const textWith = (part: string): unknown => expect.stringContaining(part)

export const edgeToken = 'edge-secret'

const apiSettings: ApiSettings = {
  baseUrl: '/',
  hubPrefix: '/hub/',
  pageDefaultLimit: 50,
  pageMaxLimit: 200,
  slowSpawnTimeoutMs: 5_000,
  slowStopTimeoutMs: 5_000,
  allowNamedServers: true,
  namedServerLimitPerUser: 0,
  allowExistingInvalidNamedServers: 'allow-start',
  tokenExpiresInMaxSeconds: 0,
  adminAccess: false,
  trustTokens: false,
  usernameRules: {},
  adminUsers: new Set(['root']),
  headers: {},
  spawner: { class: 'fake', version: '1' },
  authenticator: { class: 'fake', version: '1' },
}

export interface Caller {
  /** `GET /users`, with a JSON body or raw text. */
  (line: string, body?: unknown, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  readonly token: string
}

/** The API on a store of the test's, with the real control plane and machines in this process. */
export class ApiHub {
  readonly machines = new FakeMachines()
  /** What the hub was asked to end with. */
  readonly shutdowns: ShutdownRequest[] = []
  /** Whom activity was noted of, besides callers. */
  readonly activity: string[] = []
  readonly store: Store
  readonly edgeHub: EdgeHub
  readonly app: FastifyInstance
  readonly #principals: ReturnType<typeof createPrincipals>
  readonly #lifecycle: RunningLifecycle
  readonly #sessionConfig: SessionConfig

  private constructor(parts: {
    store: Store
    lifecycle: RunningLifecycle
    principals: ReturnType<typeof createPrincipals>
  }) {
    this.store = parts.store
    this.#lifecycle = parts.lifecycle
    this.#principals = parts.principals
    this.edgeHub = createEdgeHub({ store: this.store, logger: silentLogger })
    this.app = Fastify(httpOptions({ hubPrefix: '/hub/', headers: {} }))
    this.#sessionConfig = {
      baseUrl: '/',
      hubPrefix: '/hub/',
      cookieSecret: Buffer.alloc(32, 1),
      cookieMaxAgeDays: 14,
      cookieHostPrefix: false,
      trustedDownstreamIps: [],
      now: () => new Date(),
    }
  }

  static async start(
    store: Store,
    options: {
      settings?: Partial<ApiSettings>
      deps?: Partial<ApiDeps>
      /** For a second hub on the same store: the machines of the first. */
      machines?: FakeMachines
      lifecycle?: Partial<LifecycleSettings>
      customScopes?: CustomScopes
      /** Adds what else a hub has, to the same application. */
      extend?: (app: FastifyInstance, deps: ApiDeps) => Promise<void>
    } = {},
  ): Promise<ApiHub> {
    await seedRoles(store)
    await store.write((tx) => putRole(tx, { name: 'admin', description: '', scopes: ['admin-ui'] }))
    const rules = createScopeRules(options.customScopes ?? noCustomScopes)
    const principals = createPrincipals({ store, rules })
    const machines = options.machines ?? new FakeMachines()
    const alone = options.machines === undefined
    const lifecycleSettings = { ...quickSettings, ...options.lifecycle }
    const lifecycle = await startTestHub(store, { machines, settings: lifecycleSettings, alone })
    const hub = new ApiHub({ store, lifecycle, principals })
    Object.assign(hub, { machines })
    const secret = createProxySecret(edgeToken)
    const deps: ApiDeps = {
      store,
      principals,
      rules,
      sessions: new Sessions(hub.#sessionConfig, principals, store),
      lifecycle,
      settings: { ...apiSettings, ...options.settings },
      edgeHub: hub.edgeHub,
      proxySecret: secret,
      proxy: new HubProxyControl({
        store,
        edgeHub: hub.edgeHub,
        secret,
        routes: { hub: { routespec: '/', target: 'http://127.0.0.1:8081' }, extra: new Map() },
        place: { baseUrl: '/', subdomains: undefined },
        address: { apiUrl: '', authToken: '' },
      }),
      shutDown: (request) => hub.shutdowns.push(request),
      authStates: createAuthStates({ store, vault: undefined, logger: silentLogger }),
      recordActivity: (principal) => hub.activity.push(principal.name),
      findPython: async () => ({ version: '3.12', executable: '/usr/bin/python3' }),
      authenticateCredentials: async (auth) =>
        JSON.stringify(auth) === '{"username":"bob","password":"right"}' ? 'bob' : undefined,
      now: () => new Date(),
      ...options.deps,
    }
    await registerApi(hub.app, deps)
    await options.extend?.(hub.app, deps)
    await hub.app.ready()
    return hub
  }

  async close(): Promise<void> {
    await this.edgeHub.close()
    await this.app.close()
    await this.#lifecycle.close()
    this.#principals.close()
    this.machines.killAll()
  }

  /** Users alice, bob in g1, carol in g2, dave in none: those of the worked examples. */
  async addPeople(): Promise<void> {
    await this.store.write(async (tx) => {
      for (const name of ['alice', 'bob', 'carol', 'dave']) {
        await createUser(tx, { name }, new Date())
      }
      for (const [user, group] of [
        ['alice', 'g1'],
        ['bob', 'g1'],
        ['carol', 'g2'],
      ] as const) {
        const found = await findUser(tx.db, user)
        if (found === undefined) throw new TypeError('just created')
        await addGroupMember(tx, await ensureGroup(tx, group), found.id)
      }
    })
  }

  /** Requests of a user `me` who holds exactly these raw scopes through one role. */
  async callerWith(scopes: readonly string[], name = 'me'): Promise<Caller> {
    const now = new Date()
    const token = newApiToken()
    await this.store.write(async (tx) => {
      const user = (await findUser(tx.db, name)) ?? (await createUser(tx, { name }, now))
      await stripUserRole(tx, user.id, 'user')
      await putRole(tx, { name: `only-${name}`, description: '', scopes })
      await grantUserRole(tx, user.id, `only-${name}`)
      const owner = { kind: 'user', id: user.id } as const
      await createToken(tx, { value: token, owner, scopes: ['inherit'], note: '' }, now)
    })
    return this.withToken(token)
  }

  withToken(token: string): Caller {
    return Object.assign(this.anonymous({ authorization: `token ${token}` }), { token })
  }

  anonymous(fixed: Record<string, string> = {}): Caller {
    const call = (line: string, body?: unknown, headers: Record<string, string> = {}) => {
      const [method, path] = line.split(' ')
      const payload = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
      return this.app.inject({
        method,
        url: `/hub/api${path}`,
        headers: { ...fixed, ...headers },
        ...(payload !== undefined && { payload }),
      } as InjectOptions) // `method` and `payload` are optional there, not undefined
    }
    return Object.assign(call, { token: '' })
  }

  /** Cookies of a signed-in browser with its XSRF token, and that token. */
  async browserOf(name: string): Promise<{ cookie: string; xsrf: string }> {
    const { user, value, sessionId } = await this.#signIn(name)
    const { cookieSecret: secret } = this.#sessionConfig
    const content = `${sessionId}:${user.cookieId}`
    const signed = signValue(content, { secret, name: '_xsrf', now: new Date() })
    const xsrf = Buffer.from(signed).toString('base64url')
    return { cookie: `${cookiesOf({ value, sessionId })}; _xsrf=${xsrf}`, xsrf }
  }

  /** The login cookie of a user, as a browser sends it. */
  async cookieOf(name: string): Promise<string> {
    return cookiesOf(await this.#signIn(name))
  }

  async #signIn(name: string) {
    const user = await findUser(this.store.db, name)
    if (user === undefined) throw new TypeError('no such user')
    const { cookieSecret } = this.#sessionConfig
    const signing = { cookieSecret, name: 'jupyterhub-hub-login', now: new Date() }
    return { user, ...(await signInFor(this.store, user, signing)) }
  }
}

function cookiesOf(login: { value: string; sessionId: string }): string {
  return `jupyterhub-hub-login="${login.value}"; jupyterhub-session-id=${login.sessionId}`
}
