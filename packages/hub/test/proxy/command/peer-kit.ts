import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, vi } from 'vitest'
import { freePort } from '../../support/ports.ts'

/**
 * The same cases for two programs with the same command line: configurable-http-proxy, unmodified,
 * and `orrery edge`. A case that fails with the former is a wrong case; where the edge is meant to
 * differ, the case says so and docs/reference/differences.md why.
 */
export interface Program {
  readonly name: string
  readonly isOurs: boolean
  readonly args: readonly string[]
}

const chp = join(
  dirname(createRequire(import.meta.url).resolve('configurable-http-proxy/package.json')),
  'bin/configurable-http-proxy',
)
const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

export const programs: readonly Program[] = [
  { name: 'configurable-http-proxy', isOurs: false, args: [chp] },
  {
    name: 'orrery edge',
    isOurs: true,
    args: ['--disable-warning=ExperimentalWarning', main, 'edge', '--workers', '1'],
  },
]

export const token = 'case-secret'
export const patience = { timeout: 15_000, interval: 20 }
/** Nobody listens there. */
export const deadTarget = 'http://127.0.0.1:9'

/** Run after the last test of a file, last one first. */
export const cleanups: (() => unknown)[] = []
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

export interface Running {
  readonly child: ChildProcess
  /** What it wrote to either stream so far. */
  output(): string
  /** Resolves with the exit code. */
  exited(): Promise<number | null>
}

export interface Peer extends Running {
  readonly port: number
  readonly url: string
  readonly apiUrl: string
  /** A request to `/api/routes` with the token. */
  api(path: string, init?: RequestInit): Promise<Response>
  addRoute(path: string, target: string, data?: object): Promise<void>
  routes(): Promise<Record<string, RouteData>>
  ask(path: string, init?: RequestInit): Promise<Response>
}

export interface RouteData {
  readonly target: string
  readonly last_activity: string
}

/** Starts a program as it is, for what it writes and how it ends. */
export function run(
  program: Program,
  flags: readonly string[],
  env: Readonly<Record<string, string | undefined>> = { CONFIGPROXY_AUTH_TOKEN: token },
): Running {
  const { CONFIGPROXY_AUTH_TOKEN: _given, ...inherited } = process.env
  const child = spawn(process.execPath, [...program.args, ...flags], {
    cwd: tmpdir(),
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const closed = once(child, 'close')
  cleanups.push(async () => {
    child.kill('SIGKILL')
    await closed
  })
  return {
    child,
    output: () => output,
    exited: async () => {
      await closed
      return child.exitCode
    },
  }
}

/** Starts a program on free ports, and waits until both listen. */
export async function start(
  program: Program,
  flags: readonly string[] = [],
  env?: Readonly<Record<string, string>>,
): Promise<Peer> {
  const [port, apiPort] = [await freePort(), await freePort()]
  const listen = ['--ip', '127.0.0.1', '--port', `${port}`]
  const api = ['--api-ip', '127.0.0.1', '--api-port', `${apiPort}`]
  const running = run(program, [...listen, ...api, ...flags], env)
  await untilListening(running, port)
  await untilListening(running, apiPort)
  return peer(running, port, apiPort, flags.includes('--ssl-key') ? 'https' : 'http')
}

function peer(running: Running, port: number, apiPort: number, scheme: string): Peer {
  const url = `${scheme}://127.0.0.1:${port}`
  const apiUrl = `http://127.0.0.1:${apiPort}/api/routes`
  const api = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(apiUrl + path, { ...init, headers: { Authorization: `token ${token}` } })
  return {
    ...running,
    port,
    url,
    apiUrl,
    api,
    async addRoute(path, target, data = {}) {
      const body = JSON.stringify({ target, ...data })
      const { status } = await api(path, { method: 'POST', body })
      if (status !== 201) throw new Error(`${status} for POST ${path}`)
    },
    routes: async () => (await (await api('')).json()) as Record<string, RouteData>,
    ask: (path, init) => fetch(url + path, { redirect: 'manual', ...init }),
  }
}

export async function untilListening(running: Running, at: number | string): Promise<void> {
  await vi.waitUntil(async () => {
    if (running.child.exitCode !== null)
      throw new Error(`ended with ${running.child.exitCode}: ${running.output()}`)
    return accepts(at)
  }, patience)
}

/** @param at - port on loopback, or path of a Unix socket. */
function accepts(at: number | string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof at === 'number' ? connect(at, '127.0.0.1') : connect(at)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'proxy-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A server that ends with the file. @param at - port, or path of a Unix socket. */
export async function serve(
  listener: (...args: Parameters<RequestListener>) => unknown,
  at: number | string = 0,
): Promise<Server & { readonly url: string }> {
  const server = createServer((req, res) => void listener(req, res))
  if (typeof at === 'number') server.listen(at, '127.0.0.1')
  else server.listen(at)
  await once(server, 'listening')
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address() as AddressInfo | string
  const url =
    typeof address === 'string'
      ? `http+unix://${encodeURIComponent(address)}`
      : `http://127.0.0.1:${address.port}`
  return Object.assign(server, { url })
}

/** What a target says that it was asked. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

/** Answers with what it was asked, as JSON. */
export function serveMirror(at: number | string = 0): ReturnType<typeof serve> {
  return serve((req, res) => {
    const { method, url, headers } = req
    req.resume().on('end', () => res.end(JSON.stringify({ method, url, headers })))
  }, at)
}

export interface Wire {
  send(text: string): void
  /** All that came, once a text is in it or the other end has closed. */
  until(text?: string | RegExp): Promise<string>
  close(): void
}

/** A connection for bytes. */
export function wire(port: number): Wire {
  const socket = connect(port, '127.0.0.1')
  cleanups.push(() => socket.destroy())
  let got = ''
  socket
    .on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
    .on('error', () => undefined)
  return {
    send: (text) => void socket.write(text, 'latin1'),
    async until(text) {
      const isThere = (): boolean => text !== undefined && got.search(text) !== -1
      await vi.waitUntil(() => socket.closed || isThere(), patience)
      return got
    },
    close: () => void socket.destroy(),
  }
}

/** Sends bytes and reads until the end, or until a text has come. */
export async function raw(port: number, text: string, until?: string | RegExp): Promise<string> {
  const one = wire(port)
  one.send(text)
  const got = await one.until(until)
  one.close()
  return got
}

/** A request that wants to become a WebSocket. */
export const upgrade = (path: string, lines = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${lines}\r\n`

/** A server that joins WebSockets and sends back what it gets, and else mirrors. */
export async function serveEcho(at: number | string = 0): ReturnType<typeof serve> {
  const server = await serveMirror(at)
  server.on('upgrade', (_req, socket, head: Buffer) => {
    const echo = (chunk: Buffer): boolean => socket.write(`echo:${chunk.toString()}`)
    socket.write('HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Y: 1\r\n\r\n')
    if (head.length > 0) echo(head)
    socket.on('data', echo).on('error', () => undefined)
  })
  return server
}
