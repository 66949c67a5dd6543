import { BlockList, isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import type { SessionConfig } from './session-config.ts'

const maxForwardedItems = 50

/**
 * Address of the browser: the last item of `X-Forwarded-For` that is no trusted proxy, believed
 * only when the connection comes from this machine, a private network or a trusted proxy.
 * Differs from JupyterHub: `X-Real-Ip` is not read, because any client can send it through a proxy
 * that does not set it, and sign-in throttling relies on the address.
 */
export function clientIp(
  request: FastifyRequest,
  config: Pick<SessionConfig, 'trustedDownstreamIps'>,
): string {
  const peer = normalizeIp(request.socket.remoteAddress ?? '127.0.0.1')
  const trusted = config.trustedDownstreamIps.map(normalizeIp)
  if (!isPrivate(peer) && !trusted.includes(peer)) return peer
  const items = headerText(request, 'x-forwarded-for')?.split(',').slice(-maxForwardedItems) ?? []
  for (const item of items.toReversed()) {
    const ip = normalizeIp(item.trim())
    if (isIP(ip) === 0) break
    if (!trusted.includes(ip)) return ip
  }
  return peer
}

/**
 * Protocol of the last hop: decides whether cookies are `Secure`.
 * Source: contract single-user-and-services §6, note 1.
 */
export function cookieProtocol(
  request: FastifyRequest,
  config: Pick<SessionConfig, 'publicUrl'>,
): 'http' | 'https' {
  if (config.publicUrl !== undefined) return toProtocol(config.publicUrl.protocol) ?? 'http'
  const forwarded = headerText(request, 'x-scheme') ?? headerText(request, 'x-forwarded-proto')
  return toProtocol(forwarded?.split(',').at(-1)) ?? connectionProtocol(request)
}

/**
 * Origin as the browser sees it, without a final slash.
 * Source: contract pages-and-urls §3.1 step 3.
 */
export function browserOrigin(
  request: FastifyRequest,
  config: Pick<SessionConfig, 'publicUrl'>,
): { protocol: string; host: string } {
  if (config.publicUrl !== undefined) {
    return { protocol: config.publicUrl.protocol.slice(0, -1), host: config.publicUrl.host }
  }
  return requestOrigin(request)
}

/** Origin that the client asked, a proxy in front taken into account. */
export function requestOrigin(request: FastifyRequest): { protocol: string; host: string } {
  const host = headerText(request, 'host') ?? 'localhost'
  return { protocol: browserProtocol(request), host: isHost(host) ? host : 'localhost' }
}

function browserProtocol(request: FastifyRequest): 'http' | 'https' {
  const forwarded = /(?:^|[;,\s])proto="?(\w+)/i.exec(headerText(request, 'forwarded') ?? '')?.[1]
  const scheme = headerText(request, 'x-scheme') ?? headerText(request, 'x-forwarded-proto')
  return toProtocol(forwarded) ?? toProtocol(scheme?.split(',')[0]) ?? connectionProtocol(request)
}

/** One value of a header; repeated headers joined as HTTP has it. */
export function headerText(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(',') : value
}

function connectionProtocol(request: FastifyRequest): 'http' | 'https' {
  return 'encrypted' in request.socket && request.socket.encrypted === true ? 'https' : 'http'
}

function toProtocol(text: string | undefined): 'http' | 'https' | undefined {
  const name = text?.trim().toLowerCase().replace(/:$/, '')
  return name === 'http' || name === 'https' ? name : undefined
}

function isHost(text: string): boolean {
  return text.length <= 300 && /^(?:[\w.~-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/.test(text)
}

/** `::ffff:192.0.2.1` is 192.0.2.1; zones are dropped. */
function normalizeIp(ip: string): string {
  const plain = ip.replace(/%.*$/, '').toLowerCase()
  return plain.startsWith('::ffff:') && isIP(plain.slice(7)) === 4 ? plain.slice(7) : plain
}

const privateNetworks = new BlockList()
privateNetworks.addSubnet('127.0.0.0', 8, 'ipv4')
privateNetworks.addSubnet('10.0.0.0', 8, 'ipv4')
privateNetworks.addSubnet('172.16.0.0', 12, 'ipv4')
privateNetworks.addSubnet('192.168.0.0', 16, 'ipv4')
privateNetworks.addSubnet('169.254.0.0', 16, 'ipv4')
privateNetworks.addSubnet('100.64.0.0', 10, 'ipv4')
privateNetworks.addAddress('::1', 'ipv6')
privateNetworks.addSubnet('fc00::', 7, 'ipv6')
privateNetworks.addSubnet('fe80::', 10, 'ipv6')

function isPrivate(ip: string): boolean {
  const version = isIP(ip)
  return version !== 0 && privateNetworks.check(ip, version === 6 ? 'ipv6' : 'ipv4')
}
