import { Type } from 'typebox'
import { HubError } from '../../domain/errors.ts'
import { findService, listServices } from '../../storage/services.ts'
import { isJsonObject } from '../../util/json.ts'
import { callerOf, paramOf } from '../authorize.ts'
import { type ApiApp, type ApiDeps, sendEmpty } from '../context.ts'
import { answer, emptyAnswer, errors } from '../shared-schemas.ts'
import { createService, removeService, serviceExists, serviceNotFound } from './create.ts'
import { CreateServiceBody, ServiceModel, ServiceParams } from './schemas.ts'
import { viewService, viewServices } from './views.ts'

const tags = ['services']
const readScopes = ['read:services', 'read:services:name', 'read:roles:services']

/** Source: contract rest-api §10.2. */
export function registerServiceRoutes(app: ApiApp, deps: ApiDeps): void {
  registerList(app, deps)
  registerGet(app, deps)
  registerCreate(app, deps)
  registerDelete(app, deps)
}

function registerList(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/services',
    {
      config: { access: { kind: 'scopes', anyOf: ['list:services'], resource: 'list' } },
      schema: {
        operationId: 'listServices',
        summary: 'List services',
        description: 'The services that the caller may list, by name; all at once.',
        tags,
        response: {
          200: Type.Record(Type.String(), ServiceModel, { description: 'Services by name.' }),
          ...errors(403),
        },
      },
    },
    async (request) => {
      const { viewer } = callerOf(request)
      const services = await listServices(deps.store.db, viewer.listableServices())
      return Object.fromEntries(await viewServices(deps, services, viewer))
    },
  )
}

function registerGet(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/services/:name',
    {
      config: { access: { kind: 'scopes', anyOf: readScopes, resource: 'service' } },
      schema: {
        operationId: 'getService',
        summary: 'Get a service',
        tags,
        params: ServiceParams,
        response: { 200: answer(ServiceModel, 'The service.'), ...errors(403, 404) },
      },
    },
    async (request) => {
      const { name } = request.params
      const service = await findService(deps.store.db, name)
      if (service === undefined) throw serviceNotFound(name)
      const model = await viewService(deps, service, callerOf(request).viewer)
      if (model === undefined) throw new HubError('resource_hidden')
      return model
    },
  )
}

function registerCreate(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/services/:name',
    {
      config: {
        access: { kind: 'scopes', anyOf: ['admin:services'], resource: 'service' },
        body: 'required',
        checkFirst: async (request) => {
          const name = paramOf(request, 'name')
          if ((await findService(deps.store.db, name)) !== undefined) throw serviceExists(name)
          if (!isJsonObject(request.body)) throw new HubError('service_invalid')
          if (Object.keys(request.body).length === 0) throw new HubError('service_invalid')
        },
      },
      schema: {
        operationId: 'createService',
        summary: 'Add a service that runs elsewhere',
        description: 'It stays until it is deleted, also over restarts of the hub.',
        tags,
        params: ServiceParams,
        body: CreateServiceBody,
        response: { 201: answer(ServiceModel, 'The new service.'), ...errors(400, 403, 404, 409) },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request)
      const input = { name: request.params.name, body: request.body }
      const service = await createService(deps, caller, input)
      void reply.code(201)
      return (await viewService(deps, service, caller.viewer)) ?? {}
    },
  )
}

function registerDelete(app: ApiApp, deps: ApiDeps): void {
  app.delete(
    '/services/:name',
    {
      config: { access: { kind: 'scopes', anyOf: ['admin:services'], resource: 'service' } },
      schema: {
        operationId: 'deleteService',
        summary: 'Delete a service that was added through the API',
        tags,
        params: ServiceParams,
        response: { 200: emptyAnswer('The service is gone.'), ...errors(403, 404, 405) },
      },
    },
    async (request, reply) => {
      await removeService(deps, callerOf(request), request.params.name)
      return sendEmpty(reply, 200, 'application/json')
    },
  )
}
