import type { FastifyRequest } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import type { Server } from '../../domain/records.ts'
import { findServer } from '../../storage/servers.ts'
import { getUser } from '../../storage/users.ts'
import { callerOf, isStillAllowed, paramOf, type RouteAccess } from '../authorize.ts'
import { type ApiApp, type ApiDeps, sendEmpty } from '../context.ts'
import { sendEventStream, type StreamRegistry } from '../event-stream.ts'
import { answer, emptyAnswer, errors, ServerParams, UserParams } from '../shared-schemas.ts'
import {
  createStoppedServer,
  editServer,
  noSuchServer,
  type ServerAddress,
  startServer,
  stopServer,
} from './actions.ts'
import { EditBody, ProgressFrame, ServerModel, StartBody, StopBody } from './schemas.ts'
import { toUnstartedServer, viewServer } from './views.ts'

/** The ways to write the path of a server. Source: contract rest-api §1.1, "trailing slash". */
const paths = [
  { url: '/users/:name/server', suffix: 'DefaultServer', params: UserParams, hide: false },
  { url: '/users/:name/servers/', suffix: '', params: UserParams, hide: true },
  { url: '/users/:name/servers/:server_name', suffix: 'Server', params: ServerParams, hide: false },
] as const

type ServerRoutePath = (typeof paths)[number]

export interface ServerRouteDeps {
  readonly deps: ApiDeps
  readonly streams: StreamRegistry
}

export function registerServerRoutes(app: ApiApp, context: ServerRouteDeps): void {
  for (const path of paths) {
    registerGet(app, context.deps, path)
    registerPut(app, context.deps, path)
    registerPost(app, context.deps, path)
    registerPatch(app, context.deps, path)
    registerDelete(app, context.deps, path)
    registerProgress(app, context, path)
  }
}

function registerGet(app: ApiApp, deps: ApiDeps, path: ServerRoutePath): void {
  app.get(
    path.url,
    {
      config: { access: needs('read:servers') },
      schema: {
        ...describe(path, 'get', 'Get a server'),
        response: { 200: answer(ServerModel, 'The server.'), ...errors(403, 404) },
      },
    },
    async (request) => {
      const { user, serverName } = await addressOf(deps, request)
      const stored = await findServer(deps.store.db, user.name, serverName)
      if (stored === undefined && serverName !== '') throw noSuchServer({ user, serverName })
      return view(deps, request, stored ?? toUnstartedServer(user))
    },
  )
}

function registerPut(app: ApiApp, deps: ApiDeps, path: ServerRoutePath): void {
  app.put(
    path.url,
    {
      config: {
        access: needs('start:servers'),
        body: 'optional',
        checkFirst: async (request) => {
          const { user, serverName } = await addressOf(deps, request)
          const found = await findServer(deps.store.db, user.name, serverName)
          if (serverName === '' || found !== undefined) throw new HubError('server_exists')
        },
      },
      schema: {
        ...describe(path, 'create', 'Create a server without starting it'),
        body: StartBody,
        response: { 201: answer(ServerModel, 'The new server.'), ...errors(400, 403, 404, 409) },
      },
    },
    async (request, reply) => {
      const address = await addressOf(deps, request)
      const server = await createStoppedServer(deps, address, request.body)
      void reply.code(201)
      return view(deps, request, server)
    },
  )
}

function registerPost(app: ApiApp, deps: ApiDeps, path: ServerRoutePath): void {
  app.post(
    path.url,
    {
      config: {
        access: needs('start:servers'),
        body: 'optional',
        checkFirst: async (request) => {
          await addressOf(deps, request)
        },
      },
      schema: {
        ...describe(path, 'start', 'Start a server'),
        description:
          'Waits a few seconds: 201 when the server is ready, 202 while it is starting, the error ' +
          'of the start when it failed meanwhile. Follow the progress stream after a 202.',
        body: StartBody,
        response: {
          201: emptyAnswer('The server is ready.'),
          202: emptyAnswer('The server is starting.'),
          ...errors(400, 403, 404, 429, 500),
        },
      },
    },
    async (request, reply) => {
      const outcome = await startServer(deps, await addressOf(deps, request), request.body)
      return sendEmpty(reply, outcome === 'ready' ? 201 : 202, 'text/plain')
    },
  )
}

