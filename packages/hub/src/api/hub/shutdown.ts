import { Type, type Static } from 'typebox'
import { recordAudit } from '../../storage/audit.ts'
import { callerOf } from '../authorize.ts'
import { actorOf, type ApiApp, type ApiDeps } from '../context.ts'
import { answer, errors } from '../shared-schemas.ts'

/** What one shutdown stops besides the hub, where it differs from the configuration. */
export interface ShutdownRequest {
  readonly proxy?: boolean
  readonly servers?: boolean
}

/** Older clients send 0 and 1. */
const flag = (description: string) =>
  Type.Optional(Type.Union([Type.Boolean(), Type.Literal(0), Type.Literal(1)], { description }))

const ShutdownBody = Type.Object(
  {
    proxy: flag('Stop the proxy as well; `JupyterHub.cleanup_proxy` when left out.'),
    servers: flag('Stop all servers as well; `JupyterHub.cleanup_servers` when left out.'),
  },
  { title: 'Shutdown' },
)
type ShutdownBody = Static<typeof ShutdownBody>

/** Source: contract rest-api §7.1. */
export function registerShutdown(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/shutdown',
    {
      config: {
        access: { kind: 'scopes', anyOf: ['shutdown'], resource: 'none' },
        body: 'optional',
      },
      schema: {
        operationId: 'shutDown',
        summary: 'Shut the hub down',
        description: 'Answers first. With several hubs, the one that was asked ends.',
        tags: ['hub'],
        body: ShutdownBody,
        response: {
          202: answer(Type.Object({ message: Type.String() }), 'The hub is about to end.'),
          ...errors(400, 403),
        },
      },
    },
    async (request, reply) => {
      const what = readRequest(request.body)
      const actor = actorOf(callerOf(request).principal)
      await deps.store.write((tx) =>
        recordAudit(
          tx,
          { actor, action: 'hub.shutdown', subject: 'hub', data: { ...what } },
          deps.now(),
        ),
      )
      // Once the answer is out, or its reader gone.
      reply.raw.once('close', () => deps.shutDown(what))
      void reply.code(202)
      return { message: 'Shutting down Hub' }
    },
  )
}

function readRequest(body: ShutdownBody): ShutdownRequest {
  const { proxy, servers } = body
  return {
    ...(proxy !== undefined && { proxy: Boolean(proxy) }),
    ...(servers !== undefined && { servers: Boolean(servers) }),
  }
}
