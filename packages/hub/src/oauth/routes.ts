import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Principals } from '../access/principal.ts'
import type { ScopeRules } from '../access/scope-rules.ts'
import { sendApiError } from '../api/errors.ts'
import { HubError } from '../domain/errors.ts'
import type { Store } from '../storage/store.ts'
import { sendErrorPage } from '../web/error-page.ts'
import { decorateIdentity, type Sessions } from '../web/identify.ts'
import { setPageHeaders } from '../web/layout.ts'
import type { WebSettings } from '../web/web-deps.ts'
import { answerAuthorize } from './authorize.ts'
import { basicCredentials } from './basic-credentials.ts'
import { ClientAuthenticator } from './client-authentication.ts'
import { formOf, useFormParser } from './form-body.ts'
import { createIdToken } from './oidc/id-token.ts'
import { issuerOf } from './oidc/issuer.ts'
import { registerOpenIdConnect } from './oidc/routes.ts'
import { SigningKeys } from './oidc/signing-keys.ts'
import { exchangeCode, type ExchangeResult } from './token.ts'

export interface OAuthDeps {
  readonly store: Store
  readonly principals: Principals
  readonly rules: ScopeRules
  readonly sessions: Sessions
  readonly settings: WebSettings
  /** `oauth_token_expires_in`; 0 is for ever. */
  readonly tokenExpiresInSeconds: number
  /** `oauth_require_pkce` */
  readonly requirePkce: boolean
  /** Where strangers sign in instead of at the login page (`auto_login_oauth2_authorize`). */
  readonly loginUrl?: (next: string) => string | undefined
  readonly now: () => Date
}

const otherMethods = ['HEAD', 'PUT', 'PATCH', 'DELETE'] as const

/**
 * The hub as OAuth 2 provider: `{hub}api/oauth2/authorize` for browsers, `…/token` for servers and
 * services. Source: contract single-user-and-services §5, rest-api §11.
 */
export async function registerOAuth(app: FastifyInstance, deps: OAuthDeps): Promise<void> {
  decorateIdentity(app)
  const prefix = `${deps.settings.hubPrefix}api/oauth2/`
  await app.register(async (pages) => registerAuthorize(pages, `${prefix}authorize`, deps))
  const { store, now, sessions } = deps
  const keys = new SigningKeys({ store, now, cookieSecret: sessions.config.cookieSecret })
  await app.register(async (api) => {
    prepareApi(api, deps)
    registerToken(api, { url: `${prefix}token`, deps, keys })
    registerOpenIdConnect(api, deps, keys)
  })
}

function registerAuthorize(app: FastifyInstance, url: string, deps: OAuthDeps): void {
  const { settings } = deps
  useFormParser(app)
  app.addHook('onRequest', async (_request, reply) => setPageHeaders(reply, settings))
  app.setErrorHandler((error, request, reply) => sendErrorPage(settings, { error, request, reply }))
  app.route({
    method: ['GET', 'POST', 'OPTIONS', ...otherMethods],
    url,
    exposeHeadRoute: false,
    handler: async (request, reply) => {
      const exchange = { request, reply }
      const identity = await deps.sessions.identify({ ...exchange, accept: 'cookie' })
      request.identity = identity
      deps.sessions.checkXsrf(request, identity, 'page')
      if (request.method !== 'GET' && request.method !== 'POST') {
        throw new HubError('method_not_allowed')
      }
      return reply.send(await answerAuthorize(deps, exchange, identity))
    },
  })
}

function prepareApi(app: FastifyInstance, deps: OAuthDeps): void {
  const { settings } = deps
  useFormParser(app)
  app.addHook('onRequest', async (_request, reply) => {
    setPageHeaders(reply, settings)
    setApiHeaders(reply, settings)
  })
  app.addHook('onSend', async (_request, reply, payload) => {
    // Fastify adds a charset to the type of text, which JSON has not.
    void reply.header('content-type', 'application/json')
    return payload
  })
  app.setErrorHandler((error, request, reply) => sendApiError(error, request, reply))
}

function registerToken(
  app: FastifyInstance,
  { url, deps, keys }: { url: string; deps: OAuthDeps; keys: SigningKeys },
): void {
  const { sessions, store, now } = deps
  const authenticator = new ClientAuthenticator(store, now)
  app.options(url, (_request, reply) => reply.send(''))
  app.route({
    method: ['GET', ...otherMethods],
    url,
    exposeHeadRoute: false,
    handler: () => {
      throw new HubError('method_not_allowed')
    },
  })
  app.post(url, async (request, reply) => {
    const identity = await sessions.identify({
      request,
      reply,
      accept: 'token-or-cookie',
      requireJsonPost: true,
    })
    request.identity = identity
    sessions.checkXsrf(request, identity, 'api')
    const result = await exchangeCode(formOf(request), {
      store,
      authenticator,
      address: identity.clientIp,
      tokenExpiresInSeconds: deps.tokenExpiresInSeconds,
      requirePkce: deps.requirePkce,
      basic: basicCredentials(request),
      idTokenFor: (code, accessToken) => {
        const issuer = issuerOf(request, sessions.config)
        return createIdToken({ code, accessToken, issuer, now: now() }, { store, keys })
      },
      now,
    })
    return sendExchange(reply, result)
  })
}

/** Source: contract single-user-and-services §5.6; RFC 6749 §5. */
function sendExchange(reply: FastifyReply, result: ExchangeResult): FastifyReply {
  void reply.header('pragma', 'no-cache')
  if (result.kind === 'ok') return reply.code(200).send(JSON.stringify(result.answer))
  if (result.kind === 'throttled') {
    return reply
      .code(429)
      .header('retry-after', result.retryAfterSeconds)
      .send(errorBody('invalid_client', 'Too many failed attempts.'))
  }
  const { error, description } = result.error
  if (result.status === 401) void reply.header('www-authenticate', `Bearer error="${error}"`)
  return reply.code(result.status).send(errorBody(error, description))
}

function errorBody(error: string, description: string | undefined): string {
  return JSON.stringify({ error, error_description: description })
}

function setApiHeaders(reply: FastifyReply, settings: WebSettings): void {
  const policy = `frame-ancestors 'none'; report-uri ${settings.hubPrefix}security/csp-report; default-src 'none'`
  void reply.headers({
    'content-security-policy': policy,
    ...settings.headers,
    'content-type': 'application/json',
    'cache-control': 'no-store',
  })
}
