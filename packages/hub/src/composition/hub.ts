import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { createActivityRecorder } from '../access/activity.ts'
import { createPrincipals } from '../access/principals.ts'
import { createScopeRules } from '../access/rbac-rules.ts'
import { isIdentityScope } from '../domain/identity-scopes.ts'
import type { ScopeRules } from '../access/scope-rules.ts'
import { registerApi } from '../api/app.ts'
import { createEdgeHub, type EdgeHub } from '../api/edge/edge-hub.ts'
import { createProxySecret } from '../api/edge/proxy-secret.ts'
import type { ShutdownRequest } from '../api/hub/shutdown.ts'
import { defaultArgon2Parameters, PasswordHasher } from '../authenticators/native/password-hash.ts'
import type { Config } from '../config/options/classes.ts'
import { ConfigError, messageOf } from '../domain/errors.ts'
import { createLifecycle, type RunningLifecycle } from '../lifecycle/create-lifecycle.ts'
import { startHousekeeping } from '../lifecycle/housekeeping.ts'
import type { WorkContext } from '../lifecycle/work-context.ts'
import type { InternalTls } from '../internal-tls/internal-tls.ts'
import { Metrics } from '../observability/metrics.ts'
import { registerRequestMetrics } from '../observability/request-metrics.ts'
import { registerOAuth } from '../oauth/routes.ts'
import { decide } from '../rbac/decide.ts'
import { startServices } from '../services/start-services.ts'
import type { DataFolder } from '../startup/data-folder.ts'
import { settleInvalidServerNames } from '../startup/invalid-server-names.ts'
import { stopServersOfBlocked } from '../startup/blocked-users.ts'
import { warningsOf } from '../startup/configured-roles.ts'
import { loadInitialContent } from '../startup/initial-content.ts'
import { warnOfOtherScheme } from '../startup/other-scheme.ts'
import { settleRoutes } from '../startup/routes.ts'
import { takeCensus } from '../storage/census.ts'
import type { Store } from '../storage/store.ts'
import { endBrowserSession } from '../storage/browser-sessions.ts'
import { type AccountsDeps, createSetupLink } from '../web/accounts.ts'
import { authenticateCredentials, type LoginDeps } from '../web/authenticate.ts'
import { clientIp } from '../web/client-address.ts'
import { externalLoginUrl } from '../web/external-login.ts'
import { Sessions } from '../web/identify.ts'
import { LoginThrottle } from '../web/login-throttle.ts'
import { registerPages } from '../web/register-pages.ts'
import type { WebDeps } from '../web/web-deps.ts'
import { createAuthenticator, loadManagedRoles } from './authenticators.ts'
import { authStatesOf } from './auth-states.ts'
import { createHttpApp } from './http-app.ts'
import { serverTls } from './internal-tls.ts'
import { extraRoutes, hubRoutespec } from './public-address.ts'
import { proxyApiUrl } from './proxies.ts'
import {
  apiSettings,
  hubConnectUrl,
  hubPrefixOf,
  initialContent,
  lifecycleSettings,
  loginRules,
  readCustomScopes,
  serviceSettings,
  sessionConfig,
  type SettingsInput,
  usernameRules,
  webSettings,
} from './settings.ts'
import { HubProxyControl } from './proxy-control.ts'
import { createPythonFinder } from './server-python.ts'
import { createSpawners } from './spawners.ts'

export interface HubInput {
  readonly config: Config
  readonly store: Store
  readonly cookieSecret: Buffer
  /** Secret shared with the edges. */
  readonly proxyAuthToken: string
  /** An edge is started with the hub, or a proxy is driven: its routes are waited for. */
  readonly withEdge: boolean
  readonly dataFolder: Pick<DataFolder, 'folder'>
  readonly env: NodeJS.ProcessEnv
  readonly logger: Logger
  /** Hub, proxy and servers speak HTTPS with each other. */
  readonly tls: InternalTls | undefined
  readonly passed?: WorkContext['passed']
  /** Begins to end the program, for whoever asks the API to. */
  readonly shutDown: (request: ShutdownRequest) => void
}

/** A hub that listens. */
export interface Hub {
  readonly lifecycle: RunningLifecycle
  /** The routing table and its changes, for proxies. */
  readonly edgeHub: EdgeHub
  /** The proxy that the program drives is attached here. */
  readonly proxy: HubProxyControl
  /** Path and query of the one-time link that makes the first administrator, if there is none. */
  readonly setupPath: string | undefined
  /** Ends the services that this hub runs. */
  stopServices(): Promise<void>
  /** Stops listening and ends this hub's work; servers go on running. */
  close(): Promise<void>
}

const now = () => new Date()

