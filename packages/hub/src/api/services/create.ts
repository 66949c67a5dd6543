import type { ScopeRules } from '../../access/scope-rules.ts'
import { HubError } from '../../domain/errors.ts'
import { shorten } from '../../domain/names.ts'
import type { Service } from '../../domain/records.ts'
import { findServiceProblem, type ServiceDefinition } from '../../domain/service-definition.ts'
import { defaultRoles } from '../../rbac/roles.ts'
import { toScopeStrings } from '../../rbac/scope-set.ts'
import { registerService, unregisterService } from '../../services/register-service.ts'
import { setRoleMembers } from '../../storage/access.ts'
import { recordAudit } from '../../storage/audit.ts'
import { findService, findServiceById } from '../../storage/services.ts'
import type { JsonObject } from '../../util/json.ts'
import type { Caller } from '../authorize.ts'
import { actorOf, type ApiDeps } from '../context.ts'
import type { CreateServiceBody } from './schemas.ts'

/**
 * Creates a service that somebody else runs; it stays until it is deleted.
 * Differs from JupyterHub: nothing is left of a creation that fails, and what is wrong is a 400 (D16);
 * the caller must hold what the service gets by the token at hand, not by its owner's roles alone.
 * Source: contract rest-api §10.2, in the order of its steps.
 */
export async function createService(
  deps: ApiDeps,
  caller: Caller,
  input: { name: string; body: CreateServiceBody },
): Promise<Service> {
  const service = toDefinition(input.name, input.body)
  requireHeldScopes(deps, caller, service)
  if (service.command.length > 0) {
    const message = `Can not create managed service ${shorten(service.name, 100)} at runtime`
    throw new HubError('service_invalid', { message })
  }
  const problem = findServiceProblem(service)
  if (problem !== undefined) throw new HubError('service_invalid', { message: problem })
  return deps.store.write(async (tx) => {
    const now = deps.now()
    const { baseUrl, subdomains, trustTokens } = deps.settings
    const options = { baseUrl, subdomains, trustTokens, fromConfig: false, now }
    const id = await registerService(tx, service, options)
    if (service.admin) {
      await setRoleMembers(tx, { role: 'admin', kind: 'service', ids: [id], add: true })
    }
    const actor = actorOf(caller.principal)
    await recordAudit(tx, { actor, action: 'service.create', subject: service.name }, now)
    const created = await findServiceById(tx.db, id)
    if (created === undefined) throw new TypeError('a service that was just created is there')
    return created
  })
}

/** Ends a service that was created through the API, with its tokens, sessions and route. */
export async function removeService(deps: ApiDeps, caller: Caller, name: string): Promise<void> {
  const actor = actorOf(caller.principal)
  await deps.store.write(async (tx) => {
    const service = await findService(tx.db, name)
    if (service === undefined) {
      const message = `Service ${shorten(name, 100)} does not exist`
      throw new HubError('service_not_found', { message })
    }
    if (service.fromConfig) {
      const message = `Service ${shorten(name, 100)} is not modifiable at runtime`
      throw new HubError('service_not_modifiable', { message })
    }
    await unregisterService(tx, service, deps.settings)
    await recordAudit(tx, { actor, action: 'service.delete', subject: name }, deps.now())
  })
}

export function serviceExists(name: string): HubError {
  return new HubError('service_exists', { message: `Service ${shorten(name, 100)} already exists` })
}

export function serviceNotFound(name: string): HubError {
  return new HubError('service_not_found', { message: `No such service: ${shorten(name, 100)}` })
}

function toDefinition(name: string, body: CreateServiceBody): ServiceDefinition {
  return {
    name,
    admin: body.admin ?? false,
    url: body.url ?? '',
    command: body.command ?? [],
    info: (body.info ?? {}) as JsonObject, // it came as JSON
    display: body.display ?? true,
    apiToken: body.api_token || undefined,
    oauthClientAllowedScopes: body.oauth_client_allowed_scopes ?? [],
    oauthNoConfirm: body.oauth_no_confirm ?? false,
    oauthClientId: body.oauth_client_id || undefined,
    oauthRedirectUri: body.oauth_redirect_uri || undefined,
  }
}

const adminScopes = defaultRoles.find((role) => role.name === 'admin')?.scopes ?? []

/**
 * What a scope of the OAuth client comes to: of whoever visits, administrators among them, and not
 * of the caller. Differs from JupyterHub, where `inherit`, `self` and a bare `!user` are free.
 */
function ofAnyVisitor(rules: ScopeRules, scope: string): readonly string[] {
  if (scope === 'inherit') return adminScopes
  if (scope === 'self') return [...rules.expand(['self'], { owner: anybody }).keys()]
  return [scope.replace(/!user$/, '')]
}

const anybody = { kind: 'user', name: '' } as const

/** Nobody makes a service that may do, or may be allowed, more than they may themselves. */
function requireHeldScopes(deps: ApiDeps, caller: Caller, service: ServiceDefinition): void {
  const { rules } = deps
  const { principal, membership } = caller
  const { admin, oauthClientAllowedScopes } = service
  const unknown = oauthClientAllowedScopes.filter((scope) => !rules.isScope(scope))
  if (unknown.length > 0) {
    throw new HubError('service_invalid', {
      message: shorten(`No such scopes: ${unknown.join(', ')}`),
    })
  }
  const asked = [
    ...(admin ? adminScopes : []),
    ...oauthClientAllowedScopes.flatMap((scope) => ofAnyVisitor(rules, scope)),
  ]
  const { kind, name } = principal
  const wanted = rules.expand(asked, { owner: { kind, name } })
  const had = new Set(toScopeStrings(rules.intersect(wanted, principal.scopes, membership)))
  const excess = toScopeStrings(wanted).filter((scope) => !had.has(scope))
  if (excess.length === 0) return
  throw new HubError('service_invalid', {
    message: shorten(
      `Not assigning requested scopes ${excess.join(', ')}: not held by ${kind} ${name}`,
    ),
  })
}
