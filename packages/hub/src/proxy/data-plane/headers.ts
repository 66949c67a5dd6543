import type { IncomingMessage } from 'node:http'
import type { Target } from '../target.ts'
import type { ForwardOptions } from './context.ts'

/** Headers of one connection, never forwarded. Source: RFC 9110 §7.6.1. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
])
/** What tells who the client is; believed from trusted peers only. */
const identity = new Set([
  'x-forwarded-for',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-scheme',
  'x-real-ip',
  'forwarded',
])

/**
 * Headers for the target, flat. `Host` is kept; forwarding headers are appended for a trusted peer.
 * Differs from configurable-http-proxy: those of any other peer are replaced, as they can be forged.
 * Source: contract proxy §4, §4.1.
 */
export function requestHeaders(req: IncomingMessage, target: Target, options: ForwardOptions) {
  const host = options.changeOrigin ? target.host : (req.headers.host ?? target.host)
  const out: string[] = ['Host', host]
  const nominated = nominatedHeaders(req.headers.connection)
  const custom = new Set(options.customHeaders.map(([name]) => name.toLowerCase()))
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i] ?? ''
    const key = name.toLowerCase()
    if (key === 'host' || hopByHop.has(key) || nominated.has(key) || custom.has(key)) continue
    if (options.xForward && identity.has(key)) continue
    out.push(name, req.rawHeaders[i + 1] ?? '')
  }
  if (options.xForward) out.push(...forwardedHeaders(req, options))
  for (const [name, value] of options.customHeaders) out.push(name, value)
  return out
}

/** Headers of an answer without those of the connection, flat; repeats are kept. */
export function responseHeaders(raw: readonly (string | Buffer)[]): string[] {
  const all = raw.map((item) => (typeof item === 'string' ? item : item.toString('latin1')))
  const pairs = all.flatMap((name, i) => (i % 2 === 0 ? [[name, all[i + 1] ?? ''] as const] : []))
  const connection = pairs.filter(([name]) => name.toLowerCase() === 'connection')
  const nominated = nominatedHeaders(connection.map(([, value]) => value).join(','))
  return pairs.flatMap(([name, value]) => {
    const key = name.toLowerCase()
    return hopByHop.has(key) || nominated.has(key) ? [] : [name, value]
  })
}

function nominatedHeaders(connection: string | undefined): Set<string> {
  return new Set((connection ?? '').split(',').map((item) => item.trim().toLowerCase()))
}

function forwardedHeaders(req: IncomingMessage, options: ForwardOptions): string[] {
  const isWebSocket = req.headers.upgrade !== undefined
  const peer = (req.socket.remoteAddress ?? '').replace(/^::ffff:/i, '')
  // A peer that has left has no address and is not believed.
  const keep = peer !== '' && options.isTrustedPeer(peer)
  const host = req.headers.host ?? ''
  const port = /:(\d+)$/.exec(host)?.[1] ?? '80'
  const known = (name: string): string => {
    const value = req.headers[name]
    return keep ? (Array.isArray(value) ? value.join(',') : (value ?? '')) : ''
  }
  const append = (name: string, item: string): string =>
    [known(name), item].filter((part) => part !== '').join(',')
  const out = [
    'X-Forwarded-For',
    append('x-forwarded-for', peer),
    'X-Forwarded-Port',
    append('x-forwarded-port', port),
    'X-Forwarded-Proto',
    append('x-forwarded-proto', isWebSocket ? 'ws' : 'http'),
  ]
  const forwardedHost = known('x-forwarded-host') || (isWebSocket ? '' : host)
  if (forwardedHost !== '') out.push('X-Forwarded-Host', forwardedHost)
  for (const name of ['X-Scheme', 'X-Real-Ip', 'Forwarded']) {
    const value = known(name.toLowerCase())
    if (value !== '') out.push(name, value)
  }
  return out
}
