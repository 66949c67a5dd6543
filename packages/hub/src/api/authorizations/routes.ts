import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Principal } from '../../access/principal.ts'
import { HubError } from '../../domain/errors.ts'
import { findUserById } from '../../storage/users.ts'
import { type Caller, callerOf } from '../authorize.ts'
import type { ApiApp, ApiDeps } from '../context.ts'
import { Viewer } from '../permissions.ts'
import { ServiceModel } from '../services/schemas.ts'
import { loadServiceView } from '../services/views.ts'
import { answer, errors } from '../shared-schemas.ts'
import { loadUserRecord } from '../users/queries.ts'
import { UserModel } from '../users/schemas.ts'
import { viewUser } from '../users/views.ts'

const tags = ['authorizations']
const maxCookieBytes = 8_192

/**
 * What services older than JupyterHub 2 resolve tokens and cookies with.
 * Source: contract rest-api §10.6.
 */
export function registerAuthorizationRoutes(app: ApiApp, deps: ApiDeps): void {
  registerToken(app, deps)
  registerRemoved(app)
  registerCookie(app, deps, '/authorizations/cookie/:cookie_name')
  registerCookie(app, deps, '/authorizations/cookie/:cookie_name/:cookie_value')
}

function registerToken(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/authorizations/token/:token',
    {
      config: { access: { kind: 'token' } },
      schema: {
        operationId: 'resolveToken',
        summary: 'Whose token it is',
        description: 'Use `GET /user` with that token.',
        deprecated: true,
        tags,
        params: Type.Object({ token: Type.String() }),
        response: {
          200: answer(Type.Union([UserModel, ServiceModel]), 'The owner.'),
          ...errors(403, 404),
        },
      },
    },
    async (request) => {
      const owner = await deps.principals.findByToken(request.params.token)
      if (owner === undefined) throw new HubError('token_not_found')
      deps.recordActivity(owner)
      const { principal, membership } = callerOf(request)
      return viewOwner(deps, owner, Viewer.ofAnother(principal, owner, membership))
    },
  )
}

function viewOwner(deps: ApiDeps, owner: Principal, viewer: Viewer) {
  return owner.kind === 'service'
    ? loadServiceView(deps, owner, viewer)
    : viewUserById(deps, owner.id, viewer)
}

function registerRemoved(app: ApiApp): void {
  app.post(
    '/authorizations/token',
    {
      config: { access: { kind: 'public' } },
      schema: { hide: true },
    },
    async () => {
      throw new HubError('not_found', {
        message: 'POST /authorizations/token is gone. Use POST /users/:user/tokens instead.',
      })
    },
  )
}

function registerCookie(app: ApiApp, deps: ApiDeps, url: string): void {
  const hasValue = url.endsWith(':cookie_value')
  app.get(
    url,
    {
      config: { access: { kind: 'token' } },
      schema: {
        operationId: hasValue ? 'resolveCookie' : 'resolveCookieInBody',
        summary: 'Whose login cookie it is',
        description: 'Use OAuth.',
        deprecated: true,
        tags,
        params: Type.Object({
          cookie_name: Type.String(),
          ...(hasValue && { cookie_value: Type.String() }),
        }),
        response: { 200: answer(UserModel, 'The user.'), ...errors(403, 404, 413) },
      },
    },
    async (request) => {
      const { cookie_name: name, cookie_value: inPath } = request.params as CookieParams // from the router
      const value = inPath ?? (await readBody(request))
      const owner = await deps.sessions.findByCookieValue(name, value)
      if (owner === undefined) throw new HubError('not_found', { message: 'No such cookie' })
      deps.recordActivity(owner)
      const caller: Caller = callerOf(request)
      return viewUserById(deps, owner.id, caller.viewer)
    },
  )
}

interface CookieParams {
  readonly cookie_name: string
  readonly cookie_value?: string
}

async function viewUserById(deps: ApiDeps, id: number, viewer: Viewer): Promise<UserModel> {
  const user = await findUserById(deps.store.db, id)
  if (user === undefined) throw new HubError('not_found')
  const record = await loadUserRecord(deps.store, user)
  return viewUser(record, { viewer, settings: deps.settings, includeStopped: false }) ?? {}
}

/** Bodies of GET are not parsed, and this one is no JSON. */
async function readBody(request: FastifyRequest): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request.raw) {
    chunks.push(Buffer.from(chunk as Buffer)) // no encoding is set
    size += chunks.at(-1)?.length ?? 0
    if (size > maxCookieBytes) throw new HubError('payload_too_large')
  }
  return Buffer.concat(chunks).toString('utf8').trim()
}
