import { Type } from 'typebox'
import { HubError } from '../../domain/errors.ts'
import { findUser, listUsers } from '../../storage/users.ts'
import { callerOf, paramOf } from '../authorize.ts'
import { type ApiApp, type ApiDeps, sendEmpty } from '../context.ts'
import { envelopeSchema, readPage, toEnvelope } from '../pagination.ts'
import { answer, emptyAnswer, errors, UserParams, wantsStopped } from '../shared-schemas.ts'
import { reportActivity } from './activity.ts'
import { createOneUser, createUsers, editUser, loadUser, removeUser } from './edit.ts'
import { loadNewUserRecords, loadUserRecord, loadUserRecords } from './queries.ts'
import {
  ActivityBody,
  BulkBody,
  CreateBody,
  EditBody,
  ListQuery,
  OneQuery,
  UserModel,
} from './schemas.ts'
import { viewUser } from './views.ts'

const tags = ['users']
const readScopes = [
  'read:users',
  'read:users:name',
  'read:servers',
  'read:users:groups',
  'read:users:activity',
  'read:roles:users',
]

export function registerUserRoutes(app: ApiApp, deps: ApiDeps): void {
  registerList(app, deps)
  registerBulkCreate(app, deps)
  registerGet(app, deps)
  registerCreate(app, deps)
  registerEdit(app, deps)
  registerDelete(app, deps)
  registerActivity(app, deps)
  registerAdminAccess(app, deps)
}

function registerList(app: ApiApp, deps: ApiDeps): void {
  const { store, settings } = deps
  app.get(
    '/users',
    {
      config: { access: { kind: 'scopes', anyOf: ['list:users'], resource: 'list' } },
      schema: {
        operationId: 'listUsers',
        summary: 'List users',
        description:
          'The users that the caller may list, a page at a time. With `Accept: ' +
          'application/jupyterhub-pagination+json` the page comes in an envelope.',
        tags,
        querystring: ListQuery,
        response: {
          200: Type.Union([Type.Array(UserModel), envelopeSchema(Type.Array(UserModel))], {
            description: 'One page.',
          }),
          ...errors(400, 403),
        },
      },
    },
    async (request) => {
      const { query } = request
      const { viewer } = callerOf(request)
      const selection = viewer.listableUsers()
      if (selection === undefined) throw new HubError('forbidden')
      const page = readPage(request, query, settings)
      const sort = query.sort ?? 'id'
      const { users, total } = await listUsers(store.db, {
        selection,
        ...(query.state !== undefined && query.state !== '' && { state: query.state }),
        ...(query.name_filter !== undefined && { nameFilter: query.name_filter }),
        sort: toSortKey(sort),
        descending: sort.startsWith('-'),
        offset: page.offset,
        limit: page.limit,
      })
      const includeStopped = wantsStopped(query)
      const records = await loadUserRecords(store, users)
      const items = records.flatMap((record) => {
        return viewUser(record, { viewer, settings, includeStopped }) ?? []
      })
      return page.enveloped ? toEnvelope(request, { items, page, total }) : items
    },
  )
}

function toSortKey(sort: string): 'id' | 'name' | 'last_activity' {
  const key = sort.replace('-', '')
  return key === 'name' || key === 'last_activity' ? key : 'id'
}

function registerBulkCreate(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/users',
    {
      config: {
        access: { kind: 'scopes', anyOf: ['admin:users'], resource: 'none' },
        body: 'required',
      },
      schema: {
        operationId: 'createUsers',
        summary: 'Create several users',
        description: 'Names that exist are skipped; the answer lists the new users.',
        tags,
        body: BulkBody,
        response: {
          201: Type.Array(UserModel, { description: 'The users that were created.' }),
          ...errors(400, 403, 409),
        },
      },
    },
    async (request, reply) => {
      const { principal, viewer } = callerOf(request)
      const users = await createUsers(deps, principal, request.body)
      const records = await loadNewUserRecords(deps.store, users)
      const { settings } = deps
      void reply.code(201)
      return records.map((record) => {
        return viewUser(record, { viewer, settings, includeStopped: false }) ?? {}
      })
    },
  )
}

function registerGet(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/users/:name',
    {
      config: { access: { kind: 'scopes', anyOf: readScopes, resource: 'user' } },
      schema: {
        operationId: 'getUser',
        summary: 'Get a user',
        tags,
        params: UserParams,
        querystring: OneQuery,
        response: { 200: answer(UserModel, 'The user.'), ...errors(403, 404) },
      },
    },
    async (request) => {
      const { viewer } = callerOf(request)
      const record = await loadUserRecord(deps.store, await loadUser(deps, request.params.name))
      const includeStopped = wantsStopped(request.query)
      const model = viewUser(record, { viewer, settings: deps.settings, includeStopped })
      if (model === undefined) throw new HubError('resource_hidden')
      if (!('auth_state' in model)) return model
      return { ...model, auth_state: await deps.authStates.load(record.user.id) }
    },
  )
}

