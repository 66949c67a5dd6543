import { once } from 'node:events'
import { connect } from 'node:tls'
import { vi } from 'vitest'
import { cleanups, patience } from '../edge-test-kit.ts'
import type { Edge } from '../edge.ts'

/** Frames as nobody's library would write them. Source: RFC 9113 §4.1; RFC 7541 §6.2.2, literals only. */
const kind = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7 } as const
const end = { stream: 1, headers: 4 } as const

function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

export type Field = readonly [string, string]
const text = (of: string): Buffer =>
  Buffer.concat([Buffer.of(of.length), Buffer.from(of, 'latin1')])
const block = (fields: readonly Field[]): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]))

export interface Sent {
  readonly fields: readonly Field[]
  readonly body?: string
  readonly trailers?: readonly Field[]
}

/** Fields of a request, with pseudo fields replaced or, by an empty name, left out. */
export const ask = (
  change: Record<string, string | undefined>,
  more: readonly Field[] = [],
): Field[] => {
  const usual = { ':method': 'POST', ':scheme': 'https', ':authority': 'hub.test', ':path': '/x' }
  const pseudo = Object.entries({ ...usual, ...change })
  return [...pseudo.flatMap(([n, v]) => (v === undefined ? [] : [[n, v] as const])), ...more]
}

/** Sends one request on a connection of its own and waits until it is answered or reset. */
export async function sendFrames(e: Edge, { fields, body, trailers }: Sent): Promise<void> {
  const socket = connect({
    port: e.port,
    host: '127.0.0.1',
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
  })
  cleanups.push(() => socket.destroy())
  socket.on('error', () => undefined)
  let got = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => (got = Buffer.concat([got, chunk])))
  await once(socket, 'secureConnect')
  const isLast = (one: boolean): number => (one ? end.stream : 0)
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  socket.write(frame(kind.settings, 0, 0, Buffer.alloc(0)))
  const flags = end.headers | isLast(body === undefined)
  socket.write(frame(kind.headers, flags, 1, block(fields)))
  if (body !== undefined) {
    socket.write(frame(kind.data, isLast(trailers === undefined), 1, Buffer.from(body, 'latin1')))
  }
  if (trailers !== undefined) {
    socket.write(frame(kind.headers, end.headers | end.stream, 1, block(trailers)))
  }
  await vi.waitUntil(() => socket.closed || hasEnded(got), { ...patience, interval: 5 })
  socket.destroy()
}

/** The stream was answered or reset, or the connection was ended. */
function hasEnded(bytes: Buffer): boolean {
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    const [type = 0, flags = 0] = [bytes[at + 3], bytes[at + 4]]
    const isOver = type === kind.data || type === kind.headers ? (flags & end.stream) !== 0 : false
    if (isOver || type === kind.reset || type === kind.goaway) return true
  }
  return false
}