/** Wires the parts of a hub together, brings the database up to the configuration, and listens. */
export async function startHub(input: HubInput): Promise<Hub> {
  const { config, store, logger, tls } = input
  const settingsInput: SettingsInput = { ...input, now }
  const authStates = authStatesOf(config, { store, logger })
  const rules = createScopeRules(readCustomScopes(config))
  refuseUnknownScopes(config, rules)
  const hasher = new PasswordHasher(defaultArgon2Parameters)
  const authenticator = createAuthenticator(config, { store, hasher })
  const managedRoles = await loadManagedRoles(config, authenticator)
  for (const warning of warningsOf({
    entries: config.JupyterHub.loadRoles,
    extraUserScopes: [...config.JupyterHub.extraUserScopes],
  })) {
    logger.warn({}, warning)
  }
  await loadInitialContent(store, initialContent(config, managedRoles), now())
  await settleInvalidServerNames(store, config.JupyterHub.allowExistingInvalidNamedServers, {
    logger,
    now: now(),
  })
  const hub = {
    routespec: hubRoutespec(config),
    target: new URL(hubConnectUrl(config)).origin,
  }
  const lifecycleOptions = lifecycleSettings(settingsInput)
  const routes = { hub, extra: extraRoutes(config) }
  await settleRoutes(store, routes, lifecycleOptions)

  const principals = createPrincipals({ store, rules, now })
  const sessions = new Sessions(sessionConfig(settingsInput), principals, store)
  const activity = createActivityRecorder({
    store,
    resolutionMs: config.JupyterHub.activityResolutionMs,
    now,
    onError: (error) => logger.warn({ cause: messageOf(error) }, 'activity was not written'),
  })
  const metrics = new Metrics({ env: input.env, takeCensus: () => takeCensus(store.db, now()) })
  const observe = metrics.observe.bind(metrics)
  const edgeHub = createEdgeHub({ store, logger, expectsEdge: input.withEdge })
  const lifecycle = await createLifecycle(
    {
      store,
      settings: lifecycleOptions,
      now,
      spawnerId: config.JupyterHub.spawner,
      spawnerOf: createSpawners({
        config,
        folderOf: (id) => input.dataFolder.folder(`spawner-${id}`),
        logger,
      }),
      edges: edgeHub,
      logger,
      observe,
      ...(tls !== undefined && { tls: serverTls(config, tls) }),
      ...(input.passed !== undefined && { passed: input.passed }),
    },
    // SQLite serves one hub, which holds the data folder: leases of others are leftovers.
    { alone: store.dialect === 'sqlite' },
  )
  await stopServersOfBlocked({ store, lifecycle }, loginRules(config).blockedUsers)
  await warnOfOtherScheme({ store, logger }, tls !== undefined)
  const stopHousekeeping = startHousekeeping({ store, logger, now })

  const login: LoginDeps = {
    store,
    authenticator,
    rules: loginRules(config),
    throttle: new LoginThrottle(store, now),
    authStates: {
      isEnabled: config.Authenticator.enableAuthState,
      save: (...args) => authStates.save(...args),
    },
    now,
  }
  const app = createHttpApp(
    logger,
    {
      hubPrefix: hubPrefixOf(config),
      headers: config.JupyterHub.webSettings.headers ?? {},
    },
    tls,
  )
  registerRequestMetrics(app, metrics, hubPrefixOf(config))
  app.addHook('onResponse', async (request) => {
    const principal = request.identity?.principal
    if (principal !== undefined) activity.record(principal)
  })
  const proxySecret = createProxySecret(input.proxyAuthToken)
  const apiUrl = proxyApiUrl(config)
  const proxy = new HubProxyControl({
    store,
    edgeHub,
    secret: proxySecret,
    observe,
    routes,
    place: lifecycleOptions,
    address: { apiUrl, authToken: input.proxyAuthToken },
    ...(tls !== undefined && { tls: tls.certificates.hubMaterial() }),
  })
  const api = apiSettings(settingsInput)
  await registerApi(app, {
    store,
    principals,
    rules,
    sessions,
    lifecycle,
    settings: api,
    edgeHub,
    proxySecret,
    proxy,
    shutDown: input.shutDown,
    recordActivity: (principal) => activity.record(principal),
    authStates,
    findPython: createPythonFinder(config.Spawner.cmd?.[0] ?? 'jupyterhub-singleuser', input.env),
    authenticateCredentials: credentialsForToken(login, sessions),
    now,
  })
  await registerOAuth(app, {
    store,
    principals,
    rules,
    sessions,
    settings: webSettings(settingsInput),
    tokenExpiresInSeconds: Math.floor(config.JupyterHub.oauthTokenExpiresInMs / 1000),
    requirePkce: config.JupyterHub.oauthRequirePkce,
    ...(config.Authenticator.autoLoginOauth2Authorize && {
      loginUrl: (next: string) => externalLoginUrl(login.authenticator, hubPrefixOf(config), next),
    }),
    now,
  })
  await registerPages(app, {
    store,
    sessions,
    principals,
    lifecycle,
    login,
    accounts: accountsOf(config, { store, hasher }),
    signUpOpen: config.NativeAuthenticator.openSignup,
    settings: webSettings(settingsInput),
    async endSession(userId, sessionId) {
      await store.write((tx) => endBrowserSession(tx, { userId, id: sessionId }))
    },
    decide: pageDecision(principals),
    metrics: {
      isOpen: !config.JupyterHub.authenticatePrometheus,
      contentType: metrics.contentType,
      text: () => metrics.text(),
    },
    now,
  })
  await listen(app, config)
  observe('hub_startup_duration_seconds', {}, process.uptime())
  const services = startServices({
    store,
    settings: serviceSettings(settingsInput),
    dataDir: input.dataFolder.folder('services'),
    ...(tls !== undefined && { tls: serverTls(config, tls) }),
    logger,
    now,
    ...(input.passed !== undefined && { passed: input.passed }),
  })
  const link =
    config.JupyterHub.authenticator === 'native' ? await createSetupLink(store, now()) : undefined

  return {
    lifecycle,
    edgeHub,
    proxy,
    setupPath: link === undefined ? undefined : `${hubPrefixOf(config)}setup?token=${link}`,
    stopServices: () => services.stop(),
    async close() {
      await services.stop()
      await edgeHub.close()
      await app.close()
      stopHousekeeping()
      await lifecycle.close()
      await activity.close()
      principals.close()
      metrics.close()
    },
  }
}

