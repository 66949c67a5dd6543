import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { vi } from 'vitest'
import { cleanups, patience } from '../edge-test-kit.ts'

/** A socket of a test, with what it got as Latin-1 text. */
export class Wire {
  got = ''
  hasEnded = false
  readonly socket: Socket

  constructor(socket: Socket) {
    this.socket = socket
    cleanups.push(() => socket.destroy())
    socket.on('data', (chunk: Buffer) => (this.got += chunk.toString('latin1')))
    socket.on('end', () => (this.hasEnded = true))
    socket.on('error', () => undefined)
  }

  send(text: string): this {
    this.socket.write(text, 'latin1')
    return this
  }

  /** Waits until a text has come. @returns all that came */
  async until(text: string | RegExp): Promise<string> {
    const isThere = (): boolean =>
      typeof text === 'string' ? this.got.includes(text) : text.test(this.got)
    await vi.waitUntil(isThere, patience).catch(() => {
      throw new Error(`${String(text)} did not come, but ${JSON.stringify(this.got.slice(0, 400))}`)
    })
    return this.got
  }

  /** Waits until the other side has ended. @returns all that came */
  async ended(): Promise<string> {
    await vi.waitUntil(() => this.hasEnded || this.socket.closed, patience)
    return this.got
  }
}

export function wire(port: number): Wire {
  return new Wire(connect({ port, host: '127.0.0.1', allowHalfOpen: true }))
}

export interface WireServer {
  readonly url: string
  readonly port: number
  /** Every connection, in order. */
  readonly connections: readonly Wire[]
  /** Waits for the connection of a number from 0. */
  connection(index: number): Promise<Wire>
}

/** A server that says nothing by itself but what `onConnection` does. */
export async function serveWire(
  onConnection: (wire: Wire, index: number) => void = () => undefined,
): Promise<WireServer> {
  const connections: Wire[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const one = new Wire(socket)
    connections.push(one)
    onConnection(one, connections.length - 1)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    connections,
    async connection(index) {
      await vi.waitUntil(() => connections.length > index, patience)
      return connections[index] ?? Promise.reject(new Error('no connection'))
    },
  }
}

/** A server that gives every request head on a connection the same bytes. */
export function serveBytes(answer: string, andThen?: (wire: Wire) => void): Promise<WireServer> {
  return serveWire((one) => {
    let answered = 0
    one.socket.on('data', () => {
      const heads = one.got.split('\r\n\r\n').length - 1
      for (; answered < heads; answered += 1) {
        one.send(answer)
        andThen?.(one)
      }
    })
  })
}

export const get = (path: string, lines = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\n${lines}\r\n`
