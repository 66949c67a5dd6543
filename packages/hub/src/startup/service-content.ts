import { ConfigError, HubError } from '../domain/errors.ts'
import type { ServiceDefinition } from '../domain/service-definition.ts'
import { serviceRoutespec } from '../domain/service-definition.ts'
import type { Place } from '../domain/urls.ts'
import {
  addServiceToken,
  registerService,
  type RegisterOptions,
  routeService,
  unregisterService,
} from '../services/register-service.ts'
import { findRole } from '../storage/access.ts'
import { listServiceRoutes, removeRoute } from '../storage/routes.ts'
import { findService, listServices } from '../storage/services.ts'
import type { WriteTransaction } from '../storage/store.ts'

export interface ConfiguredService extends ServiceDefinition {
  /** Role names whose scopes tokens of visitors may have: the form of JupyterHub 1 and 2. */
  readonly oauthRoles: readonly string[]
}

export interface ServiceContent extends Place {
  readonly services: readonly ConfiguredService[]
  /** Token value to service name. */
  readonly serviceTokens: Readonly<Record<string, string>>
  /** Configured tokens are long random values: spares the slow hash. */
  readonly trustTokens: boolean
}

/**
 * Brings the configured services into the database, with their OAuth clients, tokens and routes;
 * those that left the configuration go. Services made through the API stay, and their routes with
 * them, unless the configuration takes their name: then nothing of them is left.
 * @returns ids of all services by name
 * @throws ConfigError when two services cannot be side by side
 */
export async function loadServices(
  tx: WriteTransaction,
  content: ServiceContent,
  now: Date,
): Promise<Map<string, number>> {
  const { baseUrl, subdomains, trustTokens } = content
  const place = { baseUrl, subdomains }
  const options: RegisterOptions = { ...place, trustTokens, now, fromConfig: true }
  const configured = new Map(content.services.map((service) => [service.name, service]))
  const tokenNames = new Set(Object.values(content.serviceTokens))
  const ids = new Map<string, number>()
  for (const service of await listServices(tx.db, { kind: 'all' })) {
    const isConfigured = configured.has(service.name)
    const isNamed = isConfigured || tokenNames.has(service.name)
    if (service.fromConfig ? !isNamed : isConfigured) await unregisterService(tx, service, place)
    else {
      ids.set(service.name, service.id)
      await routeService(tx, service, place)
    }
  }
  for (const service of configured.values()) {
    ids.set(service.name, await registerConfigured(tx, service, options))
  }
  for (const [value, name] of Object.entries(content.serviceTokens)) {
    const id = ids.get(name) ?? (await registerService(tx, tokenOwner(name), options))
    ids.set(name, id)
    await addServiceToken(tx, { serviceId: id, value, options })
  }
  await removeStrayRoutes(tx, place)
  return ids
}

async function registerConfigured(
  tx: WriteTransaction,
  service: ConfiguredService,
  options: RegisterOptions,
): Promise<number> {
  const oauthClientAllowedScopes = await allowedScopes(tx, service)
  try {
    return await registerService(tx, { ...service, oauthClientAllowedScopes }, options)
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'service_invalid') throw error
    throw new ConfigError(`JupyterHub.services: '${service.name}': ${error.message}`, {
      cause: error,
    })
  }
}

/** Scopes win over roles. Source: JupyterHub 6.1, `oauth_roles`. */
async function allowedScopes(
  tx: WriteTransaction,
  service: ConfiguredService,
): Promise<readonly string[]> {
  const { oauthClientAllowedScopes: scopes, oauthRoles } = service
  if (scopes.length > 0) return scopes
  const found = new Set<string>()
  for (const name of oauthRoles) {
    const role = await findRole(tx.db, name)
    if (role === undefined) {
      throw new ConfigError(
        `JupyterHub.services gives '${service.name}' the oauth_roles entry '${name}', which is no ` +
          'role. Use oauth_client_allowed_scopes, which names scopes.',
      )
    }
    for (const scope of role.scopes) found.add(scope)
  }
  return [...found]
}

/** A service of which only a token is configured. */
function tokenOwner(name: string): ServiceDefinition {
  return {
    name,
    admin: false,
    url: '',
    command: [],
    info: {},
    display: true,
    apiToken: undefined,
    oauthClientAllowedScopes: [],
    oauthNoConfirm: false,
    oauthClientId: undefined,
    oauthRedirectUri: undefined,
  }
}

/** Left by a base URL or host names that have changed. */
async function removeStrayRoutes(tx: WriteTransaction, place: Place): Promise<void> {
  for (const { routespec, data } of await listServiceRoutes(tx.db)) {
    const name = typeof data['service'] === 'string' ? data['service'] : ''
    const service = await findService(tx.db, name)
    const isRight = service !== undefined && routespec === serviceRoutespec(place, name)
    if (!isRight) await removeRoute(tx, routespec)
  }
}
