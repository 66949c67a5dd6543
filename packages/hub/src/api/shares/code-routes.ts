import { Type } from 'typebox'
import { listShareCodes } from '../../storage/share-codes.ts'
import { getUser } from '../../storage/users.ts'
import { type ApiApp, type ApiDeps, sendEmpty } from '../context.ts'
import { readPage, toEnvelope } from '../pagination.ts'
import { answer, emptyAnswer, errors } from '../shared-schemas.ts'
import { issueShareCode, removeShareCodes } from './codes.ts'
import { addressOf, needs, refuseOnOwner, type ServerPath, serverPaths } from './paths.ts'
import { CodeList, ListQuery, NewShareCodeModel, OwnerParams, ShareCodeBody } from './schemas.ts'
import { sharedServerId } from './shares.ts'
import { viewNewShareCode, viewShareCode } from './views.ts'

const tags = ['shares']
const DeleteQuery = Type.Object({
  code: Type.Optional(Type.String({ description: 'Delete the code with this value.' })),
  id: Type.Optional(
    Type.String({ description: 'Delete the code with this id: `sc_` and a number.' }),
  ),
})

/** Invitations to use a server. Source: contract rest-api §10.5. */
export function registerShareCodeRoutes(app: ApiApp, deps: ApiDeps): void {
  registerListOfOwner(app, deps)
  refuseOnOwner(app, '/share-codes/:name')
  for (const path of serverPaths) {
    registerList(app, deps, path)
    registerCreate(app, deps, path)
    registerDelete(app, deps, path)
  }
}

function registerListOfOwner(app: ApiApp, deps: ApiDeps): void {
  const { store, settings } = deps
  app.get(
    '/share-codes/:name',
    {
      config: { access: needs('read:shares', 'user') },
      schema: {
        operationId: 'listShareCodesOfOwner',
        summary: 'List the share codes of all servers of a user',
        description: 'Always in an envelope; the codes themselves are never shown again.',
        tags,
        params: OwnerParams,
        querystring: ListQuery,
        response: { 200: answer(CodeList, 'One page, by age.'), ...errors(400, 403, 404) },
      },
    },
    async (request) => {
      const page = readPage(request, request.query, settings)
      const owner = await getUser(store.db, request.params.name)
      const query = { selection: { ownerId: owner.id }, now: deps.now(), ...page }
      const { codes, total } = await listShareCodes(store.db, query)
      const items = codes.map((code) => viewShareCode(code, settings))
      return toEnvelope(request, { items, page, total })
    },
  )
}

function registerList(app: ApiApp, deps: ApiDeps, path: ServerPath): void {
  const { store, settings } = deps
  app.get(
    `/share-codes/:name${path.suffix}`,
    {
      config: { access: needs('read:shares', 'server') },
      schema: {
        ...describe(path, 'listShareCodes', 'List the share codes of a server'),
        description: 'Always in an envelope; the codes themselves are never shown again.',
        querystring: ListQuery,
        response: { 200: answer(CodeList, 'One page, by age.'), ...errors(400, 403, 404) },
      },
    },
    async (request) => {
      const page = readPage(request, request.query, settings)
      const serverId = await sharedServerId(store.db, addressOf(request))
      const query = { selection: { serverId: serverId ?? 0 }, now: deps.now(), ...page }
      const { codes, total } = await listShareCodes(store.db, query)
      const items = codes.map((code) => viewShareCode(code, settings))
      return toEnvelope(request, { items, page, total })
    },
  )
}

function registerCreate(app: ApiApp, deps: ApiDeps, path: ServerPath): void {
  app.post(
    `/share-codes/:name${path.suffix}`,
    {
      config: { access: needs('shares', 'server'), body: 'optional' },
      schema: {
        ...describe(path, 'createShareCode', 'Create a code that shares a server'),
        description: 'Anybody who has the code may accept it, any number of times.',
        body: ShareCodeBody,
        response: {
          200: answer(NewShareCodeModel, 'The code.'),
          ...errors(400, 403, 404),
        },
      },
    },
    async (request) => {
      const { code, value } = await issueShareCode(deps, addressOf(request), request.body)
      return viewNewShareCode(code, value, deps.settings)
    },
  )
}

function registerDelete(app: ApiApp, deps: ApiDeps, path: ServerPath): void {
  app.delete(
    `/share-codes/:name${path.suffix}`,
    {
      config: { access: needs('shares', 'server') },
      schema: {
        ...describe(path, 'deleteShareCodes', 'Delete one or all share codes of a server'),
        description: 'What was accepted before stays shared.',
        querystring: DeleteQuery,
        response: { 204: emptyAnswer('They are deleted.'), ...errors(403, 404) },
      },
    },
    async (request, reply) => {
      await removeShareCodes(deps, addressOf(request), request.query)
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
