import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { HubError } from '../../domain/errors.ts'
import { shorten } from '../../domain/names.ts'
import type { Share, ShareRecipient } from '../../domain/records.ts'
import { findServer } from '../../storage/servers.ts'
import { findRecipient, findShare, listShares } from '../../storage/shares.ts'
import { callerOf, paramOf } from '../authorize.ts'
import { type ApiApp, type ApiDeps, sendEmpty } from '../context.ts'
import { readPage, toEnvelope } from '../pagination.ts'
import { answer, emptyAnswer, errors } from '../shared-schemas.ts'
import { needs } from './paths.ts'
import { ListQuery, ShareList, ShareModel } from './schemas.ts'
import { leave } from './shares.ts'
import { viewShare } from './views.ts'

const kinds = [
  {
    kind: 'user',
    base: '/users/:name/shared',
    noun: 'User',
    read: 'read:users:shares',
    write: 'users:shares',
    covers: 'Includes what is shared with groups of the user.',
  },
  {
    kind: 'group',
    base: '/groups/:name/shared',
    noun: 'Group',
    read: 'read:groups:shares',
    write: 'groups:shares',
    covers: '',
  },
] as const
type Kind = (typeof kinds)[number]

const RecipientParams = Type.Object({
  name: Type.String({ description: 'Name of the user or group, exactly as stored.' }),
})
const DefaultServerParams = Type.Object({
  name: RecipientParams.properties.name,
  owner: Type.String({ description: 'Name of the owner of the server.' }),
})
const ServerParams = Type.Object({
  ...DefaultServerParams.properties,
  server_name: Type.String({ description: 'Name of the server.' }),
})
const paths = [
  { suffix: '/:owner/', params: DefaultServerParams, hide: true },
  { suffix: '/:owner/:server_name', params: ServerParams, hide: false },
] as const

/** What is shared with a user or group: decided by the recipient, whoever owns the server. */
export function registerReceivedShareRoutes(app: ApiApp, deps: ApiDeps): void {
  for (const kind of kinds) {
    registerList(app, deps, kind)
    for (const path of paths) {
      registerGet(app, deps, { kind, path })
      registerLeave(app, deps, { kind, path })
    }
  }
}

function registerList(app: ApiApp, deps: ApiDeps, kind: Kind): void {
  const { store, settings } = deps
  app.get(
    kind.base,
    {
      config: { access: needs(kind.read, kind.kind) },
      schema: {
        operationId: `listSharesWith${kind.noun}`,
        summary: `List what is shared with a ${kind.kind}`,
        description: `${kind.covers} Always in an envelope.`.trim(),
        tags: ['shares'],
        params: RecipientParams,
        querystring: ListQuery,
        response: { 200: answer(ShareList, 'One page, by age.'), ...errors(400, 403, 404) },
      },
    },
    async (request) => {
      const page = readPage(request, request.query, settings)
      const { id } = await recipientOf(deps, request, kind)
      const selection = kind.kind === 'user' ? { receivedByUserId: id } : { groupId: id }
      const query = { selection, now: deps.now(), ...page }
      const { shares, total } = await listShares(store.db, query)
      const items = shares.map((share) => viewShare(share, settings))
      return toEnvelope(request, { items, page, total })
    },
  )
}

interface OneShare {
  readonly kind: Kind
  readonly path: (typeof paths)[number]
}

function registerGet(app: ApiApp, deps: ApiDeps, { kind, path }: OneShare): void {
  app.get(
    `${kind.base}${path.suffix}`,
    {
      config: { access: needs(kind.read, kind.kind) },
      schema: {
        operationId: operationId(`getShareWith${kind.noun}`, path),
        summary: `Get what is shared of a server with a ${kind.kind}`,
        tags: ['shares'],
        params: path.params,
        hide: path.hide,
        response: { 200: answer(ShareModel, 'The share.'), ...errors(403, 404) },
      },
    },
    async (request) => viewShare(await shareOf(deps, request, kind), deps.settings),
  )
}

function registerLeave(app: ApiApp, deps: ApiDeps, { kind, path }: OneShare): void {
  app.delete(
    `${kind.base}${path.suffix}`,
    {
      config: { access: needs(kind.write, kind.kind) },
      schema: {
        operationId: operationId(`leaveShareWith${kind.noun}`, path),
        summary: `Give up what is shared of a server with a ${kind.kind}`,
        tags: ['shares'],
        params: path.params,
        hide: path.hide,
        response: { 204: emptyAnswer('It is not shared any more.'), ...errors(403, 404) },
      },
    },
    async (request, reply) => {
      const share = await shareOf(deps, request, kind)
      const { ownerName: owner, name: server } = share.server
      await leave(deps, { caller: callerOf(request), owner, server }, share)
      return sendEmpty(reply, 204)
    },
  )
}

function operationId(name: string, path: OneShare['path']): string {
  return path.hide ? `${name}OfDefaultServer` : name
}

/** @throws HubError `not_found` */
async function recipientOf(
  deps: ApiDeps,
  request: FastifyRequest,
  { kind }: Kind,
): Promise<ShareRecipient> {
  const name = paramOf(request, 'name')
  const recipient = await findRecipient(deps.store.db, kind, name)
  if (recipient !== undefined) return recipient
  throw new HubError('not_found', { message: shorten(`No such ${kind}: ${name}`) })
}

/** What was granted to exactly this recipient. @throws HubError `not_found` */
async function shareOf(deps: ApiDeps, request: FastifyRequest, kind: Kind): Promise<Share> {
  const recipient = await recipientOf(deps, request, kind)
  const owner = paramOf(request, 'owner')
  const serverName = paramOf(request, 'server_name', '')
  const server = await findServer(deps.store.db, owner, serverName)
  const share =
    server && (await findShare(deps.store.db, { serverId: server.id, recipient, now: deps.now() }))
  if (share !== undefined) return share
  throw new HubError('not_found', {
    message: shorten(`No such share for ${kind.kind} ${recipient.name} on ${owner}/${serverName}`),
  })
}
