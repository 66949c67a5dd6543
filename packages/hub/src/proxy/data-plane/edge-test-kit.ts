import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { RequestListener, Server, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, vi } from 'vitest'
import { formatEdgeMessage } from '../edge-protocol.ts'
import type { EdgeMessage } from '../edge-protocol.ts'
import { startEdge } from './edge.ts'
import type { Edge, EdgeOptions } from './edge.ts'

/** Run after each test, last one first. */
export const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

export const deadTarget = 'http://127.0.0.1:9'
export const patience = { timeout: 15_000 }

export const baseForward: EdgeOptions['forward'] = {
  hostRouting: false,
  xForward: true,
  prependPath: true,
  includePrefix: true,
  changeOrigin: false,
  autoRewrite: false,
  customHeaders: [],
  proxyTimeoutMs: 0,
}

/** A server on loopback that ends with the test. */
export async function serve(
  listener: (...args: Parameters<RequestListener>) => unknown,
  port = 0,
): Promise<Server & { url: string }> {
  const server = createServer((req, res) => void listener(req, res))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return Object.assign(server, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  })
}

/** A server that joins WebSockets and sends back what it gets. */
export async function serveEcho(): Promise<Server & { url: string }> {
  const target = await serve((_req, res) => void res.end('target'))
  target.on('upgrade', (_req, socket) => {
    socket.write('HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.on('data', (chunk: Buffer) => socket.write(`echo:${chunk.toString()}`))
    socket.on('error', () => undefined)
  })
  return target
}

/** An edge on loopback that ends with the test; its token is `secret`. */
export async function edge(options: Partial<EdgeOptions> = {}): Promise<Edge> {
  const started = await startEdge({
    forward: baseForward,
    publicListen: { ip: '127.0.0.1', port: 0 },
    apiListen: { ip: '127.0.0.1', port: 0 },
    token: 'secret',
    hubUrls: [],
    log: () => undefined,
    timeoutMs: 0,
    keepAliveTimeoutMs: 5000,
    ...options,
  })
  cleanups.push(() => started.close(0))
  return started
}

export const api = (e: Edge, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${e.apiPort}/api/routes${path}`, {
    ...init,
    headers: { Authorization: 'token secret' },
  })

export const addRoute = async (e: Edge, path: string, target: string, data = {}): Promise<void> => {
  const body = JSON.stringify({ target, ...data })
  expect((await api(e, path, { method: 'POST', body })).status).toBe(201)
}

/** `last_activity` of a route, as the API tells it. */
export async function activityOf(e: Edge, path: string): Promise<string> {
  const list = (await (await api(e, '')).json()) as Record<string, { last_activity: string }>
  return list[path]?.last_activity ?? ''
}

export const ask = (e: Edge, path: string, init?: RequestInit): Promise<Response> =>
  fetch(`http://127.0.0.1:${e.port}${path}`, init)

/** Sends bytes and collects the answer until the peer closes or `until` appears. */
export async function raw(port: number, text: string, until?: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  cleanups.push(() => socket.destroy())
  let got = ''
  socket
    .on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
    .on('error', () => undefined)
  socket.write(text)
  await vi.waitUntil(() => socket.closed || (until !== undefined && got.includes(until)), patience)
  return got
}

export const upgrade = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`

export interface Tunnel {
  readonly socket: Socket
  /** Head and bytes, as Latin-1 text. */
  readonly got: string
}

/** A client's WebSocket, once it is open. @param early - bytes right behind the request. */
export async function openTunnel(e: Edge, path: string, early = ''): Promise<Tunnel> {
  const socket = connect(e.port, '127.0.0.1').on('error', () => undefined)
  cleanups.push(() => socket.destroy())
  const tunnel = { socket, got: '' }
  socket.on('data', (chunk: Buffer) => (tunnel.got += chunk.toString('latin1')))
  socket.write(upgrade(path) + early)
  await vi.waitUntil(() => tunnel.got.includes('101'), patience)
  return tunnel
}

/** The clock has gone on since then, so that what happens now has another time. */
export const isPast = (time: string): Promise<boolean> =>
  vi.waitUntil(() => Date.now() > Date.parse(time), { ...patience, interval: 1 })

export interface FakeHub {
  readonly url: string
  readonly port: number
  /** What the edge posted and was answered 200. */
  readonly posts: { path: string; body: Record<string, unknown> }[]
  /** The query of each subscription. */
  readonly queries: URLSearchParams[]
  /** Subscriptions that are open. */
  readonly streams: ReadonlySet<ServerResponse>
  /** Writes to every open stream. */
  say(message: EdgeMessage): void
  stop(): void
}

/** A hub that speaks the protocol. `statusOfPost` other than 200 refuses a post, 0 never answers it. */
export async function fakeHub(
  first: (query: URLSearchParams) => EdgeMessage,
  options: { readonly port?: number; readonly statusOfPost?: (path: string) => number } = {},
): Promise<FakeHub> {
  const posts: FakeHub['posts'] = []
  const queries: URLSearchParams[] = []
  const streams = new Set<ServerResponse>()
  const server = await serve((req, res) => {
    const url = new URL(req.url ?? '', 'http://hub')
    if (req.headers.authorization !== 'token secret') return void res.writeHead(403).end()
    if (req.method === 'POST') {
      let text = ''
      req.on('data', (chunk: Buffer) => (text += chunk.toString()))
      req.on('end', () => {
        const status = options.statusOfPost?.(url.pathname) ?? 200
        const body = JSON.parse(text) as Record<string, unknown>
        if (status === 200) posts.push({ path: url.pathname, body })
        if (status !== 0) res.writeHead(status).end('{}')
      })
      return
    }
    queries.push(url.searchParams)
    streams.add(res)
    res.on('close', () => streams.delete(res))
    res.write(formatEdgeMessage(first(url.searchParams)))
  }, options.port)
  return {
    url: `${server.url}/hub/`,
    port: Number(new URL(server.url).port),
    posts,
    queries,
    streams,
    say: (message) => {
      for (const stream of streams) stream.write(formatEdgeMessage(message))
    },
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

export async function temporaryFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'edge-'))
  cleanups.push(() => rm(dir, { recursive: true, force: true }))
  return dir
}

export interface EdgeProcess {
  readonly child: ChildProcess
  readonly url: string
  readonly stdout: () => string
  readonly log: () => string
}

/** `orrery edge` as a process of its own, up or ended. @param before - code that runs in it first. */
export async function startProcess(
  dir: string,
  args: readonly string[],
  before = '',
): Promise<EdgeProcess> {
  const entry = new URL('../../cli/edge.ts', import.meta.url).href
  const code = `${before}
    import { runEdge } from ${JSON.stringify(entry)}
    await runEdge(process.argv.slice(1), process.env)`
  const listen = ['--ip', '127.0.0.1', '--port', '0', '--api-port', '0']
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', code, '--', ...listen, ...args],
    {
      cwd: dir,
      env: { ...process.env, CONFIGPROXY_AUTH_TOKEN: 'secret' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  cleanups.push(() => child.kill('SIGKILL'))
  let stdout = ''
  let log = ''
  let isClosed = false
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
  child.on('close', () => (isClosed = true))
  await vi.waitUntil(() => /on port \d+/.test(log) || isClosed, { timeout: 10_000 })
  const port = /on port (\d+)/.exec(log)?.[1]
  return { child, url: `http://127.0.0.1:${port}`, stdout: () => stdout, log: () => log }
}
