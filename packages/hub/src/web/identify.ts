import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Principal, Principals } from '../access/principal.ts'
import { clientIp, cookieProtocol, headerText } from './client-address.ts'
import {
  type CookieAttributes,
  formatClearedCookie,
  formatCookie,
  parseCookies,
} from './cookies.ts'
import type { SessionConfig } from './session-config.ts'
import { readSignedValue, signValue } from './signed-value.ts'
import {
  createXsrfToken,
  findXsrfCookie,
  isNavigation,
  needsXsrfToken,
  requireXsrfToken,
  type XsrfKind,
  xsrfCookieName,
} from './xsrf.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who makes the request; set by the hook of the API or of the pages. */
    identity: RequestIdentity | null
  }
}

/** Who makes a request, and how that was found out. */
export interface RequestIdentity {
  /** `undefined` when anonymous. */
  readonly principal: Principal | undefined
  readonly via: 'token' | 'cookie' | 'nothing'
  /** The cookie `jupyterhub-session-id`, or the one that this answer sets. */
  readonly sessionId: string | undefined
  readonly clientIp: string
}

export interface IdentifyOptions {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** Pages take cookies only; the API, `{hub}user/` and metrics take tokens as well. */
  readonly accept: 'cookie' | 'token-or-cookie'
  /** API: a cookie counts in a POST only with a JSON body. Source: contract rest-api §2.2. */
  readonly requireJsonPost?: boolean
}

const sessionCookieName = 'jupyterhub-session-id'
const servicesCookieName = 'jupyterhub-services'
const loginExpiresDays = 30
const dayMs = 86_400_000
const maxTokenLength = 1024

/** Login cookies, session ids and XSRF tokens of the hub. Source: contract single-user-and-services §6, §7. */
export class Sessions {
  readonly config: SessionConfig
  readonly #principals: Principals

  constructor(config: SessionConfig, principals: Principals) {
    this.config = config
    this.#principals = principals
  }

  get loginCookieName(): string {
    return this.config.cookieHostPrefix ? '__Host-jupyterhub-hub-login' : 'jupyterhub-hub-login'
  }

