import { readFileSync } from 'node:fs'
import { Agent, createServer, request as requestHttp1 } from 'node:http'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import { connect } from 'node:http2'
import type { ClientHttp2Stream } from 'node:http2'
import { createServer as createTlsServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { addRoute, cleanups, edge, temporaryFolder } from './edge-test-kit.ts'
import type { Edge, EdgeOptions } from './edge.ts'
import { http2Options } from './http2/h2-test-kit.ts'
import { makeCertificate } from './tls/certificates-for-tests.ts'

export const fronts = ['HTTP/1.1', 'HTTP/2'] as const
export const targets = ['TCP', 'TLS', 'Unix'] as const

/** A request under way, over either version. */
export interface Asked {
  readonly body: Writable
  /** The answer has begun. */
  readonly begun: Promise<{ readonly status: number; readonly headers: Record<string, unknown> }>
  /** Of the answer; flows when it is read. */
  readonly stream: Promise<Readable>
  readonly interim: number[]
  trailers(): Record<string, unknown>
  /** Takes the request back. */
  leave(): void
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly hasBody?: boolean
  /** Behind the body. */
  readonly trailers?: Record<string, string>
}

export type Ask = (path: string, options?: AskOptions) => Asked

export interface TestTarget {
  readonly url: string
  readonly server: Server
  /** Every connection, in order. */
  readonly connections: Socket[]
  readonly options: Partial<EdgeOptions>
}

/** A server of a kind, which ends with the test. */
export async function startTarget(
  kind: (typeof targets)[number],
  listener: RequestListener,
): Promise<TestTarget> {
  const folder = await temporaryFolder()
  const connections: Socket[] = []
  let options: Partial<EdgeOptions> = {}
  let server: Server
  if (kind === 'TLS') {
    const { keyPath, certPath } = makeCertificate(folder, { name: 't', names: ['IP:127.0.0.1'] })
    const pair = { key: readFileSync(keyPath), cert: readFileSync(certPath) }
    server = createTlsServer(pair, listener)
    const side = { requestCert: false, rejectUnauthorized: true }
    options = { clientTls: { ...side, caPath: certPath } }
  } else server = createServer(listener)
  server.on(kind === 'TLS' ? 'secureConnection' : 'connection', (socket: Socket) => {
    connections.push(socket)
  })
  const path = `${folder}/socket`
  if (kind === 'Unix') server.listen(path)
  else server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    for (const socket of connections) socket.destroy()
    server.close()
  })
  const port = kind === 'Unix' ? 0 : (server.address() as AddressInfo).port
  const scheme = kind === 'TLS' ? 'https' : 'http'
  const url =
    kind === 'Unix' ? `http+unix://${encodeURIComponent(path)}` : `${scheme}://127.0.0.1:${port}`
  return { url, server, connections, options }
}

/** An edge with a front of a version and a client that keeps its connection. */
export async function startFront(
  version: (typeof fronts)[number],
  target: TestTarget,
  more: Partial<EdgeOptions> = {},
): Promise<{ e: Edge; ask: Ask }> {
  const own = version === 'HTTP/2' ? await http2Options() : {}
  const e = await edge({ ...own, ...target.options, ...more })
  await addRoute(e, '/', target.url)
  return { e, ask: version === 'HTTP/2' ? askByHttp2(e) : askByHttp1(e) }
}

function askByHttp1(e: Edge): Ask {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  cleanups.push(() => agent.destroy())
  return (path, { method = 'GET', headers = {}, hasBody = false, trailers } = {}) => {
    const request = requestHttp1({ host: '127.0.0.1', port: e.port, path, method, headers, agent })
    if (trailers !== undefined) request.addTrailers(trailers)
    const interim: number[] = []
    let answer: IncomingMessage | undefined
    request.on('information', ({ statusCode }) => interim.push(statusCode))
    request.on('error', () => undefined)
    const stream = once(request, 'response').then(([given]) => (answer = given as IncomingMessage))
    stream.catch(() => undefined)
    if (hasBody) request.flushHeaders()
    else request.end()
    const begun = stream.then((a) => ({ status: a.statusCode ?? 0, headers: { ...a.headers } }))
    begun.catch(() => undefined)
    // Without a reset it might have ended its side only, and wait for its answer.
    const leave = (): void => void request.socket?.resetAndDestroy()
    return { body: request, begun, stream, interim, trailers: () => answer?.trailers ?? {}, leave }
  }
}

function askByHttp2(e: Edge): Ask {
  const session = connect(`https://127.0.0.1:${e.port}`, { rejectUnauthorized: false })
  session.on('error', () => undefined)
  cleanups.push(() => session.destroy())
  return (path, { method = 'GET', headers = {}, hasBody = false, trailers: sent } = {}) => {
    const pseudo = { ':path': path, ':method': method, ':authority': 'hub.test' }
    const stream: ClientHttp2Stream = session.request(
      { ...pseudo, ...headers },
      { endStream: !hasBody, waitForTrailers: sent !== undefined },
    )
    stream.on('wantTrailers', () => stream.sendTrailers(sent ?? {}))
    const interim: number[] = []
    let trailers: Record<string, unknown> = {}
    stream.on('headers', (some) => interim.push(Number(some[':status'])))
    stream.on('trailers', (some: Record<string, unknown>) => (trailers = some))
    stream.on('error', () => undefined)
    const begun = once(stream, 'response').then(([given]) => {
      const all = given as Record<string, unknown>
      return { status: Number(all[':status']), headers: all }
    })
    begun.catch(() => undefined)
    const leave = (): void => stream.close(8)
    const ready = begun.then(() => stream)
    ready.catch(() => undefined)
    return { body: stream, begun, stream: ready, interim, trailers: () => trailers, leave }
  }
}

/** Reads an answer to its end. Rejects when it breaks off. */
export async function answer(
  asked: Asked,
): Promise<{ status: number; headers: Record<string, unknown>; text: string }> {
  const { status, headers } = await asked.begun
  let text = ''
  for await (const chunk of (await asked.stream) as AsyncIterable<Buffer>)
    text += chunk.toString('latin1')
  return { status, headers, text }
}
