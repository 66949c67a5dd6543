import type { ApiSettings } from '../api/context.ts'
import type { Config } from '../config/options/classes.ts'
import type { UsernameRules } from '../domain/names.ts'
import type { LifecycleSettings } from '../lifecycle/settings.ts'
import type { ManagedRole } from '../plugin-api/authenticator.ts'
import type { ServerLimits } from '../plugin-api/spawner.ts'
import { createScopeRules } from '../access/rbac-rules.ts'
import { ConfigError, messageOf } from '../domain/errors.ts'
import { type CustomScopes, parseCustomScopes } from '../rbac/custom-scopes.ts'
import { defaultRoles } from '../rbac/roles.ts'
import { type ConfiguredRole, mergeRoles } from '../startup/configured-roles.ts'
import type { InitialContent } from '../startup/initial-content.ts'
import type { ServiceSettings } from '../services/settings.ts'
import { localProcessDefaults } from '../spawners/local-process/options.ts'
import type { Json, JsonObject } from '../util/json.ts'
import { orreryVersion } from '../util/version.ts'
import type { LoginRules } from '../web/authenticate.ts'
import type { ManagedRoleRules } from '../web/managed-roles.ts'
import type { SessionConfig } from '../web/session-config.ts'
import type { WebSettings } from '../web/web-deps.ts'
import { readLogo } from './logo.ts'
import { publicUrlOf, subdomainsOf } from './public-address.ts'

const dayMs = 86_400_000
/** Longer than the three waits of a stop together, so that the spawner ends before the hub gives up. */
const stopMarginMs = 10_000
const defaultSlowMs = 10_000

