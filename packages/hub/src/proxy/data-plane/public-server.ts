import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Agent } from 'undici'
import { decodePath, parseRequestTarget } from '../request-target.ts'
import { hostSegment } from '../routespec.ts'
import { maxHeadBytes } from './context.ts'
import type { EdgeContext } from './context.ts'
import { answerFailure } from './errors.ts'
import { forwardRequest, forwardUpgrade, refuseUpgrade } from './forward.ts'
import type { Forwarding } from './forward.ts'

export interface PublicServerOptions {
  readonly keepAliveTimeoutMs: number
  /** Idle time of a client socket; 0 waits for ever. */
  readonly timeoutMs: number
}

/** The listener that proxies. */
export function createPublicServer(
  context: EdgeContext,
  agent: Agent,
  options: PublicServerOptions,
): { readonly server: Server; readonly tunnels: Set<Duplex> } {
  const tunnels = new Set<Duplex>()
  const server = createServer({
    maxHeaderSize: maxHeadBytes,
    headersTimeout: 60_000,
    // Slow uploads are legitimate; the head has its own limit.
    requestTimeout: 0,
    keepAliveTimeout: options.keepAliveTimeoutMs,
    noDelay: true,
  })
  // Bytes bound the head; a count would drop headers silently.
  server.maxHeadersCount = 0
  server.timeout = options.timeoutMs
  server.on('request', (req, res) => {
    handleRequest(context, agent, { req, res }).catch((error: unknown) => {
      context.log('error', `failed to answer: ${String(error)}`)
      res.destroy()
    })
  })
  server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    tunnels.add(socket)
    socket.on('close', () => tunnels.delete(socket)).on('error', () => socket.destroy())
    handleUpgrade(context, { req, socket, head })
  })
  return { server, tunnels }
}

async function handleRequest(
  context: EdgeContext,
  agent: Agent,
  exchange: { readonly req: IncomingMessage; readonly res: ServerResponse },
): Promise<void> {
  const { req, res } = exchange
  if (req.url === '/_chp_healthz') {
    res.writeHead(200, { 'Content-Type': 'application/json' }).end('{"status":"OK"}')
    return
  }
  const found = findForwarding(context, req)
  if (found === 400) {
    res.writeHead(400, { Connection: 'close', 'Content-Length': 0 }).end()
    return
  }
  if (typeof found === 'number') {
    return answerFailure(context, exchange, { code: found, isHubDown: false })
  }
  try {
    await forwardRequest(context, agent, { ...exchange, ...found })
  } catch (error) {
    if (res.destroyed) return
    const { entry, owner, path } = found.route
    const isHubDown = entry.data['hub'] === true || (path === '/' && owner !== 'api')
    context.log('warn', `503 ${req.method} ${found.route.path}: ${String(error)}`)
    await answerFailure(context, exchange, { code: 503, isHubDown })
  }
}

function handleUpgrade(
  context: EdgeContext,
  exchange: { req: IncomingMessage; socket: Duplex; head: Buffer },
): void {
  const { req, socket } = exchange
  const isWebSocket = req.headers.upgrade?.toLowerCase() === 'websocket'
  const hasBody = req.headers['transfer-encoding'] ?? req.headers['content-length']
  // Bytes of a body would be taken for frames.
  if (req.method !== 'GET' || !isWebSocket || (hasBody ?? '0') !== '0') {
    socket.destroy()
    return
  }
  const found = findForwarding(context, req)
  if (typeof found === 'number') refuseUpgrade(socket, found)
  else forwardUpgrade(context, { ...exchange, ...found })
}

function findForwarding(context: EdgeContext, req: IncomingMessage): Forwarding | 400 | 404 | 500 {
  const { table, options } = context
  const hosts = req.headersDistinct['host'] ?? []
  const path = parseRequestTarget(req.url ?? '')
  if (path === undefined || hosts.length > 1) return 400
  const decoded = decodePath(path.path)
  if (decoded === undefined) return 500
  const host = options.hostRouting ? hostSegment(req.headers.host) : undefined
  if (options.hostRouting && host === undefined) return 404
  const route = table.match(decoded, host)
  if (route === undefined) return 404
  const { target } = route.entry
  if (target === undefined) return 500
  const prefix =
    host !== undefined && route.path !== '/' ? route.path.slice(host.length + 1) || '/' : route.path
  return { route, target, path, prefix }
}
