import { Agent, type Dispatcher, request } from 'undici'
import { messageOf } from '../../../domain/errors.ts'
import type { ServerCertificate } from '../../../plugin-api/spawner.ts'
import { isJsonObject, type Json } from '../../../util/json.ts'
import { parseUnixSocketUrl } from '../../../util/unix-socket-url.ts'
import { cleanRoutePath } from '../../routespec.ts'
import { type ListedRoute, type ProxyAdapter, ProxyError } from '../proxy-adapter.ts'

export interface RestClientOptions {
  /** `ConfigurableHTTPProxy.api_url`: `http://host:port`, or `http+unix://%2Fpath` for a socket. */
  readonly apiUrl: string
  readonly authToken: string
  /** `ConfigurableHTTPProxy.concurrency`: calls at once. */
  readonly concurrency?: number
  readonly timeoutMs?: number
  /** For an API by HTTPS: who we are, and whom we trust. */
  readonly tls?: ServerCertificate
}

/** A table of 100,000 routes is some 25 MB. */
const maxListBytes = 256 * 1024 * 1024
const defaultConcurrency = 10
const defaultTimeoutMs = 10_000

/**
 * Drives an unmodified configurable-http-proxy by its REST API.
 * Source: configurable-http-proxy 5.3, `/api/routes`; contract proxy §2.2, §9.3.
 */
export function createRestClient(options: RestClientOptions): ProxyAdapter {
  const { authToken, concurrency = defaultConcurrency, timeoutMs = defaultTimeoutMs } = options
  const { origin, socketPath } = parseApiUrl(options.apiUrl)
  const agent = new Agent({
    connections: concurrency,
    allowH2: false,
    keepAliveTimeout: 4_000, // the proxy closes after five seconds
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: {
      ...options.tls,
      timeout: timeoutMs,
      ...(socketPath !== undefined && { socketPath }),
    },
  })

  async function call(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    rest: { signal: AbortSignal; body?: Json },
  ): Promise<{ status: number; body: Dispatcher.ResponseData['body'] }> {
    const url = `${origin}/api/routes${path}`
    try {
      const { statusCode, body } = await request(url, {
        method,
        dispatcher: agent,
        signal: rest.signal,
        headers: { authorization: `token ${authToken}` },
        ...(rest.body !== undefined && { body: JSON.stringify(rest.body) }),
      })
      if (statusCode === 403) {
        await body.dump()
        const message = `${options.apiUrl} refuses the token (ConfigurableHTTPProxy.auth_token)`
        throw new ProxyError(message, { isRefused: true })
      }
      return { status: statusCode, body }
    } catch (error) {
      if (error instanceof ProxyError) throw error
      throw new ProxyError(`${options.apiUrl} gave no answer: ${messageOf(error)}`, {
        cause: error,
      })
    }
  }

  async function expectStatus(
    wanted: readonly number[],
    ...[method, path, rest]: Parameters<typeof call>
  ): Promise<number> {
    const { status, body } = await call(method, path, rest)
    await body.dump()
    if (!wanted.includes(status)) {
      throw new ProxyError(`${options.apiUrl} answered ${status} to ${method} ${path}`)
    }
    return status
  }

  return {
    async addRoute({ routespec, target, data }, signal) {
      // `jupyterhub` marks it as a hub's: other hubs' tools and ours leave unmarked routes alone.
      const body = { ...data, target, jupyterhub: true }
      await expectStatus([201], 'POST', apiPath(routespec), { signal, body })
    },
    async deleteRoute(routespec, signal) {
      await expectStatus([204, 404], 'DELETE', apiPath(routespec), { signal })
    },
    async hasRoute(routespec, signal) {
      return (await expectStatus([200, 404], 'GET', apiPath(routespec), { signal })) === 200
    },
    async listRoutes(signal) {
      const { status, body } = await call('GET', '', { signal })
      if (status !== 200) {
        await body.dump()
        throw new ProxyError(`${options.apiUrl} answered ${status} to the list of its routes`)
      }
      return parseList(await readText(body))
    },
    close: () => agent.close(),
  }
}

/** The root keeps its slash; other paths go without the final one. Source: contract proxy §9.3. */
function apiPath(routespec: string): string {
  const path = routespec.startsWith('/') ? routespec : `/${routespec}`
  return path === '/' ? path : path.replace(/\/+$/, '')
}

function parseApiUrl(apiUrl: string): { origin: string; socketPath?: string } {
  const socket = parseUnixSocketUrl(apiUrl)
  if (socket !== undefined) return { origin: 'http://localhost', socketPath: socket.socketPath }
  return { origin: new URL(apiUrl).origin }
}

async function readText(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxListBytes) throw new ProxyError('the list of routes is too long to be read')
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof ProxyError) throw error
    throw new ProxyError(`the list of routes broke off: ${messageOf(error)}`, { cause: error })
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseList(text: string): ListedRoute[] {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch (cause) {
    throw new ProxyError('the list of routes is not JSON', { cause })
  }
  if (!isJsonObject(list)) throw new ProxyError('the list of routes is not an object')
  return Object.entries(list).flatMap(([path, data]) => {
    if (!isJsonObject(data)) return []
    const { target, last_activity: lastActivity } = data
    const at = typeof lastActivity === 'string' ? Date.parse(lastActivity) : Number.NaN
    return [
      {
        path: cleanRoutePath(path),
        target: typeof target === 'string' ? target : '',
        isOurs: Object.hasOwn(data, 'jupyterhub'),
        ...(!Number.isNaN(at) && { lastActivityMs: at }),
      },
    ]
  })
}
