import type { FastifyRequest } from 'fastify'
import type { Principal } from '../../access/principal.ts'
import { HubError } from '../../domain/errors.ts'
import type { User } from '../../domain/records.ts'
import { noScopes } from '../../rbac/scope-set.ts'
import { recordAudit } from '../../storage/audit.ts'
import {
  deleteTokens,
  findTokenById,
  hubClientId,
  listTokensOfUser,
  type StoredToken,
} from '../../storage/tokens.ts'
import { findUser, getUser } from '../../storage/users.ts'
import type { Json } from '../../util/json.ts'
import { callerOf, toCaller } from '../authorize.ts'
import { actorOf, type ApiApp, type ApiDeps, sendEmpty } from '../context.ts'
import { answer, emptyAnswer, errors, UserParams } from '../shared-schemas.ts'
import { issueToken } from './create.ts'
import { EffectiveScopes } from './effective.ts'
import { CreateBody, NewTokenModel, TokenListModel, TokenModel, TokenParams } from './schemas.ts'
import { parseWireTokenId, viewToken } from './views.ts'

const tags = ['tokens']

export function registerTokenRoutes(app: ApiApp, deps: ApiDeps): void {
  registerList(app, deps)
  registerCreate(app, deps)
  registerGet(app, deps)
  registerDelete(app, deps)
}

function registerList(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/users/:name/tokens',
    {
      config: { access: { kind: 'scopes', anyOf: ['read:tokens'], resource: 'user' } },
      schema: {
        operationId: 'listTokens',
        summary: "List a user's tokens",
        tags,
        params: UserParams,
        response: { 200: answer(TokenListModel, 'By last use.'), ...errors(403, 404) },
      },
    },
    async (request) => {
      const { store } = deps
      const user = await getUser(store.db, request.params.name)
      const now = deps.now()
      const tokens = await listTokensOfUser(store.db, user.id)
      const isExpired = ({ expiresAt }: StoredToken) => expiresAt !== null && expiresAt < now
      if (tokens.some(isExpired)) {
        await store.write((tx) => deleteTokens(tx, { userId: user.id, expiredAt: now }))
      }
      const effective = await effectiveScopesOf(deps, user)
      const models: TokenModel[] = []
      for (const token of tokens) {
        if (!isExpired(token)) {
          models.push(viewToken(token, await effective.of(store.db, token)))
        }
      }
      return { api_tokens: models }
    },
  )
}

function registerCreate(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/users/:name/tokens',
    {
      config: {
        access: { kind: 'in-handler', anyOf: ['tokens'] },
        body: 'optional',
        checkParsed: (request) => identifyRequester(deps, request),
      },
      schema: {
        operationId: 'createToken',
        summary: 'Create a token for a user',
        description:
          'The token may never do more than its owner. Without other credentials, `auth` in the ' +
          'body is handed to the authenticator.',
        tags,
        params: UserParams,
        body: CreateBody,
        response: { 201: answer(NewTokenModel, 'The token.'), ...errors(400, 403) },
      },
    },
    async (request, reply) => {
      const { principal, membership } = callerOf(request)
      const owner = await getUser(deps.store.db, request.params.name)
      const { token, secret } = await issueToken(deps, {
        requester: principal,
        owner,
        ownerPrincipal: await principalOf(deps, owner),
        membership,
        body: request.body,
      })
      const effective = await effectiveScopesOf(deps, owner)
      void reply.code(201)
      return { ...viewToken(token, await effective.of(deps.store.db, token)), token: secret }
    },
  )
}

/**
 * Who asks for a token, and whether they may: after the body is JSON, before its fields count.
 * Source: contract rest-api §9.1, steps 2-5.
 */
