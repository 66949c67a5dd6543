import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { ServerOptions } from 'node:https'
import { isJsonObject } from '../../util/json.ts'
import type { JsonObject } from '../../util/json.ts'
import { decodePath } from '../request-target.ts'
import { cleanRoutePath, splitPath } from '../routespec.ts'
import type { Route } from '../routing-table.ts'
import type { EdgeContext } from './context.ts'

export interface RestApiOptions {
  /** Empty leaves the API open, as configurable-http-proxy does. */
  readonly token: string
  readonly onChange: () => void
  /** Resolves once changes made so far route requests: only then are they answered. */
  readonly applied: () => Promise<void>
  /** Resolves once the table knows of recent activity. */
  readonly freshen: () => Promise<void>
  /** The API answers by HTTPS only. */
  readonly tls?: ServerOptions
}

interface Answer {
  readonly status: number
  readonly text?: string
  readonly json?: JsonObject
}

const maxBodyBytes = 1024 * 1024

/** `/api/routes` of configurable-http-proxy. Source: contract proxy §2. */
export function createRestApi(context: EdgeContext, options: RestApiOptions): Server {
  const listener = (req: IncomingMessage, res: ServerResponse): void => {
    answer(context, options, req)
      .catch((error: unknown) => ({ status: 500, text: String(error) }))
      .then((reply) => send(context, { req, res }, reply))
      .catch(() => res.destroy())
  }
  return options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener)
}

async function answer(
  context: EdgeContext,
  options: RestApiOptions,
  req: IncomingMessage,
): Promise<Answer> {
  const asked = req.url ?? '/'
  // `*` of OPTIONS leads nowhere.
  const url = new URL(asked.startsWith('/') ? `http://api${asked}` : 'http://api/')
  const match = /^\/api\/routes(?:\/(.*))?$/.exec(url.pathname)
  if (match === null) return { status: 404, text: 'Not Found' }
  if (!isAllowed(req, options.token)) return { status: 403 }
  const decoded = decodePath(match[1] ?? '')
  if (decoded === undefined) return { status: 400, text: 'Malformed path' }
  const path = cleanRoutePath(decoded)
  switch (req.method ?? '') {
    case 'GET':
      await options.freshen()
      return path === '/' ? list(context, url.searchParams) : getOne(context, path)
    case 'POST':
      return add(context, options, { req, path })
    case 'DELETE':
      return remove(context, options, path)
    default:
      return { status: 405, text: 'Method not supported' }
  }
}

function isAllowed(req: IncomingMessage, token: string): boolean {
  if (token === '') return true
  const given = /token\s+(\S+)/.exec(req.headers.authorization ?? '')?.[1] ?? ''
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(token))
}

function list(context: EdgeContext, query: URLSearchParams): Answer {
  const since = query.get('inactiveSince') || query.get('inactive_since')
  const limitMs = !since ? Number.POSITIVE_INFINITY : Date.parse(since)
  if (Number.isNaN(limitMs)) {
    return { status: 400, text: `Invalid datestamp '${since}' must be ISO8601.` }
  }
  context.counts.count('apiGet')
  const routes = [...context.table.list()].filter((route) => route.lastActivityMs < limitMs)
  return { status: 200, json: Object.fromEntries(routes.map((r) => [r.path, view(context, r)])) }
}

function getOne(context: EdgeContext, path: string): Answer {
  const route = context.table.find(path)
  return route === undefined ? { status: 404 } : { status: 200, json: view(context, route) }
}

function view(context: EdgeContext, route: Route): JsonObject {
  const host = context.options.hostRouting ? splitPath(route.path)[0] : undefined
  return {
    ...route.entry.data,
    target: route.entry.targetUrl,
    ...(host === undefined ? {} : { host }),
    last_activity: new Date(route.lastActivityMs).toISOString(),
  }
}

async function add(
  context: EdgeContext,
  options: RestApiOptions,
  { req, path }: { readonly req: IncomingMessage; readonly path: string },
): Promise<Answer> {
  const text = await readBody(req)
  if (text === undefined) return { status: 413, text: 'Body too large' }
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (error) {
    return { status: 400, text: `Body not valid JSON: ${String(error)}` }
  }
  const target = isJsonObject(body) ? body['target'] : undefined
  if (!isJsonObject(body) || typeof target !== 'string') {
    return { status: 400, text: "Must specify 'target' as string" }
  }
  const { target: _target, last_activity: _ignored, ...data } = body
  const beganAt = performance.now()
  const lastActivityMs = Date.now()
  context.table.set({ path, owner: 'api', targetUrl: target, data, lastActivityMs })
  context.counts.took('activity', performance.now() - beganAt)
  context.log('info', `Adding route ${path} -> ${target}`)
  options.onChange()
  await options.applied()
  context.counts.count('apiAdd')
  return { status: 201 }
}

async function remove(
  context: EdgeContext,
  options: RestApiOptions,
  path: string,
): Promise<Answer> {
  context.counts.count('apiDelete')
  const isGone = [
    context.table.delete(path, 'api'),
    context.table.delete(path, 'default'),
  ].includes(true)
  if (!isGone) return { status: 404 }
  context.log('info', `Removing route ${path}`)
  options.onChange()
  await options.applied()
  return { status: 204 }
}

async function readBody(req: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBodyBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function send(
  context: EdgeContext,
  { req, res }: { readonly req: IncomingMessage; readonly res: ServerResponse },
  reply: Answer,
): void {
  const level = reply.status < 400 ? 'info' : reply.status < 500 ? 'warn' : 'error'
  context.log(level, `${reply.status} ${req.method} ${req.url?.split('?')[0]} ${reply.text ?? ''}`)
  if (reply.json !== undefined) res.setHeader('Content-Type', 'application/json')
  context.counts.answered('api', reply.status)
  res.writeHead(reply.status)
  res.end(reply.json === undefined ? reply.text : JSON.stringify(reply.json))
}