/** With one of them, every log-in of the service would end in `invalid_scope`. */
function refuseUnknownScopes(config: Config, rules: ScopeRules): void {
  for (const { name, oauthClientAllowedScopes } of config.JupyterHub.services) {
    const unknown = oauthClientAllowedScopes.filter(
      (scope) => !rules.isScope(scope) && !isIdentityScope(scope),
    )
    if (unknown.length === 0) continue
    throw new ConfigError(
      `JupyterHub.services: '${name}': oauth_client_allowed_scopes names what is no scope: ` +
        unknown.join(', '),
    )
  }
}

function accountsOf(
  config: Config,
  parts: { store: Store; hasher: PasswordHasher },
): AccountsDeps | undefined {
  if (config.JupyterHub.authenticator !== 'native') return undefined
  const { adminUsers, blockedUsers } = loginRules(config)
  return {
    ...parts,
    passwordRules: { minimumLength: config.NativeAuthenticator.minimumPasswordLength },
    usernameRules: usernameRules(config),
    reservedNames: new Set([...adminUsers, ...blockedUsers]),
    now,
  }
}

function credentialsForToken(login: LoginDeps, sessions: Sessions) {
  return async (auth: unknown, request: FastifyRequest): Promise<string | undefined> => {
    if (typeof auth !== 'object' || auth === null) return undefined
    const { username, password = '', ...fields } = auth as Record<string, unknown>
    if (typeof username !== 'string' || typeof password !== 'string') return undefined
    const texts = Object.entries(fields).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    )
    const credentials = {
      username,
      password,
      fields: Object.fromEntries(texts),
      remoteAddress: clientIp(request, sessions.config),
    }
    // Source: contract rest-api §9.1 step 3: somebody who never signed in is not made a user by this.
    const user = await authenticateCredentials(login, credentials, { mayCreate: false })
    return user.name
  }
}

function pageDecision(principals: ReturnType<typeof createPrincipals>): WebDeps['decide'] {
  return async (principal, scope, resource) => {
    const groupsOf = await principals.loadMembership()
    const decision = decide(principal.scopes, [scope], {
      resource:
        resource === undefined
          ? undefined
          : resource.serverName === undefined
            ? { kind: 'user', user: resource.username }
            : { kind: 'server', user: resource.username, server: resource.serverName },
      groupsOf,
    })
    return decision === 'denied' ? 'missing' : decision
  }
}

async function listen(app: FastifyInstance, config: Config): Promise<void> {
  const { hubIp, hubPort } = config.JupyterHub
  try {
    await app.listen({ host: hubIp === '' ? '::' : hubIp, port: hubPort })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EADDRINUSE') {
      throw new ConfigError(
        `Port ${hubPort} on ${hubIp || 'every address'} is taken by another program. Stop it, or choose ` +
          'another port for the hub with --hub-port.',
        { cause: error },
      )
    }
    throw new ConfigError(`The hub cannot listen on ${hubIp}:${hubPort}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/** Writes the pid where the operator wants it. @returns the function that removes the file */
export function writePidFile(path: string): () => void {
  if (path === '') return () => undefined
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, String(process.pid))
  return () => rmSync(path, { force: true })
}
