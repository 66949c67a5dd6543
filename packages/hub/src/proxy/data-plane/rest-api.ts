import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { isIP } from 'node:net'
import { messageOf } from '../../domain/errors.ts'
import { isDeeperThan, isJsonObject } from '../../util/json.ts'
import type { JsonObject } from '../../util/json.ts'
import { decodePath } from '../request-target.ts'
import { RouteMemoryFullError } from '../route-memory/route-memory.ts'
import { cleanRoutePath } from '../routespec.ts'
import type { EdgeLog } from './context.ts'
import type { EdgeCounts } from './metrics/counts.ts'
import { sendRoutes } from './route-listing.ts'
import type { RouteStore, RouteTexts } from './storage/route-store.ts'
import type { LiveTls } from './tls/live-tls.ts'

export interface RestApiOptions {
  /** Empty leaves the API open, as configurable-http-proxy does. */
  readonly token: string
  readonly store: RouteStore
  readonly counts: EdgeCounts
  readonly log: EdgeLog
  /** The API answers by HTTPS only. */
  readonly tls?: LiveTls
}

interface Answer {
  readonly status: number
  readonly text?: string
  readonly json?: JsonObject
  /** A listing, which is written bit by bit. */
  readonly routes?: RouteTexts
}

/** Hubs are few. */
const maxConnections = 1000
/** Whoever says nothing must not keep a place for long. */
const times = { headersTimeout: 10_000, requestTimeout: 60_000, connectionsCheckingInterval: 1_000 }
const handshakeTimeout = 10_000

const maxBodyBytes = 1024 * 1024
/** What is deeper overflows the stack of whoever writes or reads it as JSON. */
const maxDepth = 100

/** `/api/routes` of configurable-http-proxy. Source: contract proxy §2. */
export function createRestApi(options: RestApiOptions): Server {
  const isAllowed = createTokenCheck(options.token)
  const listener = (req: IncomingMessage, res: ServerResponse): void => {
    answer(options, isAllowed, req)
      .catch((error: unknown) => ({ status: 500, text: messageOf(error) }))
      .then((reply) => send(options, { req, res }, reply))
      .catch(() => res.destroy())
  }
  const { tls } = options
  if (tls === undefined) return limited(createServer(times, listener))
  const server = createTlsServer({ ...tls.current, ...times, handshakeTimeout }, listener)
  tls.onChange(() => server.setSecureContext(tls.current))
  return limited(server)
}

function limited<S extends Server>(server: S): S {
  server.maxConnections = maxConnections
  return server
}

async function answer(
  options: RestApiOptions,
  isAllowed: (req: IncomingMessage) => boolean,
  req: IncomingMessage,
): Promise<Answer> {
  const asked = req.url ?? '/'
  // `*` of OPTIONS leads nowhere.
  const url = new URL(asked.startsWith('/') ? `http://api${asked}` : 'http://api/')
  const match = /^\/api\/routes(?:\/(.*))?$/.exec(url.pathname)
  if (match === null) return { status: 404, text: 'Not Found' }
  if (!isAllowed(req)) return { status: 403 }
  const decoded = decodePath(match[1] ?? '')
  if (decoded === undefined) return { status: 400, text: 'Malformed path' }
  const path = cleanRoutePath(decoded)
  switch (req.method ?? '') {
    case 'GET':
      return path === '/' ? list(options, url.searchParams) : getOne(options, path)
    case 'POST':
      return add(options, { req, path })
    case 'DELETE':
      return remove(options, path)
    default:
      return { status: 405, text: 'Method not supported' }
  }
}

function createTokenCheck(token: string): (req: IncomingMessage) => boolean {
  if (token === '') return (req) => !isOfWebPage(req)
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  const wanted = digest(token)
  return (req) => {
    const given = /token\s+(\S+)/.exec(req.headers.authorization ?? '')?.[1] ?? ''
    return timingSafeEqual(digest(given), wanted)
  }
}

/**
 * Whether a page in a browser may have sent this, from its own site or by a name that it lets lead
 * here (DNS rebinding): without a token nothing else would keep it out.
 */
function isOfWebPage(req: IncomingMessage): boolean {
  if (req.headers.origin !== undefined || req.headers['sec-fetch-site'] !== undefined) return true
  const isLocal = /^(?:::ffff:)?127\.|^::1$/.test(req.socket.localAddress ?? '')
  const name = (req.headers.host ?? '').replace(/:\d*$/, '').toLowerCase()
  return isLocal && name !== 'localhost' && isIP(name.replace(/^\[(.*)\]$/, '$1')) === 0
}

async function list({ store, counts }: RestApiOptions, query: URLSearchParams): Promise<Answer> {
  const since = query.get('inactiveSince') || query.get('inactive_since')
  const beforeMs = !since ? undefined : Date.parse(since)
  if (Number.isNaN(beforeMs)) {
    return { status: 400, text: `Invalid datestamp '${since}' must be ISO8601.` }
  }
  const routes = await store.list(beforeMs)
  counts.count('apiGet')
  return { status: 200, routes }
}

async function getOne({ store }: RestApiOptions, path: string): Promise<Answer> {
  const data = await store.find(path)
  return data === undefined ? { status: 404 } : { status: 200, json: data }
}

async function add(
  { store, counts, log }: RestApiOptions,
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
  if (isDeeperThan(body, maxDepth)) return { status: 400, text: 'Body is nested too deep' }
  log('info', `Adding route ${path} -> ${target}`)
  try {
    await store.add(path, { ...body, target })
  } catch (error) {
    if (error instanceof RouteMemoryFullError) return { status: 507, text: error.message }
    throw error
  }
  counts.count('apiAdd')
  return { status: 201 }
}

async function remove({ store, counts, log }: RestApiOptions, path: string): Promise<Answer> {
  const isGone = await store.remove(path)
  counts.count('apiDelete')
  if (!isGone) return { status: 404 }
  log('info', `Removing route ${path}`)
  return { status: 204 }
}

/** `undefined` when it is too large. Rejects when the client leaves before its end. */
function readBody(req: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    req
      .on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size <= maxBodyBytes) chunks.push(chunk)
        else resolve(undefined)
      })
      .on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
      .on('error', reject)
  })
}

async function send(
  { counts, log }: RestApiOptions,
  { req, res }: { readonly req: IncomingMessage; readonly res: ServerResponse },
  reply: Answer,
): Promise<void> {
  const { status, text, json, routes } = reply
  const level = status < 400 ? 'info' : status < 500 ? 'warn' : 'error'
  log(level, `${status} ${req.method} ${req.url?.split('?')[0]} ${text ?? ''}`)
  counts.answered('api', status)
  // Nobody reads the rest of a body that is too large.
  if (status === 413) res.setHeader('Connection', 'close')
  if (json !== undefined || routes !== undefined) res.setHeader('Content-Type', 'application/json')
  res.writeHead(status)
  if (routes === undefined) res.end(json === undefined ? text : JSON.stringify(json))
  else await sendRoutes(res, routes)
}
