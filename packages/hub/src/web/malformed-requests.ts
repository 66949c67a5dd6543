import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError } from 'fastify'
import { jupyterhubVersion } from '../util/version.ts'

/**
 * Answers what is no HTTP, or more of it than is read: 431 for headers that are too large, 405 for
 * verbs that no library knows, 408 for a request that does not end, 400 for the rest.
 * Source: Node 24 http, event `clientError`.
 */
export function answerMalformed(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) {
    socket.destroy()
    return
  }
  // Node gives the bytes, whatever their declared type.
  const packet: unknown = error.rawPacket
  const status = statusOf(error.code ?? '', Buffer.isBuffer(packet) ? packet : undefined)
  const phrase = STATUS_CODES[status] ?? 'Bad Request'
  const body = JSON.stringify({ status, message: phrase })
  const head = [
    `HTTP/1.1 ${status} ${phrase}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-JupyterHub-Version: ${jupyterhubVersion}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function statusOf(code: string, packet: Buffer | undefined): number {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return 431
    case 'HPE_INVALID_METHOD':
      return isRequestLine(packet) ? 405 : 400
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 408
    default:
      return 400
  }
}

function isRequestLine(packet: Buffer | undefined): boolean {
  const start = packet?.subarray(0, 4096).toString('latin1') ?? ''
  return /^[A-Z][A-Z-]{0,30} \S+ HTTP\/1\.[01]\r\n/.test(start)
}

/** Node keeps the answer under way there; bytes in between would tear it apart. */
function isAnswering(socket: Socket): boolean {
  if (!('_httpMessage' in socket)) return false
  const message: unknown = socket._httpMessage
  if (typeof message !== 'object' || message === null) return false
  return '_headerSent' in message && message._headerSent === true
}

/** `%` without two hexadecimal digits stands for itself, as in the reference. */
export function escapeStrayPercents(url: string): string {
  if (!url.includes('%')) return url
  const query = url.indexOf('?')
  const path = query === -1 ? url : url.slice(0, query)
  return path.replace(/%(?![0-9a-fA-F]{2})/g, '%25') + url.slice(path.length)
}
