import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import type { AddressInfo } from 'node:net'
import { createEdgeHub } from '../../../packages/hub/src/api/edge/edge-hub.ts'
import { createProxySecret } from '../../../packages/hub/src/api/edge/proxy-secret.ts'
import { registerEdgeRoutes } from '../../../packages/hub/src/api/edge/routes.ts'
import type { ApiDeps } from '../../../packages/hub/src/api/context.ts'
import { StreamRegistry } from '../../../packages/hub/src/api/event-stream.ts'
import { openStore } from '../../../packages/hub/src/storage/open.ts'
import { putRoute } from '../../../packages/hub/src/storage/routes.ts'

// What a hub has for its edges, as a process of its own: its store, with routes that are there
// already, and its side of the subscription. It publishes a route when told to over its channel.
const {
  ROUTE_HUB_DB: url = '',
  ROUTE_HUB_TARGET: target = '',
  ROUTE_HUB_TOKEN: token = '',
} = process.env
const count = Number(process.env['ROUTE_HUB_ROUTES'])
const rowsPerInsert = 1000

const store = await openStore({ url, directory: process.cwd() })
await seed()
const logger = { warn: () => undefined }
const edgeHub = createEdgeHub({ store, logger })
const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
await app.register(
  async (api) => {
    const deps = { store, edgeHub, proxySecret: createProxySecret(token), now: () => new Date() }
    registerEdgeRoutes(api.withTypeProvider<TypeBoxTypeProvider>(), {
      // All that these routes use.
      deps: deps as unknown as ApiDeps,
      streams: new StreamRegistry(10),
    })
  },
  { prefix: '/hub/api' },
)
await app.listen({ host: '127.0.0.1', port: 0 })
process.send?.({ port: (app.server.address() as AddressInfo).port })

process.on('message', (message: { readonly routespec: string; readonly target: string }) => {
  void store
    .write((tx) => putRoute(tx, { ...message, data: { user: 'live', server_name: '' } }))
    .then((seq) => {
      // Of a clock that all processes share.
      const committedAtMs = Number(process.hrtime.bigint()) / 1e6
      process.send?.({ committedAtMs })
      return edgeHub.untilApplied(seq, 10_000)
    })
    .then(() => process.send?.({ isApplied: true }))
})
process.on('disconnect', () => process.exit())

async function seed(): Promise<void> {
  await store.write(async ({ db }) => {
    for (let from = 0; from < count; from += rowsPerInsert) {
      const rows = Array.from({ length: Math.min(rowsPerInsert, count - from) }, (_, i) => ({
        routespec: `/user/hub-${from + i}/`,
        target,
        data: JSON.stringify({ user: `hub-${from + i}`, server_name: '' }),
        seq: from + i + 1,
        deleted: 0 as const,
      }))
      await db.insertInto('routes').values(rows).execute()
    }
    await db.updateTable('counters').set({ value: count }).where('name', '=', 'routes').execute()
  })
}