function registerCreate(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/users/:name',
    {
      config: {
        access: { kind: 'scopes', anyOf: ['admin:users'], resource: 'user' },
        body: 'optional',
        checkParsed: async (request) => {
          const name = paramOf(request, 'name')
          if ((await findUser(deps.store.db, name)) !== undefined) {
            throw new HubError('user_exists', { message: `User ${name} already exists` })
          }
        },
      },
      schema: {
        operationId: 'createUser',
        summary: 'Create a user',
        description: 'The name is taken as it is, without normalisation.',
        tags,
        params: UserParams,
        body: CreateBody,
        response: {
          201: answer(UserModel, 'The new user.'),
          ...errors(400, 403, 404, 409),
        },
      },
    },
    async (request, reply) => {
      const { principal, viewer } = callerOf(request)
      const { name } = request.params
      const user = await createOneUser(deps, principal, { name, body: request.body })
      const record = await loadUserRecord(deps.store, user)
      void reply.code(201)
      return viewUser(record, { viewer, settings: deps.settings, includeStopped: false }) ?? {}
    },
  )
}

function registerEdit(app: ApiApp, deps: ApiDeps): void {
  app.patch(
    '/users/:name',
    {
      config: {
        access: { kind: 'scopes', anyOf: ['admin:users'], resource: 'user' },
        body: 'required',
        checkFirst: async (request) => {
          await loadUser(deps, paramOf(request, 'name'))
        },
      },
      schema: {
        operationId: 'updateUser',
        summary: 'Rename a user or change the admin flag',
        tags,
        params: UserParams,
        body: EditBody,
        response: { 200: answer(UserModel, 'The changed user.'), ...errors(400, 403, 404) },
      },
    },
    async (request) => {
      const { principal, viewer } = callerOf(request)
      const user = await loadUser(deps, request.params.name)
      const changed = await editUser(deps, principal, { user, body: request.body })
      const record = await loadUserRecord(deps.store, changed)
      const model = viewUser(record, { viewer, settings: deps.settings, includeStopped: false })
      // Whoever may change users may see it: `admin:users` includes `admin:auth_state`.
      return { ...model, auth_state: await deps.authStates.load(changed.id) }
    },
  )
}

function registerDelete(app: ApiApp, deps: ApiDeps): void {
  app.delete(
    '/users/:name',
    {
      config: { access: { kind: 'scopes', anyOf: ['delete:users'], resource: 'user' } },
      schema: {
        operationId: 'deleteUser',
        summary: 'Delete a user',
        description: 'Stops the servers first; 400 while one has not stopped in time.',
        tags,
        params: UserParams,
        response: { 204: emptyAnswer('The user is gone.'), ...errors(400, 403, 404) },
      },
    },
    async (request, reply) => {
      const { principal } = callerOf(request)
      await removeUser(deps, principal, await loadUser(deps, request.params.name))
      return sendEmpty(reply, 204)
    },
  )
}

function registerActivity(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/users/:name/activity',
    {
      config: {
        access: { kind: 'scopes', anyOf: ['users:activity'], resource: 'user' },
        body: 'required',
        checkFirst: async (request) => {
          await loadUser(deps, paramOf(request, 'name'))
        },
      },
      schema: {
        operationId: 'reportActivity',
        summary: 'Report activity of a user and of servers',
        tags,
        params: UserParams,
        body: ActivityBody,
        response: { 200: emptyAnswer('Noted.'), ...errors(400, 403, 404) },
      },
    },
    async (request, reply) => {
      const user = await loadUser(deps, request.params.name)
      await reportActivity(deps.store, user, { body: request.body, now: deps.now() })
      return sendEmpty(reply, 200, 'application/json')
    },
  )
}

function registerAdminAccess(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/users/:name/admin-access',
    {
      config: { access: { kind: 'scopes', anyOf: ['servers'], resource: 'user' } },
      schema: {
        operationId: 'grantAdminAccess',
        summary: 'Ask for access to a user (no effect)',
        deprecated: true,
        tags,
        params: UserParams,
        response: { 200: emptyAnswer('Nothing happened.'), ...errors(403, 404) },
      },
    },
    async (request, reply) => {
      if (!deps.settings.adminAccess) {
        throw new HubError('forbidden', { message: 'Admin access is not enabled' })
      }
      await loadUser(deps, request.params.name)
      return sendEmpty(reply, 200, 'application/json')
    },
  )
}
