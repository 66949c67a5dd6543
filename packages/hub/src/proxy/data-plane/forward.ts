import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import type { Duplex } from 'node:stream'
import { Agent, Client } from 'undici'
import type { Dispatcher } from 'undici'
import { cutPrefix } from '../request-target.ts'
import type { RequestTarget } from '../request-target.ts'
import type { Route } from '../routing-table.ts'
import type { Target } from '../target.ts'
import { maxHeadBytes } from './context.ts'
import type { EdgeContext, ForwardOptions } from './context.ts'
import { requestHeaders, responseHeaders } from './headers.ts'

/** A request together with where it goes. */
export interface Forwarding {
  readonly route: Route
  readonly target: Target
  readonly path: RequestTarget
  /** Decoded path of the route without the host segment. */
  readonly prefix: string
}

const connectTimeoutMs = 10_000
/** Shorter than any server keeps an idle connection. */
const idleMs = 4000

/** Pool of connections to targets. */
export function createUpstreamAgent(): Agent {
  return new Agent({
    // Answers keep the raw headers that HTTP/1.1 has, in their order.
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: idleMs,
    keepAliveMaxTimeout: idleMs,
    bodyTimeout: 0,
    headersTimeout: 0,
    maxHeaderSize: maxHeadBytes,
    connect: { timeout: connectTimeoutMs },
  })
}

export function upstreamPath(forwarding: Forwarding, options: ForwardOptions): string {
  const { target, path, prefix } = forwarding
  const own = options.includePrefix ? path.path : cutPrefix(path.path, prefix)
  const query = [target.query.slice(1), path.query.slice(1)].filter((part) => part !== '').join('&')
  return `${options.prependPath ? target.path : ''}${own}${query === '' ? '' : `?${query}`}`
}

/** Streams a request to its target and the answer back; rejects when nothing was answered yet. */
export async function forwardRequest(
  context: EdgeContext,
  agent: Agent,
  exchange: { readonly req: IncomingMessage; readonly res: ServerResponse } & Forwarding,
): Promise<void> {
  const { req } = exchange
  const hasBody =
    req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0
  const canRetry = !hasBody && (req.method === 'GET' || req.method === 'HEAD')
  const attempt = (): Promise<void> => dispatchOnce({ context, agent, hasBody, ...exchange })
  await attempt().catch((error: unknown) => {
    if (canRetry && isIdleReset(error) && !exchange.res.destroyed) return attempt()
    throw error
  })
}

/** A reused connection that the target closed before a byte of an answer came. */
function isIdleReset(error: unknown): boolean {
  if (!(error instanceof Error) || ('syscall' in error && error.syscall === 'connect')) return false
  const code = 'code' in error ? error.code : undefined
  if (code === 'ECONNRESET' || code === 'EPIPE') return true
  const socket = 'socket' in error ? (error.socket as { bytesRead?: number } | null) : null
  return code === 'UND_ERR_SOCKET' && (socket?.bytesRead ?? 0) > 0
}