async function identifyRequester(deps: ApiDeps, request: FastifyRequest): Promise<void> {
  const { body, identity } = request
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new HubError('bad_request', { message: 'body must be object' })
  }
  if (identity === null) throw new TypeError('identified before')
  if (identity.principal === undefined) {
    const principal = await principalOfCredentials(deps, request, body)
    request.caller = await toCaller(deps, { ...identity, principal })
  } else {
    if (identity.via === 'cookie') deps.sessions.checkXsrf(request, identity, 'api')
    request.caller = await toCaller(deps, identity)
  }
  const { name } = request.params as { name: string } // the path has it
  const known = (await findUser(deps.store.db, name)) !== undefined
  if (!known || !callerOf(request).viewer.coversUser('tokens', name)) {
    throw new HubError('forbidden')
  }
}

async function principalOfCredentials(
  deps: ApiDeps,
  request: FastifyRequest,
  body: object,
): Promise<Principal> {
  const auth = 'auth' in body ? body.auth : undefined
  if (auth === undefined || auth === null) throw new HubError('credentials_missing')
  const username = await deps.authenticateCredentials(auth as Json, request) // parsed JSON
  const user = username === undefined ? undefined : await findUser(deps.store.db, username)
  const principal = user && (await deps.principals.findUserById(user.id))
  if (principal === undefined) throw new HubError('login_refused')
  return principal
}

function registerGet(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/users/:name/tokens/:token_id',
    {
      config: { access: { kind: 'scopes', anyOf: ['read:tokens'], resource: 'user' } },
      schema: {
        operationId: 'getToken',
        summary: 'Get a token',
        tags,
        params: TokenParams,
        response: { 200: answer(TokenModel, 'The token.'), ...errors(403, 404) },
      },
    },
    async (request) => {
      const { user, token } = await loadToken(deps, request.params)
      const effective = await effectiveScopesOf(deps, user)
      return viewToken(token, await effective.of(deps.store.db, token))
    },
  )
}

function registerDelete(app: ApiApp, deps: ApiDeps): void {
  app.delete(
    '/users/:name/tokens/:token_id',
    {
      config: { access: { kind: 'scopes', anyOf: ['tokens'], resource: 'user' } },
      schema: {
        operationId: 'deleteToken',
        summary: 'Revoke a token',
        description: "A token of an OAuth client takes the user's other tokens of it along.",
        tags,
        params: TokenParams,
        response: { 204: emptyAnswer('The token is gone.'), ...errors(403, 404) },
      },
    },
    async (request, reply) => {
      const { principal } = callerOf(request)
      const { user, token } = await loadToken(deps, request.params)
      const isPlain = token.clientId === hubClientId
      const now = deps.now()
      await deps.store.write(async (tx) => {
        await deleteTokens(tx, {
          userId: user.id,
          ...(isPlain ? { id: token.id } : { clientId: token.clientId }),
        })
        const data = { token: token.id, client: token.clientId }
        const actor = actorOf(principal)
        await recordAudit(tx, { actor, action: 'token.delete', subject: user.name, data }, now)
      })
      return sendEmpty(reply, 204)
    },
  )
}

/** The same 404 for a malformed id, an unknown token and somebody else's. */
async function loadToken(
  deps: ApiDeps,
  params: { readonly name: string; readonly token_id: string },
): Promise<{ user: User; token: StoredToken }> {
  const user = await getUser(deps.store.db, params.name)
  const id = parseWireTokenId(params.token_id)
  const token = id === undefined ? undefined : await findTokenById(deps.store.db, id)
  if (token === undefined || token.owner.kind !== 'user' || token.owner.id !== user.id) {
    throw new HubError('token_not_found')
  }
  return { user, token }
}

/** Tokens of disabled users may do nothing. */
async function effectiveScopesOf(deps: ApiDeps, user: User): Promise<EffectiveScopes> {
  const groupsOf = await deps.principals.loadMembership()
  const owner = await deps.principals.findUserById(user.id)
  const nothing = { kind: 'user', name: user.name, scopes: noScopes } as const
  return new EffectiveScopes(deps.rules, owner ?? nothing, groupsOf)
}

async function principalOf(deps: ApiDeps, user: User): Promise<Principal> {
  const principal = await deps.principals.findUserById(user.id)
  if (principal === undefined)
    throw new HubError(user.disabled ? 'user_disabled' : 'user_not_found')
  return principal
}
