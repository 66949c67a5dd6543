import { Type } from 'typebox'
import { HubError } from '../../domain/errors.ts'
import type { Group } from '../../domain/records.ts'
import { getGroup, listGroups } from '../../storage/groups.ts'
import type { JsonObject } from '../../util/json.ts'
import { type Caller, callerOf, paramOf } from '../authorize.ts'
import { type ApiApp, type ApiDeps, sendEmpty } from '../context.ts'
import { envelopeSchema, pageQueryFields, readPage, toEnvelope } from '../pagination.ts'
import { answer, emptyAnswer, errors, FreeObject } from '../shared-schemas.ts'
import {
  changeMembers,
  createGroups,
  createOneGroup,
  removeGroup,
  replaceProperties,
} from './edit.ts'
import { BulkBody, CreateBody, GroupModel, GroupParams, MembersBody } from './schemas.ts'
import { viewGroups } from './views.ts'

const tags = ['groups']
const readScopes = ['read:groups', 'read:groups:name', 'read:roles:groups']

/** Source: contract rest-api §10.1. */
export function registerGroupRoutes(app: ApiApp, deps: ApiDeps): void {
  registerList(app, deps)
  registerBulkCreate(app, deps)
  registerGet(app, deps)
  registerCreate(app, deps)
  registerDelete(app, deps)
  registerMembers(app, deps, { method: 'POST', change: 'add' })
  registerMembers(app, deps, { method: 'DELETE', change: 'remove' })
  registerProperties(app, deps)
}

function registerList(app: ApiApp, deps: ApiDeps): void {
  const { store, settings } = deps
  app.get(
    '/groups',
    {
      config: { access: { kind: 'scopes', anyOf: ['list:groups'], resource: 'list' } },
      schema: {
        operationId: 'listGroups',
        summary: 'List groups',
        description:
          'The groups that the caller may list, a page at a time; in an envelope with `Accept: ' +
          'application/jupyterhub-pagination+json`.',
        tags,
        querystring: Type.Object(pageQueryFields),
        response: {
          200: Type.Union([Type.Array(GroupModel), envelopeSchema(Type.Array(GroupModel))], {
            description: 'One page.',
          }),
          ...errors(400, 403),
        },
      },
    },
    async (request) => {
      const { viewer } = callerOf(request)
      const selection = viewer.listableGroups()
      if (selection === undefined) throw new HubError('forbidden')
      const page = readPage(request, request.query, settings)
      const { offset, limit } = page
      const { groups, total } = await listGroups(store.db, { selection, offset, limit })
      const items = await viewGroups(store.db, groups, viewer)
      return page.enveloped ? toEnvelope(request, { items, page, total }) : items
    },
  )
}

function registerBulkCreate(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/groups',
    {
      config: {
        access: { kind: 'scopes', anyOf: ['admin:groups'], resource: 'none' },
        body: 'required',
      },
      schema: {
        operationId: 'createGroups',
        summary: 'Create several groups',
        description: 'Stops at the first name that exists; the groups before it stay.',
        tags,
        body: BulkBody,
        response: {
          201: Type.Array(GroupModel, { description: 'The new groups.' }),
          ...errors(400, 403, 409),
        },
      },
    },
    async (request, reply) => {
      const { principal, viewer } = callerOf(request)
      const groups = await createGroups(deps, principal, request.body)
      void reply.code(201)
      return viewGroups(deps.store.db, groups, viewer)
    },
  )
}

function registerGet(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/groups/:name',
    {
      config: { access: { kind: 'scopes', anyOf: readScopes, resource: 'group' } },
      schema: {
        operationId: 'getGroup',
        summary: 'Get a group',
        tags,
        params: GroupParams,
        response: { 200: answer(GroupModel, 'The group.'), ...errors(403, 404) },
      },
    },
    async (request) => {
      const group = await getGroup(deps.store.db, request.params.name)
      return viewOne(deps, callerOf(request), group)
    },
  )
}

function registerCreate(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/groups/:name',
    {
      config: {
        access: { kind: 'scopes', anyOf: ['admin:groups'], resource: 'group' },
        body: 'nullable',
      },
      schema: {
        operationId: 'createGroup',
        summary: 'Create a group',
        tags,
        params: GroupParams,
        body: CreateBody,
        response: { 201: answer(GroupModel, 'The new group.'), ...errors(400, 403, 404, 409) },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request)
      const { name } = request.params
      const { users = [] } = request.body
      const group = await createOneGroup(deps, caller.principal, { name, users })
      void reply.code(201)
      return viewOne(deps, caller, group)
    },
  )
}

function registerDelete(app: ApiApp, deps: ApiDeps): void {
  app.delete(
    '/groups/:name',
    {
      config: { access: { kind: 'scopes', anyOf: ['delete:groups'], resource: 'group' } },
      schema: {
        operationId: 'deleteGroup',
        summary: 'Delete a group',
        tags,
        params: GroupParams,
        response: { 204: emptyAnswer('The group is gone.'), ...errors(403, 404) },
      },
    },
    async (request, reply) => {
      await removeGroup(deps, callerOf(request).principal, request.params.name)
      return sendEmpty(reply, 204)
    },
  )
}

function registerMembers(
  app: ApiApp,
  deps: ApiDeps,
  route: { method: 'POST' | 'DELETE'; change: 'add' | 'remove' },
): void {
  const { method, change } = route
  app.route({
    method,
    url: '/groups/:name/users',
    config: {
      access: { kind: 'scopes', anyOf: ['groups'], resource: 'group' },
      body: 'required',
      checkFirst: async (request) => {
        await getGroup(deps.store.db, paramOf(request, 'name'))
      },
    },
    schema: {
      operationId: `${change}GroupUsers`,
      summary: change === 'add' ? 'Add users to a group' : 'Remove users from a group',
      tags,
      params: GroupParams,
      body: MembersBody,
      response: { 200: answer(GroupModel, 'The changed group.'), ...errors(400, 403, 404) },
    },
    handler: async (request) => {
      const caller = callerOf(request)
      const { name } = request.params
      const group = await changeMembers(deps, caller.principal, {
        name,
        body: request.body,
        change,
      })
      return viewOne(deps, caller, group)
    },
  })
}

function registerProperties(app: ApiApp, deps: ApiDeps): void {
  app.put(
    '/groups/:name/properties',
    {
      config: {
        access: { kind: 'scopes', anyOf: ['groups'], resource: 'group' },
        body: 'required',
        checkFirst: async (request) => {
          await getGroup(deps.store.db, paramOf(request, 'name'))
        },
      },
      schema: {
        operationId: 'setGroupProperties',
        summary: 'Replace the properties of a group',
        tags,
        params: GroupParams,
        body: FreeObject,
        response: { 200: answer(GroupModel, 'The changed group.'), ...errors(400, 403, 404) },
      },
    },
    async (request) => {
      const caller = callerOf(request)
      const { name } = request.params
      const properties = request.body as JsonObject // parsed JSON
      const group = await replaceProperties(deps, caller.principal, { name, properties })
      return viewOne(deps, caller, group)
    },
  )
}

async function viewOne(deps: ApiDeps, caller: Caller, group: Group): Promise<GroupModel> {
  const [model] = await viewGroups(deps.store.db, [group], caller.viewer)
  return model ?? {}
}