  /**
   * Finds who makes a request: a valid token wins, an invalid one falls back to the cookie. Clears
   * a bad login cookie and gives a signed-in browser a session id if it has none.
   */
  async identify(options: IdentifyOptions): Promise<RequestIdentity> {
    const { request } = options
    const ip = clientIp(request, this.config)
    const sessionId = this.#sessionIdOf(request)
    if (options.accept === 'token-or-cookie') {
      const token = tokenOf(request)
      const principal = token && (await this.#principals.findByToken(token))
      if (principal) return { principal, via: 'token', sessionId, clientIp: ip }
    }
    const anonymous = { principal: undefined, via: 'nothing', sessionId, clientIp: ip } as const
    const principal = await this.#principalOfCookie(options)
    if (principal === undefined) return anonymous
    if (options.requireJsonPost === true && !mayPostWithCookie(request)) return anonymous
    return { principal, via: 'cookie', sessionId: this.ensureSessionId(options), clientIp: ip }
  }

  /**
   * Who the credentials of a request stand for by now, for answers that last: `undefined` once the
   * token is revoked, the session over, or the user gone or disabled.
   */
  async identifyAgain(
    request: FastifyRequest,
    identity: RequestIdentity,
  ): Promise<Principal | undefined> {
    if (identity.via === 'token') return this.#principals.findByToken(tokenOf(request) ?? '')
    const cookieId = identity.principal?.cookieId
    return cookieId === undefined ? undefined : this.#principals.findByCookieId(cookieId)
  }

  /**
   * Fails with `xsrf_missing` or `xsrf_mismatch` when the request needs an XSRF token and has none.
   * Token-authenticated requests need none, nor do anonymous API requests without `Origin`.
   */
  checkXsrf(request: FastifyRequest, identity: RequestIdentity, kind: XsrfKind): void {
    if (identity.via === 'token' || !needsXsrfToken(request, kind)) return
    if (kind === 'api' && identity.via === 'nothing' && request.headers.origin === undefined) return
    requireXsrfToken(this.config, request, subjectOf(identity))
  }

  /**
   * The XSRF token for a page, setting its cookie when a person navigates and the present one does
   * not match. `renew` sets it in any case, as the login page does.
   */
  issueXsrf(
    exchange: { request: FastifyRequest; reply: FastifyReply },
    identity: RequestIdentity,
    options: { renew?: boolean } = {},
  ): string {
    const { request } = exchange
    const present = findXsrfCookie(this.config, request, subjectOf(identity))
    if (present !== undefined && options.renew !== true) return present
    const token = createXsrfToken(this.config, request, subjectOf(identity))
    if (isNavigation(request) || options.renew === true) {
      this.#set(exchange, xsrfCookieName, token, {
        ...(identity.principal === undefined && { maxAgeSeconds: 3600 }),
        ...this.config.xsrfCookieOptions,
        path: this.config.hubPrefix,
      })
    }
    return token
  }

  /** Makes the browser that of the user: login cookie, session id and a fresh XSRF token. */
  signIn(
    exchange: { request: FastifyRequest; reply: FastifyReply },
    principal: Principal,
  ): RequestIdentity {
    const { config } = this
    const cookieId = principal.cookieId
    if (cookieId === undefined) throw new TypeError('only users sign in')
    if (this.#cookieIdOf(exchange.request) !== cookieId) {
      const now = config.now()
      const value = signValue(cookieId, { ...this.#signing(), now })
      const expires = new Date(now.getTime() + loginExpiresDays * dayMs)
      this.#set(exchange, this.loginCookieName, value, {
        ...this.#loginAttributes(exchange.request),
        expires,
      })
    }
    const sessionId = this.ensureSessionId(exchange)
    const ip = clientIp(exchange.request, config)
    const identity = { principal, via: 'cookie', sessionId, clientIp: ip } as const
    this.issueXsrf(exchange, identity, { renew: true })
    return identity
  }

  /** Clears the browser's cookies; the tokens of its session are the caller's to delete. */
  signOut(exchange: { request: FastifyRequest; reply: FastifyReply }): void {
    const { baseUrl, hubPrefix } = this.config
    this.#clear(exchange, this.loginCookieName, this.#loginAttributes(exchange.request))
    this.#clear(exchange, sessionCookieName, this.#sessionAttributes(exchange.request))
    this.#clear(exchange, servicesCookieName, { path: `${baseUrl}services` })
    this.#clear(exchange, xsrfCookieName, { path: hubPrefix })
  }

  /** The session id of the browser, giving it one if it has none. */
  ensureSessionId(exchange: { request: FastifyRequest; reply: FastifyReply }): string {
    const present = this.#sessionIdOf(exchange.request)
    if (present !== undefined) return present
    const sessionId = randomBytes(16).toString('hex')
    freshSessionIds.set(exchange.request, sessionId)
    const attributes = this.#sessionAttributes(exchange.request)
    this.#set(exchange, sessionCookieName, sessionId, attributes)
    return sessionId
  }

  /** Whose login cookie a value is; any name that the hub signed it for will do. */
  async findByCookieValue(name: string, value: string): Promise<Principal | undefined> {
    const { cookieSecret: secret, cookieMaxAgeDays, now } = this.config
    const cookieId = readSignedValue(value.replace(/^"(.*)"$/, '$1'), {
      secret,
      name,
      now: now(),
      maxAgeMs: cookieMaxAgeDays * dayMs,
    })
    return cookieId === undefined ? undefined : this.#principals.findByCookieId(cookieId)
  }

  async #principalOfCookie(exchange: {
    request: FastifyRequest
    reply: FastifyReply
  }): Promise<Principal | undefined> {
    const { request } = exchange
    if (!parseCookies(headerText(request, 'cookie')).has(this.loginCookieName)) return undefined
    const cookieId = this.#cookieIdOf(request)
    const principal = cookieId && (await this.#principals.findByCookieId(cookieId))
    if (principal) return principal
    this.#clear(exchange, this.loginCookieName, this.#loginAttributes(request))
    return undefined
  }

  #cookieIdOf(request: FastifyRequest): string | undefined {
    const values = parseCookies(headerText(request, 'cookie')).get(this.loginCookieName) ?? []
    const maxAgeMs = this.config.cookieMaxAgeDays * dayMs
    for (const value of values) {
      const now = this.config.now()
      const cookieId = readSignedValue(value, { ...this.#signing(), now, maxAgeMs })
      if (cookieId !== undefined && cookieId !== '') return cookieId
    }
    return undefined
  }

  /** What a client sends as its session id is a name for its tokens only; anything short will do. */
  #sessionIdOf(request: FastifyRequest): string | undefined {
    const fresh = freshSessionIds.get(request)
    if (fresh !== undefined) return fresh
    const value = parseCookies(headerText(request, 'cookie')).get(sessionCookieName)?.[0]
    return value !== undefined && /^[\w-]{16,128}$/.test(value) ? value : undefined
  }

  #signing() {
    return { secret: this.config.cookieSecret, name: this.loginCookieName }
  }

  #loginAttributes(request: FastifyRequest): CookieAttributes {
    const { cookieHostPrefix, hubPrefix } = this.config
    const secure = cookieHostPrefix || this.#isSecure(request)
    return { path: cookieHostPrefix ? '/' : hubPrefix, httpOnly: true, secure }
  }

  #sessionAttributes(request: FastifyRequest): CookieAttributes {
    const { baseUrl, cookieDomain } = this.config
    const secure = this.#isSecure(request)
    return { path: baseUrl, domain: cookieDomain, httpOnly: true, secure }
  }

  #isSecure(request: FastifyRequest): boolean {
    return cookieProtocol(request, this.config) === 'https'
  }

  #set(
    exchange: { reply: FastifyReply },
    ...cookie: [name: string, value: string, attributes: CookieAttributes]
  ): void {
    const [name, value, attributes] = cookie
    const merged = this.#merge(name, attributes)
    void exchange.reply.header('set-cookie', formatCookie(name, value, merged))
  }

  #clear(exchange: { reply: FastifyReply }, name: string, attributes: CookieAttributes): void {
    const merged = this.#merge(name, attributes)
    void exchange.reply.header('set-cookie', formatClearedCookie(name, merged))
  }

  /** The operator's attributes win, except where the browser would then refuse the cookie. */
  #merge(name: string, attributes: CookieAttributes): CookieAttributes {
    const merged = { ...attributes, ...this.config.cookieOptions }
    if (name === xsrfCookieName) return { ...merged, path: attributes.path }
    if (!name.startsWith('__Host-')) return merged
    return { ...merged, path: '/', secure: true, domain: undefined }
  }
}

/** Session ids that were made while their request is answered. */
const freshSessionIds = new WeakMap<FastifyRequest, string>()

/** Declares `request.identity`; may be called for several parts of one application. */
export function decorateIdentity(app: FastifyInstance): void {
  if (!app.hasRequestDecorator('identity')) app.decorateRequest('identity', null)
}

/** The token of an `Authorization` header. Source: contract rest-api §2.1. */
export function tokenOf(request: FastifyRequest): string | undefined {
  const header = headerText(request, 'authorization')
  const token = header === undefined ? undefined : /^(?:token|bearer)\s+(\S+)$/i.exec(header)?.[1]
  return token !== undefined && token.length <= maxTokenLength ? token : undefined
}

/** Source: contract rest-api §2.2. */
function mayPostWithCookie(request: FastifyRequest): boolean {
  const type = headerText(request, 'content-type')
  if (request.method !== 'POST' || type === undefined) return true
  return type.split(';').some((part) => part.trim().toLowerCase().startsWith('application/json'))
}

function subjectOf(identity: RequestIdentity) {
  const cookieId = identity.via === 'cookie' ? identity.principal?.cookieId : undefined
  return { sessionId: identity.sessionId, cookieId, clientIp: identity.clientIp }
}
