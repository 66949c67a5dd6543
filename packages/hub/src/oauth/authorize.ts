import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ClientTarget, findClientTarget } from '../access/client-target.ts'
import type { Principal } from '../access/principal.ts'
import { HubError } from '../domain/errors.ts'
import { findRole } from '../storage/access.ts'
import { holdBrowserSession } from '../storage/browser-sessions.ts'
import { createOAuthCode, findOAuthClient } from '../storage/oauth.ts'
import { findServiceById } from '../storage/services.ts'
import { newOAuthSecret } from '../storage/token-hash.ts'
import { listTokensOfUser } from '../storage/tokens.ts'
import type { RequestIdentity } from '../web/identify.ts'
import { renderPage } from '../web/layout.ts'
import {
  type AuthorizeCheck,
  type AuthorizeRequest,
  checkAuthorizeRequest,
  errorRedirect,
  redirectWith,
} from './authorize-request.ts'
import { needsConfirmation, renderConfirmation } from './confirmation.ts'
import { formOf } from './form-body.ts'
import { type FormFields, parseForm } from './form.ts'
import {
  isAuthenticationRequest,
  isTooOld,
  readAuthenticationRequest,
} from './oidc/authentication-request.ts'
import type { OAuthDeps } from './routes.ts'
import { resolveGrant } from './scopes.ts'

interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** A well-formed request of a user who may enter what the client stands for. */
interface Grant {
  readonly request: AuthorizeRequest
  readonly target: ClientTarget
  readonly user: Principal
  readonly scopes: readonly string[]
}

/** Source: contract single-user-and-services §5.5. */
const codeLifetimeMs = 300_000

/**
 * Answers GET (asks the user, or hands out a code at once) and POST (the user agreed). Everything
 * is checked on both, access included: it may be gone between question and answer.
 * @returns the body; status and headers are set on the reply
 */
export async function answerAuthorize(
  deps: OAuthDeps,
  exchange: Exchange,
  identity: RequestIdentity,
): Promise<string> {
  const { request, reply } = exchange
  const user = identity.principal
  const query = parseForm(queryOf(request))
  if (user?.kind !== 'user') {
    if (request.method !== 'GET') throw new HubError('forbidden')
    return redirect(reply, (await silentRefusal(deps, query)) ?? loginUrl(deps, request.url))
  }
  const checked = await checkRequest(deps, query)
  if (checked.kind === 'refused') throw new HubError('bad_request', { message: checked.message })
  if (checked.kind === 'redirect') return redirect(reply, errorRedirect(checked, checked.error))
  const openId = openIdRequest(query, checked.request)
  if (openId !== undefined && 'error' in openId) {
    return redirect(reply, errorRedirect(checked.request, openId))
  }
  if (openId !== undefined && isTooOld(openId, identity.signedInAt, deps.now())) {
    return redirect(reply, errorRedirect(checked.request, { error: 'login_required' }))
  }
  const confirmed = request.method === 'POST' ? postedScopes(request) : undefined
  const grant = await decideGrant(deps, { request: checked.request, user, confirmed })
  if (grant === undefined) {
    return redirect(reply, errorRedirect(checked.request, { error: 'invalid_scope' }))
  }
  if (confirmed === undefined && (openId?.askAgain === true || (await mustAsk(deps, grant)))) {
    if (openId?.silent !== true) return askUser(deps, { exchange, identity, grant })
    return redirect(reply, errorRedirect(checked.request, { error: 'consent_required' }))
  }
  const code = await issueCode(deps, { grant, identity, nonce: openId?.nonce ?? null })
  if (code === undefined) return redirect(reply, loginUrl(deps, request.url))
  return redirect(reply, redirectWith(checked.request, [['code', code]]))
}

function checkRequest(deps: OAuthDeps, query: FormFields | undefined): Promise<AuthorizeCheck> {
  return checkAuthorizeRequest(query, {
    findClient: (id) => findOAuthClient(deps.store.db, id),
    requirePkce: deps.requirePkce,
  })
}

function openIdRequest(query: FormFields | undefined, { scopes, client }: AuthorizeRequest) {
  if (query === undefined || !isAuthenticationRequest(scopes, client)) return undefined
  return readAuthenticationRequest(query)
}

/** Where a stranger is sent whom an OpenID Connect client does not want to be asked to sign in. */
async function silentRefusal(
  deps: OAuthDeps,
  query: FormFields | undefined,
): Promise<string | undefined> {
  if (query?.get('prompt') !== 'none') return undefined
  const checked = await checkRequest(deps, query)
  if (checked.kind !== 'ok' || openIdRequest(query, checked.request) === undefined) return undefined
  return errorRedirect(checked.request, { error: 'login_required' })
}

