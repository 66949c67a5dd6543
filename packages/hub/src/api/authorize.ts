import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Membership, Principal } from '../access/principal.ts'
import { HubError } from '../domain/errors.ts'
import type { RequestIdentity } from '../web/identify.ts'
import { type BodyRule, ignoreContentType } from './body.ts'
import type { ApiDeps } from './context.ts'
import { noteMultipart } from './multipart.ts'
import { decideAccess, type RouteResource, Viewer } from './permissions.ts'

/**
 * Who may call a route. Declared as data: one hook enforces it, the API description shows it.
 * `resource` says which filter the caller must satisfy: that of what `:name` in the path names (for
 * a server, with `:server_name`), `none` for an unfiltered scope, `list` where the handler narrows
 * the result itself.
 * Source: contract rest-api §3, scopes-and-roles §2.1.
 */
export type RouteAccess =
  | { readonly kind: 'public' }
  | { readonly kind: 'identified' }
  /** Any valid token; a login cookie is not enough. */
  | { readonly kind: 'token' }
  | {
      readonly kind: 'scopes'
      readonly anyOf: readonly string[]
      readonly resource: 'user' | 'server' | 'group' | 'service' | 'none' | 'list'
    }
  /** Decided by the handler after the body, and documented as needing `anyOf`. */
  | { readonly kind: 'in-handler'; readonly anyOf: readonly string[] }
  /** The secret that edges share with the hub. */
  | { readonly kind: 'edge' }

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Routes without it are refused: nothing is open by omission. */
    access?: RouteAccess
    body?: BodyRule
    /** Looked at before the body is: 404 and 409 come first. */
    checkFirst?: (request: FastifyRequest) => Promise<void>
    /** Looked at once the body is JSON and before its fields are. */
    checkParsed?: (request: FastifyRequest) => Promise<void>
    /** Set on the routes that answer for methods which a path does not have. */
    methodNotAllowed?: boolean
  }
  interface FastifyRequest {
    caller: Caller | null
  }
}

/** The principal of a request that passed its route's check, with what it may see. */
export interface Caller {
  readonly principal: Principal
  readonly membership: Membership
  readonly viewer: Viewer
}

/** Identifies the caller and decides, before the body is read. */
export async function authorize(
  deps: Pick<ApiDeps, 'sessions' | 'principals'>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { config } = request.routeOptions
  const access = config.access
  request.query = lastValues(request.query)
  noteMultipart(request)
  if (access?.kind === 'public' || access?.kind === 'edge') return ignoreContentType(request)
  const identity = await deps.sessions.identify({
    request,
    reply,
    accept: 'token-or-cookie',
    requireJsonPost: true,
  })
  request.identity = identity
  ignoreContentType(request)
  if (access?.kind === 'in-handler') return
  deps.sessions.checkXsrf(request, identity, 'api')
  if (config.methodNotAllowed === true) throw new HubError('method_not_allowed')
  if (access === undefined) throw new HubError('forbidden')
  const caller = await toCaller(deps, identity)
  if (access.kind === 'token' && identity.via !== 'token') throw new HubError('forbidden')
  request.caller = caller
  if (access.kind === 'scopes') requireAccess(caller, access.anyOf, resourceOf(request, access))
}

/** Whether a request that {@link authorize} let pass would pass now: answers that last ask again. */
export async function isStillAllowed(
  deps: Pick<ApiDeps, 'sessions' | 'principals'>,
  request: FastifyRequest,
): Promise<boolean> {
  const { access } = request.routeOptions.config
  const { identity } = request
  const principal =
    identity === null ? undefined : await deps.sessions.identifyAgain(request, identity)
  if (principal === undefined || access?.kind !== 'scopes') return principal !== undefined
  const membership = await deps.principals.loadMembership()
  const caller = { principal, membership }
  return decideAccess(caller, access.anyOf, resourceOf(request, access)) === 'allowed'
}

/** @throws HubError `credentials_missing` for an anonymous request */
export async function toCaller(
  deps: Pick<ApiDeps, 'principals'>,
  identity: RequestIdentity,
): Promise<Caller> {
  const { principal } = identity
  if (principal === undefined) throw new HubError('credentials_missing')
  const membership = await deps.principals.loadMembership()
  return { principal, membership, viewer: new Viewer(principal.scopes, membership) }
}

/** The caller of a request that {@link authorize} let pass. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new TypeError('the route declares no access check')
  return request.caller
}

/** Source: contract rest-api §3, scopes-and-roles §8.2. */
function requireAccess(caller: Caller, anyOf: readonly string[], resource: RouteResource): void {
  const outcome = decideAccess(caller, anyOf, resource)
  if (outcome === 'hidden') throw new HubError('resource_hidden')
  if (outcome === 'denied') {
    throw new HubError('scope_missing', {
      message: `Action is not authorized with current scopes; requires any of [${anyOf.join(', ')}]`,
    })
  }
}

function resourceOf(
  request: FastifyRequest,
  access: Extract<RouteAccess, { kind: 'scopes' }>,
): RouteResource {
  switch (access.resource) {
    case 'user':
      return { kind: 'user', user: paramOf(request, 'name') }
    case 'group':
      return { kind: 'group', group: paramOf(request, 'name') }
    case 'service':
      return { kind: 'service', service: paramOf(request, 'name') }
    case 'server':
      return {
        kind: 'server',
        user: paramOf(request, 'name'),
        server: paramOf(request, 'server_name', ''),
      }
    case 'none':
    case 'list':
      return { kind: access.resource }
  }
}

/** A variable of the path, decoded. */
export function paramOf(request: FastifyRequest, name: string, missing?: string): string {
  const params = request.params as Readonly<Record<string, string>> // from the router
  const value = params[name] ?? missing
  if (value === undefined) throw new TypeError(`the path has no :${name}`)
  return value
}

/** Repeated query keys: the last value counts, without white space around it. */
function lastValues(query: unknown): Record<string, string> {
  const values: Record<string, string> = {}
  if (typeof query !== 'object' || query === null) return values
  for (const [key, value] of Object.entries(query)) {
    const last: unknown = Array.isArray(value) ? value.at(-1) : value
    if (key !== '__proto__' && typeof last === 'string') values[key] = last.trim()
  }
  return values
}
