import { createHash, randomBytes } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { HubError } from '../domain/errors.ts'
import { headerText } from './client-address.ts'
import { parseCookies } from './cookies.ts'
import type { SessionConfig } from './session-config.ts'
import { isEqualText, readSignedValue, signValue } from './signed-value.ts'

export const xsrfCookieName = '_xsrf'
const maxAgeMs = 31 * 86_400_000
const maxCookies = 10

/** Whom an XSRF token belongs to. */
export interface XsrfSubject {
  readonly sessionId: string | undefined
  /** The signed-in user's; `undefined` for everyone else. */
  readonly cookieId: string | undefined
  readonly clientIp: string
}

/** When a check may be left out. Pages never check safe methods; the API checks GET. */
export type XsrfKind = 'page' | 'api'

/**
 * A new value for the cookie `_xsrf`. Differs from JupyterHub: something random is signed along, so
 * that neighbours behind one address do not get the same value in the same second.
 * Source: contract single-user-and-services §7.1.
 */
export function createXsrfToken(
  config: SessionConfig,
  request: FastifyRequest,
  subject: XsrfSubject,
): string {
  const content = `${xsrfContent(config, request, subject)}:${randomBytes(8).toString('hex')}`
  const signed = signValue(content, signing(config))
  return Buffer.from(signed, 'utf8').toString('base64url')
}

/** The cookie that this request would pass a check with. */
export function findXsrfCookie(
  config: SessionConfig,
  request: FastifyRequest,
  subject: XsrfSubject,
): string | undefined {
  return matchingCookies(config, request, subject)[0]
}

/**
 * Fails with `xsrf_missing` or `xsrf_mismatch` unless the request carries the token of `subject`
 * as argument `_xsrf` (body, then query) or header, and the same text as cookie.
 * Source: contract single-user-and-services §7.2.
 */
export function requireXsrfToken(
  config: SessionConfig,
  request: FastifyRequest,
  subject: XsrfSubject,
): void {
  const { method } = request
  const submitted =
    argumentOf(request.body) ??
    argumentOf(request.query) ??
    nonEmpty(headerText(request, 'x-xsrftoken')) ??
    nonEmpty(headerText(request, 'x-csrftoken'))
  if (submitted === undefined) {
    throw new HubError('xsrf_missing', { message: `'_xsrf' argument missing from ${method}` })
  }
  const cookies = matchingCookies(config, request, subject)
  if (!cookies.some((cookie) => isEqualText(cookie, submitted))) {
    throw new HubError('xsrf_mismatch', {
      message: `XSRF cookie does not match ${method} argument`,
    })
  }
}

/**
 * Whether a cookie-authenticated or anonymous request needs the token at all.
 * Source: contract single-user-and-services §7.2 (table), rest-api §2.3.
 */
export function needsXsrfToken(request: FastifyRequest, kind: XsrfKind): boolean {
  const { method } = request
  if (kind === 'api' ? isOneOf(method, ['HEAD', 'OPTIONS']) : isSafe(method)) return false
  const mode = headerText(request, 'sec-fetch-mode')
  if (mode === 'websocket') return false
  if (!isSafe(method)) return true
  if (mode === undefined || mode === 'navigate') return false
  return !(mode === 'no-cors' && headerText(request, 'sec-fetch-site') === 'same-origin')
}

/** Cookies are renewed while a person navigates, never in answer to a script. */
export function isNavigation(request: FastifyRequest): boolean {
  const mode = headerText(request, 'sec-fetch-mode')
  return mode === undefined || mode === 'navigate'
}

/** Several cookies of the name may arrive; those that a neighbour has set belong to somebody else. */
function matchingCookies(
  config: SessionConfig,
  request: FastifyRequest,
  subject: XsrfSubject,
): string[] {
  const expected = xsrfContent(config, request, subject)
  const values = parseCookies(headerText(request, 'cookie')).get(xsrfCookieName) ?? []
  return values.slice(0, maxCookies).filter((raw) => {
    const signed = Buffer.from(raw, 'base64url').toString('utf8')
    const content = readSignedValue(signed, { ...signing(config), maxAgeMs })
    return content !== undefined && isEqualText(withoutNonce(content), expected)
  })
}

function withoutNonce(content: string): string {
  return content.replace(/:[0-9a-f]{16}$/, '')
}

function signing(config: SessionConfig) {
  return { secret: config.cookieSecret, name: xsrfCookieName, now: config.now() }
}

function xsrfContent(config: SessionConfig, request: FastifyRequest, subject: XsrfSubject): string {
  const who = subject.cookieId ?? anonymousHash(config, request, subject.clientIp)
  return `${subject.sessionId ?? 'None'}:${who}`
}

function anonymousHash(config: SessionConfig, request: FastifyRequest, ip: string): string {
  const hash = createHash('sha256').update(networkOf(ip, config.xsrfAnonymousIpCidrs ?? []))
  for (const name of config.xsrfAnonymousHeaders ?? ['User-Agent']) {
    hash.update(headerText(request, name.toLowerCase()) ?? '').update(Buffer.from([0xff]))
  }
  return hash.digest('base64url')
}

/** The text of the network that an address is in, else the address. */
function networkOf(ip: string, cidrs: readonly string[]): string {
  const version = isIP(ip)
  if (version === 0) return ip
  return cidrs.find((cidr) => isInNetwork(ip, cidr.trim())) ?? ip
}

function isInNetwork(ip: string, cidr: string): boolean {
  const [address = '', bits = ''] = cidr.split('/')
  const version = isIP(address)
  if (version === 0 || version !== isIP(ip)) return false
  const family = version === 6 ? 'ipv6' : 'ipv4'
  const width = bits === '' ? (version === 6 ? 128 : 32) : Number(bits)
  if (!Number.isInteger(width) || width < 0 || width > (version === 6 ? 128 : 32)) return false
  const network = new BlockList()
  network.addSubnet(address, width, family)
  return network.check(ip, family)
}

/** The last `_xsrf` of a parsed query or form; empty counts as absent. */
function argumentOf(fields: unknown): string | undefined {
  if (typeof fields !== 'object' || fields === null || !('_xsrf' in fields)) return undefined
  const value: unknown = Array.isArray(fields._xsrf) ? fields._xsrf.at(-1) : fields._xsrf
  return typeof value === 'string' ? nonEmpty(value.trim()) : undefined
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

function isSafe(method: string): boolean {
  return isOneOf(method, ['GET', 'HEAD', 'OPTIONS'])
}

function isOneOf(text: string, list: readonly string[]): boolean {
  return list.includes(text)
}