interface Attempt extends Forwarding {
  readonly context: EdgeContext
  readonly agent: Agent
  readonly hasBody: boolean
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

function dispatchOnce(attempt: Attempt): Promise<void> {
  const { context, agent, hasBody, req, res, route, target } = attempt
  const { table, options } = context
  // Of our own, since undici destroys the body on failure and `req` still has to carry the answer.
  const body = hasBody ? req.pipe(new PassThrough()) : null
  if (hasBody) req.on('data', () => table.touch(route, Date.now()))
  return new Promise((resolve, reject) => {
    const dispatcher = target.socketPath === undefined ? agent : unixClient(target)
    let answerBegan = false
    let controller: Dispatcher.DispatchController | undefined
    const onClose = (): void => {
      if (!res.writableFinished) controller?.abort(new Error('the client left'))
    }
    const onDrain = (): void => controller?.resume()
    res.on('close', onClose).on('drain', onDrain)
    const settle = (): void => {
      res.off('close', onClose).off('drain', onDrain)
      // A client of a unix socket serves one request; its end needs no waiting for.
      if (dispatcher !== agent) dispatcher.destroy().catch(() => undefined)
    }
    const dispatch: Dispatcher.DispatchOptions = {
      origin: target.origin,
      path: upstreamPath(attempt, options),
      method: req.method as Dispatcher.HttpMethod,
      headers: requestHeaders(req, target, options),
      body,
      headersTimeout: options.proxyTimeoutMs,
    }
    dispatcher.dispatch(dispatch, {
      onRequestStart(started) {
        controller = started
        if (res.destroyed) started.abort(new Error('the client left'))
      },
      onResponseStarted() {
        answerBegan = true
      },
      onResponseStart(started, status, _headers, message) {
        if (status < 200) return
        const raw = (started.rawHeaders ?? []) as (string | Buffer)[]
        const headers = rewriteLocation(responseHeaders(raw), status, attempt)
        res.writeHead(status, message ?? '', headers)
        if (!headers.some((name) => name.toLowerCase() === 'content-length')) res.flushHeaders()
      },
      onResponseData(started, chunk) {
        if (!res.write(chunk)) started.pause()
      },
      onResponseEnd() {
        settle()
        res.end()
        if (res.statusCode < 300) table.touch(route, Date.now())
        resolve()
      },
      onResponseError(_started, error) {
        settle()
        if (body !== null) req.unpipe(body)
        if (res.headersSent) res.destroy()
        // Without its code the failure is not taken for an idle reset.
        reject(answerBegan ? new Error('the answer was cut', { cause: error }) : error)
      },
    })
  })
}

function unixClient(target: Target): Client {
  return new Client(target.origin, {
    socketPath: target.socketPath ?? '',
    bodyTimeout: 0,
    maxHeaderSize: maxHeadBytes,
    connect: { timeout: connectTimeoutMs },
  })
}

/** Source: contract proxy §4, `Location`. */
function rewriteLocation(headers: string[], status: number, attempt: Attempt): string[] {
  const { req, target } = attempt
  const { autoRewrite, protocolRewrite } = attempt.context.options
  if (!autoRewrite && protocolRewrite === undefined) return headers
  if (![201, 301, 302, 307, 308].includes(status)) return headers
  return headers.map((value, i) => {
    if (i % 2 === 0 || headers[i - 1]?.toLowerCase() !== 'location') return value
    if (!URL.canParse(value) || new URL(value).host !== target.host) return value
    const url = new URL(value)
    if (autoRewrite && req.headers.host !== undefined) url.host = req.headers.host
    if (protocolRewrite !== undefined) url.protocol = protocolRewrite
    return url.href
  })
}

/** Opens a WebSocket at the target and joins the two sockets. Source: contract proxy §5. */
export function forwardUpgrade(
  context: EdgeContext,
  exchange: { req: IncomingMessage; socket: Duplex; head: Buffer } & Forwarding,
): void {
  const { req, socket, head, route, target } = exchange
  const { table, options, log } = context
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest
  const upstream = send({
    host: target.hostname,
    port: target.port,
    ...(target.socketPath === undefined ? {} : { socketPath: target.socketPath }),
    path: upstreamPath(exchange, options),
    method: 'GET',
    agent: false,
    maxHeaderSize: maxHeadBytes,
    timeout: options.proxyTimeoutMs || connectTimeoutMs * 6,
    headers: [
      ...requestHeaders(req, target, options),
      'Connection',
      'Upgrade',
      'Upgrade',
      req.headers.upgrade ?? 'websocket',
    ],
  })
  let isJoined = false
  const fail = (error: Error): void => {
    upstream.destroy()
    if (isJoined) return
    log('warn', `503 WebSocket ${route.path}: ${error.message}`)
    refuseUpgrade(socket, 503)
  }
  socket.on('close', () => upstream.destroy())
  upstream.on('error', fail).on('timeout', () => fail(new Error('no answer in time')))
  upstream.on('upgrade', (answer, far, farHead) => {
    isJoined = true
    far.setTimeout(0)
    const lines = [`HTTP/1.1 101 ${answer.statusMessage ?? ''}`]
    for (let i = 0; i < answer.rawHeaders.length; i += 2) {
      lines.push(`${answer.rawHeaders[i]}: ${answer.rawHeaders[i + 1]}`)
    }
    socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
    if (farHead.length > 0) socket.write(farHead)
    if (head.length > 0) far.write(head)
    socket.on('data', () => table.touch(route, Date.now()))
    join(socket as Socket, far)
  })
  upstream.on('response', (answer) => {
    isJoined = true
    const headers = responseHeaders(answer.rawHeaders)
    const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage ?? ''}`]
    for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`)
    socket.write(`${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`, 'latin1')
    answer.on('error', () => socket.destroy())
    answer.pipe(socket)
  })
  upstream.end()
}

/** Ends an upgrade request that leads nowhere. */
export function refuseUpgrade(socket: Duplex, code: 400 | 404 | 500 | 503): void {
  if (socket.destroyed) return
  socket.end(`HTTP/1.1 ${code} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`, () =>
    socket.destroy(),
  )
}

function join(near: Socket, far: Socket): void {
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    from.setNoDelay(true)
    from.on('error', () => to.destroy())
    from.on('end', () => to.destroySoon()).on('close', () => to.destroySoon())
    from.pipe(to)
  }
}
