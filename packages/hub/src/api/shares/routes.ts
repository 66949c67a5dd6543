import { listShares } from '../../storage/shares.ts'
import { getUser } from '../../storage/users.ts'
import { type ApiApp, type ApiDeps, sendEmpty } from '../context.ts'
import { readPage, toEnvelope } from '../pagination.ts'
import { answer, emptyAnswer, errors } from '../shared-schemas.ts'
import { registerShareCodeRoutes } from './code-routes.ts'
import { addressOf, needs, refuseOnOwner, type ServerPath, serverPaths } from './paths.ts'
import { registerReceivedShareRoutes } from './received-routes.ts'
import {
  ListQuery,
  OwnerParams,
  RemainingShare,
  ShareBody,
  ShareList,
  ShareModel,
} from './schemas.ts'
import { grant, revoke, revokeAll, sharedServerId } from './shares.ts'
import { viewShare } from './views.ts'

const tags = ['shares']

/** Access to servers, given and received. Source: contract rest-api §10.4, §10.5. */
export function registerShareRoutes(app: ApiApp, deps: ApiDeps): void {
  registerListOfOwner(app, deps)
  refuseOnOwner(app, '/shares/:name')
  for (const path of serverPaths) {
    registerList(app, deps, path)
    registerGrant(app, deps, path)
    registerRevoke(app, deps, path)
    registerRevokeAll(app, deps, path)
  }
  registerReceivedShareRoutes(app, deps)
  registerShareCodeRoutes(app, deps)
}

function registerListOfOwner(app: ApiApp, deps: ApiDeps): void {
  const { store, settings } = deps
  app.get(
    '/shares/:name',
    {
      // A filter to one server does not cover all servers of the owner.
      config: { access: needs('read:shares', 'user') },
      schema: {
        operationId: 'listSharesOfOwner',
        summary: 'List the shares of all servers of a user',
        description: 'Always in an envelope.',
        tags,
        params: OwnerParams,
        querystring: ListQuery,
        response: { 200: answer(ShareList, 'One page, by age.'), ...errors(400, 403, 404) },
      },
    },
    async (request) => {
      const page = readPage(request, request.query, settings)
      const owner = await getUser(store.db, request.params.name)
      const query = { selection: { ownerId: owner.id }, now: deps.now(), ...page }
      const { shares, total } = await listShares(store.db, query)
      const items = shares.map((share) => viewShare(share, settings))
      return toEnvelope(request, { items, page, total })
    },
  )
}

function registerList(app: ApiApp, deps: ApiDeps, path: ServerPath): void {
  const { store, settings } = deps
  app.get(
    `/shares/:name${path.suffix}`,
    {
      config: { access: needs('read:shares', 'server') },
      schema: {
        ...describe(path, 'listShares', 'List with whom a server is shared'),
        description: 'Always in an envelope.',
        querystring: ListQuery,
        response: { 200: answer(ShareList, 'One page, by age.'), ...errors(400, 403, 404) },
      },
    },
    async (request) => {
      const page = readPage(request, request.query, settings)
      const serverId = await sharedServerId(store.db, addressOf(request))
      const query = { selection: { serverId: serverId ?? 0 }, now: deps.now(), ...page }
      const { shares, total } = await listShares(store.db, query)
      const items = shares.map((share) => viewShare(share, settings))
      return toEnvelope(request, { items, page, total })
    },
  )
}

function registerGrant(app: ApiApp, deps: ApiDeps, path: ServerPath): void {
  app.post(
    `/shares/:name${path.suffix}`,
    {
      config: { access: needs('shares', 'server'), body: 'optional' },
      schema: {
        ...describe(path, 'share', 'Share a server with a user or group'),
        description:
          'Adds to what is shared with them already. Takes every scope that is shared, and the ' +
          'right to see the name of the recipient.',
        body: ShareBody,
        response: { 200: answer(ShareModel, 'The share.'), ...errors(400, 403, 404) },
      },
    },
    async (request) => {
      const share = await grant(deps, addressOf(request), request.body)
      return viewShare(share, deps.settings)
    },
  )
}

function registerRevoke(app: ApiApp, deps: ApiDeps, path: ServerPath): void {
  app.patch(
    `/shares/:name${path.suffix}`,
    {
      config: { access: needs('shares', 'server'), body: 'optional' },
      schema: {
        ...describe(path, 'revokeShare', 'Take a server back from a user or group'),
        description: 'Without scopes everything is taken back; scopes are spelled as in the share.',
        body: ShareBody,
        response: {
          200: answer(RemainingShare, 'The share, or an empty object when nothing is left of it.'),
          ...errors(400, 403, 404),
        },
      },
    },
    async (request) => {
      const share = await revoke(deps, addressOf(request), request.body)
      return share === undefined ? {} : viewShare(share, deps.settings)
    },
  )
}

function registerRevokeAll(app: ApiApp, deps: ApiDeps, path: ServerPath): void {
  app.delete(
    `/shares/:name${path.suffix}`,
    {
      config: { access: needs('shares', 'server') },
      schema: {
        ...describe(path, 'revokeShares', 'Take a server back from everybody'),
        response: { 204: emptyAnswer('Nothing is shared any more.'), ...errors(403, 404) },
      },
    },
    async (request, reply) => {
      await revokeAll(deps, addressOf(request))
      return sendEmpty(reply, 204)
    },
  )
}

function describe(path: ServerPath, operation: string, summary: string) {
  const { params, hide } = path
  return {
    operationId: `${operation}${hide ? 'OfDefaultServer' : ''}`,
    summary,
    tags,
    params,
    hide,
  }
}