export interface SettingsInput {
  readonly config: Config
  readonly cookieSecret: Buffer
  /** The hub's own environment, for `env_keep`. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly now: () => Date
}

export function hubPrefixOf(config: Config): string {
  return `${config.JupyterHub.baseUrl}hub/`
}

/** Where servers and the edge reach the hub: `http://host:port/hub/`, `https` with internal TLS. */
export function hubConnectUrl(config: Config): string {
  const { hubConnectUrl: configured, hubConnectIp, hubIp, hubPort, internalSsl } = config.JupyterHub
  const prefix = hubPrefixOf(config)
  if (configured !== '') return new URL(prefix, configured).href
  const host = hubConnectIp === '' ? reachable(hubIp) : hubConnectIp
  return `${internalSsl ? 'https' : 'http'}://${bracketed(host)}:${hubPort}${prefix}`
}

/** An address to connect to, for one to listen on. */
export function reachable(ip: string): string {
  return ip === '' || ip === '0.0.0.0' || ip === '::' || ip === '*' ? '127.0.0.1' : ip
}

export function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

export function usernameRules(config: Config): UsernameRules {
  const { usernameMap, usernamePattern } = config.Authenticator
  return { usernameMap, usernamePattern }
}

export function lifecycleSettings(input: SettingsInput): LifecycleSettings {
  const { config, cookieSecret, env } = input
  const { JupyterHub: hub, Spawner: spawner, LocalProcessSpawner: local } = config
  const apiUrl = new URL('api', hubConnectUrl(config))
  const connect = spawner.hubConnectUrl
  return {
    baseUrl: hub.baseUrl,
    hubApiUrl: connect ? new URL(apiUrl.pathname, connect).href : apiUrl.href,
    subdomains: subdomainsOf(config),
    publicUrl: publicUrlOf(config)?.href ?? '',
    cookieSecret,
    cookieOptions: cookieOptionsOf(config),
    cookieHostPrefixEnabled: hub.cookieHostPrefixEnabled,
    command: [...(spawner.cmd ?? ['jupyterhub-singleuser']), ...spawner.args],
    bindIp: spawner.ip,
    bindPort: spawner.port,
    environment: spawner.environment,
    keptEnvironment: keptEnvironment(spawner.envKeep, env),
    notebookDir: spawner.notebookDir,
    defaultUrl: spawner.defaultUrl,
    debug: spawner.debug,
    disableUserConfig: spawner.disableUserConfig,
    limits: limitsOf(config),
    startTimeoutMs: spawner.startTimeoutMs,
    httpTimeoutMs: spawner.httpTimeoutMs,
    stopTimeoutMs:
      local.interruptTimeoutMs + local.termTimeoutMs + local.killTimeoutMs + stopMarginMs,
    pollIntervalMs: spawner.pollIntervalMs,
    pollJitter: spawner.pollJitter,
    serverTokenScopes: spawner.serverTokenScopes,
    oauthClientAllowedScopes: spawner.oauthClientAllowedScopes,
    concurrentSpawnLimit: hub.concurrentSpawnLimit,
    activeServerLimit: hub.activeServerLimit,
    queueSpawns: config.Orrery.queueSpawns,
    throttleRetryRange: throttleRange(config),
    allowNamedServers: hub.allowNamedServers,
    namedServerLimitPerUser: hub.namedServerLimitPerUser,
    allowExistingInvalidNamedServers: hub.allowExistingInvalidNamedServers,
  }
}

export function sessionConfig(input: SettingsInput): SessionConfig {
  const { config, cookieSecret, env, now } = input
  const hub = config.JupyterHub
  const list = (name: string) => env[name]?.split(';').filter((entry) => entry !== '')
  return {
    baseUrl: hub.baseUrl,
    hubPrefix: hubPrefixOf(config),
    cookieSecret,
    cookieMaxAgeDays: hub.cookieMaxAgeMs / dayMs,
    cookieHostPrefix: hub.cookieHostPrefixEnabled,
    cookieOptions: cookieAttributes(cookieOptionsOf(config)),
    xsrfCookieOptions: cookieAttributes((hub.webSettings.xsrfCookieKwargs ?? {}) as JsonObject),
    publicUrl: publicUrlOf(config),
    cookieDomain: subdomainsOf(config)?.domain,
    subdomainHost: hub.subdomainHost === '' ? undefined : new URL(hub.subdomainHost),
    trustedDownstreamIps: hub.trustedDownstreamIps,
    xsrfAnonymousIpCidrs: list('JUPYTERHUB_XSRF_ANONYMOUS_IP_CIDRS'),
    xsrfAnonymousHeaders: list('JUPYTERHUB_XSRF_ANONYMOUS_ID_HEADERS'),
    now,
  }
}

export function webSettings(input: SettingsInput): WebSettings {
  const { config } = input
  const hub = config.JupyterHub
  const vars = hub.templateVars
  return {
    baseUrl: hub.baseUrl,
    hubPrefix: hubPrefixOf(config),
    subdomains: subdomainsOf(config),
    announcement: vars['announcement'],
    pageAnnouncements: {
      ...(vars['announcement_login'] !== undefined && { login: vars['announcement_login'] }),
      ...(vars['announcement_spawn'] !== undefined && { spawn: vars['announcement_spawn'] }),
      ...(vars['announcement_home'] !== undefined && { home: vars['announcement_home'] }),
      ...(vars['announcement_logout'] !== undefined && { logout: vars['announcement_logout'] }),
    },
    headers: hub.webSettings.headers ?? {},
    redirectToServer: hub.redirectToServer,
    defaultUrl: hub.defaultUrl,
    allowNamedServers: hub.allowNamedServers,
    namedServerLimitPerUser: hub.namedServerLimitPerUser,
    allowExistingInvalidNamedServers: hub.allowExistingInvalidNamedServers,
    defaultServerName: hub.defaultServerName,
    implicitSpawnSeconds: hub.implicitSpawnMs / 1000,
    useLegacyStoppedServerStatusCode: hub.useLegacyStoppedServerStatusCode,
    userRedirectLimit: hub.webSettings.userRedirectLimit ?? 4,
    noCacheStatic: hub.webSettings.noCacheStatic ?? false,
    logo: readLogo(hub.logoFile),
    shutdownOnLogout: hub.shutdownOnLogout,
    autoLogin: config.Authenticator.autoLogin,
    optionsForm: config.Spawner.optionsForm,
    optionsFromForm: optionsReader(config.Spawner.optionsFromForm),
    optionsFromQuery: optionsReader(
      config.Spawner.optionsFromQuery ?? config.Spawner.optionsFromForm,
    ),
    tokenExpiresInMaxSeconds: Math.floor(hub.tokenExpiresInMaxMs / 1000),
  }
}

export function apiSettings(input: SettingsInput): ApiSettings {
  const { config } = input
  const hub = config.JupyterHub
  return {
    baseUrl: hub.baseUrl,
    hubPrefix: hubPrefixOf(config),
    subdomains: subdomainsOf(config),
    publicUrl: publicUrlOf(config),
    pageDefaultLimit: hub.apiPageDefaultLimit,
    pageMaxLimit: hub.apiPageMaxLimit,
    slowSpawnTimeoutMs: hub.webSettings.slowSpawnTimeout ?? defaultSlowMs,
    slowStopTimeoutMs: hub.webSettings.slowStopTimeout ?? defaultSlowMs,
    allowNamedServers: hub.allowNamedServers,
    namedServerLimitPerUser: hub.namedServerLimitPerUser,
    allowExistingInvalidNamedServers: hub.allowExistingInvalidNamedServers,
    tokenExpiresInMaxSeconds: Math.floor(hub.tokenExpiresInMaxMs / 1000),
    adminAccess: hub.adminAccess,
    trustTokens: hub.trustUserProvidedTokens,
    usernameRules: usernameRules(config),
    adminUsers: loginRules(config).adminUsers,
    headers: hub.webSettings.headers ?? {},
    spawner: { class: `orrery.spawners.${hub.spawner}`, version: orreryVersion },
    authenticator: { class: `orrery.authenticators.${hub.authenticator}`, version: orreryVersion },
  }
}

/** Who may sign in; names as they are stored. */
export function loginRules(config: Config): LoginRules {
  const { Authenticator: rules } = config
  const names = (list: Iterable<string>) => new Set([...list].map((name) => name.toLowerCase()))
  return {
    ...usernameRules(config),
    allowAll: rules.allowAll,
    allowedUsers: names(rules.allowedUsers),
    blockedUsers: names(rules.blockedUsers),
    adminUsers: names(rules.adminUsers),
    allowExistingUsers: rules.allowExistingUsers,
    manageGroups: rules.manageGroups,
    managedRoles: rules.manageRoles ? managedRoleRules(config) : undefined,
  }
}

function managedRoleRules(config: Config): ManagedRoleRules {
  const scopes = createScopeRules(readCustomScopes(config))
  const configured = [...defaultRoles, ...config.JupyterHub.loadRoles]
  return {
    isScope: (text) => scopes.isScope(text),
    configuredRoles: new Set(configured.map((role) => role.name)),
  }
}

/** How the hub runs and watches services. */
export function serviceSettings(input: SettingsInput): ServiceSettings {
  const { config, cookieSecret } = input
  const { JupyterHub: hub, LocalProcessSpawner: local, Spawner: spawner } = config
  const { interruptTimeoutMs, termTimeoutMs, killTimeoutMs } = local
  return {
    baseUrl: hub.baseUrl,
    subdomains: subdomainsOf(config),
    hubApiUrl: new URL('api', hubConnectUrl(config)).href,
    publicUrl: publicUrlOf(config)?.href ?? '',
    cookieSecret,
    services: hub.services,
    process: {
      interruptTimeoutMs,
      termTimeoutMs,
      killTimeoutMs,
      shellCmd: [],
      envKeep: [...new Set([...localProcessDefaults.envKeep, ...spawner.envKeep])],
    },
    checkIntervalMs: hub.serviceCheckIntervalMs,
  }
}

/**
 * What the configuration brings into the database at every start.
 * @param managedRoles - what the authenticator loads; `undefined` leaves managed roles alone
 */
export function initialContent(
  config: Config,
  managedRoles?: readonly ManagedRole[],
): InitialContent {
  const hub = config.JupyterHub
  refuseManagedGroups(config)
  return {
    roles: configuredRoles(config, managedRoles ?? []),
    resetManagedRoles:
      managedRoles !== undefined && config.Authenticator.resetManagedRolesOnStartup,
    users: [...config.Authenticator.allowedUsers],
    adminUsers: [...config.Authenticator.adminUsers],
    groups: Object.entries(hub.loadGroups).map(([name, group]) => ({
      name,
      users: group.users ?? [],
      ...(group.properties !== undefined && { properties: group.properties as JsonObject }),
    })),
    services: hub.services,
    baseUrl: hub.baseUrl,
    subdomains: subdomainsOf(config),
    blockedUsers: loginRules(config).blockedUsers,
    apiTokens: hub.apiTokens,
    serviceTokens: hub.serviceTokens,
    usernameRules: usernameRules(config),
    trustTokens: hub.trustUserProvidedTokens,
  }
}

function refuseManagedGroups(config: Config): void {
  const isConfigured = Object.keys(config.JupyterHub.loadGroups).length > 0
  if (!config.Authenticator.manageGroups || !isConfigured) return
  throw new ConfigError(
    'JupyterHub.load_groups says who is in which group, which is up to the authenticator while ' +
      'Authenticator.manage_groups is true',
  )
}

function configuredRoles(config: Config, managed: readonly ManagedRole[]): ConfiguredRole[] {
  const { loadRoles, extraUserScopes } = config.JupyterHub
  const rules = createScopeRules(readCustomScopes(config))
  return mergeRoles({
    entries: loadRoles,
    extraUserScopes: [...extraUserScopes],
    isScope: (text) => rules.isScope(text),
    isManaged: config.Authenticator.manageRoles,
    managed,
  })
}

/** @throws ConfigError for what cannot be a custom scope */
export function readCustomScopes(config: Config): CustomScopes {
  try {
    return parseCustomScopes(config.JupyterHub.customScopes)
  } catch (error) {
    throw new ConfigError(`JupyterHub.custom_scopes: ${messageOf(error)}`, { cause: error })
  }
}

function limitsOf({ Spawner: spawner }: Config): ServerLimits {
  const { memLimitBytes, memGuaranteeBytes, cpuLimitCores, cpuGuaranteeCores } = spawner
  return {
    ...(memLimitBytes && { memLimitBytes }),
    ...(memGuaranteeBytes && { memGuaranteeBytes }),
    ...(cpuLimitCores && { cpuLimitCores }),
    ...(cpuGuaranteeCores && { cpuGuaranteeCores }),
  }
}

function throttleRange(config: Config): readonly [number, number] {
  const { webSettings: web, spawnThrottleRetryRangeMs } = config.JupyterHub
  const [low, high] = web.spawnThrottleRetryRange ?? spawnThrottleRetryRangeMs
  return [low / 1000, high / 1000]
}

function cookieOptionsOf(config: Config): JsonObject {
  return (config.JupyterHub.webSettings.cookieOptions ?? {}) as JsonObject
}

/** Tornado's names for what we know of; others have no meaning here. */
function cookieAttributes(options: JsonObject): SessionConfig['cookieOptions'] {
  const { secure, httponly, domain, samesite } = options
  return {
    ...(typeof secure === 'boolean' && { secure }),
    ...(typeof httponly === 'boolean' && { httpOnly: httponly }),
    ...(typeof domain === 'string' && { domain }),
    ...(typeof samesite === 'string' && { sameSite: samesite }),
  } as SessionConfig['cookieOptions']
}

function keptEnvironment(
  names: readonly string[],
  env: SettingsInput['env'],
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = env[name]
      return value === undefined ? [] : [[name, value] as const]
    }),
  )
}

function optionsReader(kind: 'passthrough' | 'simple'): (fields: JsonObject) => JsonObject {
  return kind === 'simple' ? simplifyForm : (fields) => fields
}

/** One-element lists become their element, `"on"` becomes true. Source: contract spawners §4.2. */
function simplifyForm(form: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(form).map(([name, value]) => {
      if (!Array.isArray(value) || value.length !== 1) return [name, value]
      const [only] = value as readonly Json[]
      return [name, only === 'on' ? true : only]
    }),
  )
}
