import { Type } from 'typebox'
import { HubError } from '../../domain/errors.ts'
import type { StoredRoute } from '../../domain/records.ts'
import { recordAudit } from '../../storage/audit.ts'
import { loadRoutes } from '../../storage/routes.ts'
import { listLastActivity } from '../../storage/servers.ts'
import type { Store } from '../../storage/store.ts'
import { callerOf } from '../authorize.ts'
import { actorOf, type ApiApp, type ApiDeps, sendEmpty } from '../context.ts'
import { envelopeSchema, pageQueryFields, readPage, toEnvelope } from '../pagination.ts'
import { emptyAnswer, errors } from '../shared-schemas.ts'
import { toWireTime } from '../timestamps.ts'
import { ProxyBody, type RouteModel, RouteTable } from './schemas.ts'
import { parseUnixSocketUrl } from '../../util/unix-socket-url.ts'

const tags = ['proxy']
const access = { kind: 'scopes', anyOf: ['proxy'], resource: 'none' } as const

/** Source: contract rest-api §10.3. */
export function registerProxyRoutes(app: ApiApp, deps: ApiDeps): void {
  registerGet(app, deps)
  registerCheck(app, deps)
  registerPatch(app, deps)
}

function registerGet(app: ApiApp, deps: ApiDeps): void {
  const { store, settings } = deps
  app.get(
    '/proxy',
    {
      config: { access },
      schema: {
        operationId: 'getProxyRoutes',
        summary: 'Read the routing table',
        description: 'By routespec, a page at a time.',
        tags,
        querystring: Type.Object(pageQueryFields),
        response: {
          200: Type.Union([RouteTable, envelopeSchema(RouteTable)], { description: 'One page.' }),
          ...errors(400, 403),
        },
      },
    },
    async (request) => {
      const page = readPage(request, request.query, settings)
      const { routes } = await loadRoutes(store.db)
      const sorted = routes.toSorted((a, b) => (a.routespec < b.routespec ? -1 : 1))
      const items = await viewRoutes(store, sorted.slice(page.offset, page.offset + page.limit))
      const total = routes.length
      return page.enveloped ? toEnvelope(request, { items, page, total }) : items
    },
  )
}

async function viewRoutes(
  store: Store,
  routes: readonly StoredRoute[],
): Promise<Record<string, RouteModel>> {
  const users = routes.flatMap(({ data }) => (typeof data['user'] === 'string' ? data['user'] : []))
  const activity = await listLastActivity(store.db, users)
  return Object.fromEntries(
    routes.map(({ routespec, target, data }) => {
      const { user, server_name: server } = data
      const isServer = typeof user === 'string' && typeof server === 'string'
      const at = isServer ? activity.get(`${user}/${server}`) : undefined
      const shown = { ...data, ...(at !== undefined && { last_activity: toWireTime(at) }) }
      return [routespec, { routespec, target, data: shown }]
    }),
  )
}

function registerCheck(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/proxy',
    {
      config: { access },
      schema: {
        operationId: 'checkProxyRoutes',
        summary: 'Bring the routing table in line with what runs',
        tags,
        response: { 200: emptyAnswer('The table is right.'), ...errors(403, 503) },
      },
    },
    async (_request, reply) => {
      await deps.proxy.check()
      return sendEmpty(reply, 200, 'application/json')
    },
  )
}

function registerPatch(app: ApiApp, deps: ApiDeps): void {
  app.patch(
    '/proxy',
    {
      config: { access, body: 'required' },
      schema: {
        operationId: 'changeProxy',
        summary: 'Tell the hub of a new proxy',
        description:
          'A driven proxy is replaced until the hub ends. Edges find the hub by themselves: ' +
          '`api_url` is nothing to them, and those with this secret are served too.',
        tags,
        body: ProxyBody,
        response: { 200: emptyAnswer('The table is right.'), ...errors(400, 403, 503) },
      },
    },
    async (request, reply) => {
      const { api_url: apiUrl, auth_token: authToken } = request.body
      if (apiUrl !== undefined && !isApiUrl(apiUrl)) {
        const message = 'body.api_url must be an http or https URL, or http+unix:// with a path'
        throw new HubError('bad_request', { message })
      }
      const actor = actorOf(callerOf(request).principal)
      const data = { token: authToken !== undefined, ...(apiUrl !== undefined && { url: true }) }
      await deps.store.write((tx) =>
        recordAudit(tx, { actor, action: 'proxy.update', subject: 'proxy', data }, deps.now()),
      )
      await deps.proxy.change({
        ...(apiUrl !== undefined && { apiUrl }),
        ...(authToken !== undefined && { authToken }),
      })
      await deps.proxy.check()
      return sendEmpty(reply, 200, 'application/json')
    },
  )
}

function isApiUrl(url: string): boolean {
  return /^https?:\/\/[^/]/.test(url) || parseUnixSocketUrl(url) !== undefined
}