function registerPatch(app: ApiApp, deps: ApiDeps, path: ServerRoutePath): void {
  app.patch(
    path.url,
    {
      config: {
        access: needs('start:servers'),
        body: 'required',
        checkFirst: async (request) => {
          await addressOf(deps, request)
        },
      },
      schema: {
        ...describe(path, 'update', 'Rename or edit a stopped server'),
        body: EditBody,
        response: {
          200: answer(ServerModel, 'The changed server.'),
          ...errors(400, 403, 404, 409),
        },
      },
    },
    async (request, reply) => {
      const server = await editServer(deps, await addressOf(deps, request), request.body)
      // Alone among the answers. Observed: JupyterHub 6.1.
      void reply.type('application/json; charset=UTF-8')
      return view(deps, request, server)
    },
  )
}

function registerDelete(app: ApiApp, deps: ApiDeps, path: ServerRoutePath): void {
  app.delete(
    path.url,
    {
      config: {
        access: needs('delete:servers'),
        body: 'optional',
        checkFirst: async (request) => {
          await addressOf(deps, request)
        },
      },
      schema: {
        ...describe(path, 'stop', 'Stop a server, or cancel its start'),
        description: 'Waits a few seconds: 204 once it has stopped, 202 while it is stopping.',
        body: StopBody,
        response: {
          202: emptyAnswer('The server is stopping.'),
          204: emptyAnswer('The server has stopped.'),
          ...errors(400, 403, 404),
        },
      },
    },
    async (request, reply) => {
      const outcome = await stopServer(deps, await addressOf(deps, request), request.body)
      if (outcome === 'stopped') return sendEmpty(reply, 204)
      return sendEmpty(reply, 202, 'text/plain')
    },
  )
}

function registerProgress(app: ApiApp, context: ServerRouteDeps, path: ServerRoutePath): void {
  const { deps, streams } = context
  app.get(
    `${path.url}/progress`,
    {
      config: { access: needs('read:servers') },
      schema: {
        ...describe(path, 'follow', 'Follow the start of a server'),
        operationId: `follow${path.suffix}Progress`,
        description:
          'An event stream: each event is a line `data: ` with a ProgressEvent as JSON, and the ' +
          'stream ends after the one that has `ready` or `failed`. Blank lines keep it alive.',
        response: {
          200: {
            description: 'The events.',
            content: { 'text/event-stream': { schema: ProgressFrame } },
          },
          ...errors(400, 403, 404, 429),
        },
      },
    },
    async (request, reply) => {
      const server = await watchedServer(deps, await addressOf(deps, request))
      const isAllowed = () => isStillAllowed(deps, request)
      const { kind, id } = callerOf(request).principal
      const { signal } = streams.open(reply, { isAllowed, ...(kind === 'user' && { userId: id }) })
      return sendEventStream(reply, deps.lifecycle.progress(server, signal), signal)
    },
  )
}

/** Source: contract rest-api §8.8, preconditions. */
async function watchedServer(deps: ApiDeps, address: ServerAddress): Promise<Server> {
  const server = await findServer(deps.store.db, address.user.name, address.serverName)
  if (server === undefined) throw noSuchServer(address)
  if (server.state.kind === 'stopped' && server.state.lastFailure === undefined) {
    throw noSuchServer(address)
  }
  if (server.state.kind === 'stopping') {
    throw new HubError('bad_request', { message: 'The server is not starting' })
  }
  return server
}

function view(deps: ApiDeps, request: FastifyRequest, server: Server): ServerModel {
  const { viewer } = callerOf(request)
  const showState = viewer.coversServer('admin:server_state', server.username, server.name)
  return viewServer(server, { settings: deps.settings, showState })
}

async function addressOf(deps: ApiDeps, request: FastifyRequest): Promise<ServerAddress> {
  const { principal } = callerOf(request)
  const user = await getUser(deps.store.db, paramOf(request, 'name'))
  return { principal, user, serverName: paramOf(request, 'server_name', '') }
}

function needs(scope: string): RouteAccess {
  return { kind: 'scopes', anyOf: [scope], resource: 'server' }
}

function describe(path: ServerRoutePath, verb: string, summary: string) {
  return {
    operationId: `${verb}${path.suffix}`,
    summary: path.suffix === 'DefaultServer' ? summary.replace(/\ba\b/, 'the default') : summary,
    tags: ['servers'],
    params: path.params,
    hide: path.hide,
  }
}
