import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import {
  type EdgeMessage,
  EdgeProtocolError,
  formatEdgeMessage,
  parseEdgeAck,
  parseEdgeActivity,
} from '../../proxy/edge-protocol.ts'
import { tokenOf } from '../../web/identify.ts'
import { type ApiApp, type ApiDeps, sendEmpty } from '../context.ts'
import type { StreamRegistry } from '../event-stream.ts'
import { recordEdgeActivity } from './activity.ts'
import type { EdgePosition } from './edge-hub.ts'

/** An edge that takes nothing for this long is dropped; it subscribes again. */
const stallMs = 30_000
const maxEdgeIdLength = 200

/** What edges and hub say to each other: `proxy/edge-protocol.ts`. Not part of the public API. */
export function registerEdgeRoutes(
  app: ApiApp,
  context: { deps: ApiDeps; streams: StreamRegistry },
): void {
  const { deps, streams } = context
  const config = { access: { kind: 'edge' } } as const
  const withBody = { ...config, body: 'required' } as const
  const schema = { hide: true }

  app.get('/edge/routes', { config, schema }, async (request, reply) => {
    requireEdge(deps, request)
    const query = request.query as Readonly<Record<string, string>> // made by `authorize`
    const edge = query['edge'] ?? ''
    if (edge === '' || edge.length > maxEdgeIdLength) throw invalid("'edge' is needed")
    const stream = streams.open(reply)
    const wish = { position: readPosition(query), inPieces: query['pieces'] === '1' }
    const messages = deps.edgeHub.follow(edge, wish, stream.signal)
    return sendLines(reply, messages, stream)
  })

  app.post('/edge/ack', { config: withBody, schema }, async (request, reply) => {
    requireEdge(deps, request)
    const { edge, seq } = parsed(() => parseEdgeAck(request.body))
    deps.edgeHub.acknowledge(edge, seq)
    return sendEmpty(reply, 204)
  })

  app.post('/edge/activity', { config: withBody, schema }, async (request, reply) => {
    requireEdge(deps, request)
    const report = parsed(() => parseEdgeActivity(request.body))
    await recordEdgeActivity(deps.store, report, deps.now())
    return sendEmpty(reply, 204)
  })
}

/** @throws HubError `forbidden` unless the request carries the shared secret */
function requireEdge(deps: Pick<ApiDeps, 'proxySecret'>, request: FastifyRequest): void {
  const token = tokenOf(request)
  if (token === undefined || !deps.proxySecret.accepts(token)) throw new HubError('forbidden')
}

function readPosition(query: Readonly<Record<string, string>>): EdgePosition | undefined {
  const { since, epoch } = query
  if (since === undefined || epoch === undefined || !/^\d{1,15}$/.test(since)) return undefined
  return { since: Number(since), epoch }
}

function sendLines(
  reply: FastifyReply,
  messages: AsyncIterable<EdgeMessage>,
  stream: AbortController,
): FastifyReply {
  void reply.type('application/x-ndjson').header('cache-control', 'no-cache')
  return reply.send(Readable.from(lines(messages, stream), { objectMode: false }))
}

/** The stream asks for the next line when it has room: memory holds one line for a slow reader. */
async function* lines(
  messages: AsyncIterable<EdgeMessage>,
  stream: AbortController,
): AsyncGenerator<string> {
  for await (const message of messages) {
    const stalled = setTimeout(() => stream.abort(), stallMs)
    try {
      yield formatEdgeMessage(message)
    } finally {
      clearTimeout(stalled)
    }
    if (stream.signal.aborted) return
  }
}

function parsed<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof EdgeProtocolError) throw invalid(error.message)
    throw error
  }
}

function invalid(message: string): HubError {
  return new HubError('bad_request', { message })
}
