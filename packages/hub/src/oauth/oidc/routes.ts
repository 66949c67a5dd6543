import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { identityScopes } from '../../domain/identity-scopes.ts'
import { listGroupNamesOf } from '../../storage/access.ts'
import { findTokenById } from '../../storage/tokens.ts'
import { findUserById } from '../../storage/users.ts'
import { tokenOf } from '../../web/identify.ts'
import type { OAuthDeps } from '../routes.ts'
import { claimsOf, supportedClaims } from './claims.ts'
import { issuerOf, issuerPath } from './issuer.ts'
import { signingAlgorithm, type SigningKeys } from './signing-keys.ts'

/**
 * Discovery, keys and userinfo of the hub as OpenID Connect provider. The two documents are public;
 * nothing is opened to scripts of other origins.
 * Source: OpenID Connect Discovery 1.0 §4, Core 1.0 §5.3; RFC 8414 §3 (the path at the origin).
 */
export function registerOpenIdConnect(
  app: FastifyInstance,
  deps: OAuthDeps,
  keys: SigningKeys,
): void {
  const path = issuerPath(deps.settings.hubPrefix)
  const discovery = (request: FastifyRequest) => discoveryDocument(request, deps)
  app.get(`${path}/.well-known/openid-configuration`, async (request) => discovery(request))
  app.get(`/.well-known/openid-configuration${path}`, async (request) => discovery(request))
  app.get(`/.well-known/oauth-authorization-server${path}`, async (request) => discovery(request))
  app.get(`${path}/jwks.json`, async () => keys.publicKeySet())
  app.route({
    method: ['GET', 'POST'],
    url: `${path}/userinfo`,
    exposeHeadRoute: false,
    handler: (request, reply) => userinfo(request, reply, deps),
  })
}

function discoveryDocument(request: FastifyRequest, { sessions, settings }: OAuthDeps) {
  const issuer = issuerOf(request, sessions.config)
  const origin = new URL(issuer).origin
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/jwks.json`,
    end_session_endpoint: `${origin}${settings.hubPrefix}logout`,
    scopes_supported: identityScopes,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [signingAlgorithm],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    code_challenge_methods_supported: ['S256', 'plain'],
    prompt_values_supported: ['none', 'consent'],
    claims_supported: ['iss', 'aud', 'exp', 'iat', 'auth_time', 'nonce', ...supportedClaims],
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
  }
}

/** Source: OpenID Connect Core 1.0 §5.3; RFC 6750 §3. */
async function userinfo(request: FastifyRequest, reply: FastifyReply, deps: OAuthDeps) {
  const { store, principals } = deps
  const value = tokenOf(request)
  if (value === undefined) return challenge(reply, 401, undefined)
  const principal = await principals.findByToken(value)
  const token = principal?.token && (await findTokenById(store.db, principal.token.id))
  if (principal?.kind !== 'user' || token === undefined) {
    return challenge(reply, 401, 'invalid_token')
  }
  if (!token.scopes.includes('openid')) return challenge(reply, 403, 'insufficient_scope')
  const user = await findUserById(store.db, principal.id)
  if (user === undefined) return challenge(reply, 401, 'invalid_token')
  const groups = (await listGroupNamesOf(store.db, [user.id])).get(user.id) ?? []
  return claimsOf({ user, groups, scopes: token.scopes })
}

function challenge(reply: FastifyReply, status: 401 | 403, error: string | undefined) {
  const details = error === 'insufficient_scope' ? `error="${error}", scope="openid"` : ''
  const text = details || (error === undefined ? '' : `error="${error}"`)
  void reply.code(status).header('www-authenticate', `Bearer ${text}`.trim())
  return error === undefined ? {} : { error }
}