/**
 * @returns `undefined` for scopes that do not exist or exceed the client's
 * @throws HubError `forbidden` for users who may not enter, `internal` for a client of nothing
 */
async function decideGrant(
  deps: OAuthDeps,
  input: {
    request: AuthorizeRequest
    user: Principal
    /** What the user agreed to; `undefined` before that. */
    confirmed: readonly string[] | undefined
  },
): Promise<Grant | undefined> {
  const { principals, rules, store } = deps
  const { request, user } = input
  const { client } = request
  const target = await findClientTarget(store.db, client)
  if (target === undefined) {
    throw new HubError('internal', { message: 'This client belongs to no server or service.' })
  }
  const groupsOf = await principals.loadMembership()
  const scopes = await resolveGrant({
    requested: input.confirmed ?? request.scopes,
    client,
    target,
    user,
    userRawScopes: await principals.listRawScopes(user.id),
    groupsOf,
    rules,
    findRoleScopes: async (name) => (await findRole(store.db, name))?.scopes,
  })
  if (scopes === undefined) return undefined
  if (!rules.mayAccess(user.scopes, target, groupsOf)) {
    throw new HubError('forbidden', {
      message: `You do not have permission to access ${client.description}`,
    })
  }
  return { request, target, user, scopes }
}

async function mustAsk(deps: OAuthDeps, grant: Grant): Promise<boolean> {
  const { request, target, user, scopes } = grant
  return needsConfirmation({
    clientId: request.client.id,
    target,
    user,
    scopes,
    noConfirm: target.kind === 'service' && (await isNoConfirm(deps, target.serviceId)),
    tokens: await listTokensOfUser(deps.store.db, user.id),
    now: deps.now(),
  })
}

async function isNoConfirm(deps: OAuthDeps, serviceId: number): Promise<boolean> {
  return (await findServiceById(deps.store.db, serviceId))?.oauthNoConfirm === true
}

function askUser(
  deps: OAuthDeps,
  input: { exchange: Exchange; identity: RequestIdentity; grant: Grant },
): string {
  const { exchange, identity, grant } = input
  const xsrfToken = deps.sessions.issueXsrf(exchange, identity)
  const main = renderConfirmation({
    description: grant.request.client.description,
    target: grant.target,
    username: grant.user.name,
    scopes: grant.scopes,
    xsrfToken,
  })
  const user = { name: grant.user.name, isAdmin: grant.user.scopes.get('admin-ui') === 'all' }
  return renderPage(deps.settings, { title: 'Authorize access', main, user, xsrfToken })
}

/** @returns `undefined` when the browser session ended while the request was answered */
async function issueCode(
  deps: OAuthDeps,
  input: { grant: Grant; identity: RequestIdentity; nonce: string | null },
): Promise<string | undefined> {
  const { identity, nonce } = input
  const { request, user, scopes } = input.grant
  const { sessionId = '', signedInAt = null } = identity
  const code = newOAuthSecret()
  const now = deps.now()
  const expiresAt = new Date(now.getTime() + codeLifetimeMs)
  return deps.store.write(async (transaction) => {
    const session = { id: sessionId, userId: user.id, now }
    if (!(await holdBrowserSession(transaction, session))) return undefined
    await createOAuthCode(transaction, code, {
      clientId: request.client.id,
      userId: user.id,
      redirectUri: request.redirectUri,
      sessionId,
      scopes,
      codeChallenge: request.challenge?.challenge ?? null,
      codeChallengeMethod: request.challenge?.method ?? null,
      nonce,
      signedInAt,
      expiresAt,
    })
    return code
  })
}

/** None posted: identification only. */
function postedScopes(request: FastifyRequest): readonly string[] {
  const form = formOf(request)
  if (form === undefined) throw new HubError('bad_request', { message: 'Malformed form.' })
  return form.getAll('scopes')
}

function loginUrl(deps: OAuthDeps, next: string): string {
  return deps.loginUrl?.(next) ?? `${deps.settings.hubPrefix}login?next=${encodeURIComponent(next)}`
}

function redirect(reply: FastifyReply, url: string): string {
  reply.code(302).header('location', url)
  return ''
}

/** As the browser sent it, without `?`. */
function queryOf(request: FastifyRequest): string {
  const at = request.url.indexOf('?')
  return at === -1 ? '' : request.url.slice(at + 1)
}
