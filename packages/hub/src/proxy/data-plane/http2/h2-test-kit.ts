import { once } from 'node:events'
import { connect } from 'node:http2'
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  Settings,
} from 'node:http2'
import { cleanups, temporaryFolder } from '../edge-test-kit.ts'
import type { Edge, EdgeOptions } from '../edge.ts'
import { makeCertificate } from '../tls/certificates-for-tests.ts'

/** TLS with HTTP/2 for the host `hub.test`. */
export async function http2Options(hstsSeconds = 0): Promise<Pick<EdgeOptions, 'tls'>> {
  const folder = await temporaryFolder()
  const files = [makeCertificate(folder, { name: 'hub', names: ['hub.test'] })]
  const side = { requestCert: false, rejectUnauthorized: false }
  return { tls: { files, side, protocol: { settings: {} }, hasHttp2: true, hstsSeconds } }
}

export function openSession(e: Edge, settings: Settings = {}): ClientHttp2Session {
  const options = { rejectUnauthorized: false, servername: 'hub.test', settings }
  const session = connect(`https://127.0.0.1:${e.port}`, options)
  session.on('error', () => undefined)
  cleanups.push(() => session.destroy())
  return session
}

export interface StreamAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Names and values as they came. */
  readonly raw: readonly string[]
  readonly interim: readonly IncomingHttpHeaders[]
  readonly trailers: IncomingHttpHeaders
  readonly text: string
}

/** Waits for the end of a stream. Rejects when it is reset. */
export async function answerOf(stream: ClientHttp2Stream): Promise<StreamAnswer> {
  const interim: IncomingHttpHeaders[] = []
  let trailers: IncomingHttpHeaders = {}
  let text = ''
  stream.on('headers', (some: IncomingHttpHeaders) => interim.push(some))
  stream.on('trailers', (some: IncomingHttpHeaders) => (trailers = some))
  stream.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
  const ended = once(stream, 'close')
  ended.catch(() => undefined)
  const [headers, , raw] = (await once(stream, 'response')) as [
    IncomingHttpHeaders,
    number,
    string[],
  ]
  await ended
  return { status: Number(headers[':status']), headers, raw, interim, trailers, text }
}

export function askStream(
  session: ClientHttp2Session,
  headers: Record<string, string>,
): Promise<StreamAnswer> {
  return answerOf(session.request({ ':authority': 'hub.test', ':path': '/', ...headers }))
}
