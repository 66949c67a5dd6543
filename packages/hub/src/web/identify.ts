import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Principal, Principals } from '../access/principal.ts'
import {
  type BrowserSession,
  endBrowserSession,
  openBrowserSession,
} from '../storage/browser-sessions.ts'
import type { Store } from '../storage/store.ts'
import { sha256Hex } from '../storage/token-hash.ts'
import { clientIp, headerText } from './client-address.ts'
import { type Cookies, parseCookies } from './cookies.ts'
import { type CookieExchange, HubCookies, sessionCookieName } from './hub-cookies.ts'
import { type LoginCookie, readLogins, signLogin } from './login-cookie.ts'
import type { SessionConfig } from './session-config.ts'
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
  /** Of the browser session; for strangers what the cookie `jupyterhub-session-id` says. */
  readonly sessionId: string | undefined
  /** When the user signed in to this session; set when `via` is `cookie`. */
  readonly signedInAt?: Date
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

const loginExpiresDays = 30
const dayMs = 86_400_000
const maxTokenLength = 1024

/** A login cookie whose user exists and whose session goes on. */
interface Login {
  readonly principal: Principal
  readonly session: BrowserSession
}

/** Login cookies, session ids and XSRF tokens of the hub. Source: contract single-user-and-services §6, §7. */
export class Sessions {
  readonly config: SessionConfig
  readonly #cookies: HubCookies
  readonly #principals: Principals
  readonly #store: Store

  constructor(config: SessionConfig, principals: Principals, store: Store) {
    this.config = config
    this.#cookies = new HubCookies(config)
    this.#principals = principals
    this.#store = store
  }

  get loginCookieName(): string {
    return this.#cookies.loginCookieName
  }

  /**
   * Finds who makes a request: a valid token wins, an invalid one falls back to the cookie. Clears
   * a bad login cookie and gives a signed-in browser its session id if it lacks it.
   */
  async identify(options: IdentifyOptions): Promise<RequestIdentity> {
    const { request } = options
    const ip = clientIp(request, this.config)
    const sessionId = sessionIdsOf(request)[0]
    if (options.accept === 'token-or-cookie') {
      const token = tokenOf(request)
      const principal = token && (await this.#principals.findByToken(token))
      if (principal) return { principal, via: 'token', sessionId, clientIp: ip }
    }
    const login = await this.#loginOf(request)
    if (login === undefined && cookiesOf(request).has(this.loginCookieName)) {
      this.#cookies.clearLogin(options)
    }
    const ignored = options.requireJsonPost === true && !mayPostWithCookie(request)
    if (login === undefined || ignored) {
      return { principal: undefined, via: 'nothing', sessionId, clientIp: ip }
    }
    this.#ensureSessionCookie(options, login.session.id)
    return toIdentity(login, ip)
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
   * not match. `renew` sets it in any case, as the login page does to restart its hour; a value
   * that still holds stays the same, so that the forms of other tabs go on working.
   */
  issueXsrf(
    exchange: CookieExchange,
    identity: RequestIdentity,
    options: { renew?: boolean } = {},
  ): string {
    const { request } = exchange
    const present = findXsrfCookie(this.config, request, subjectOf(identity))
    if (present !== undefined && options.renew !== true) return present
    const token = present ?? createXsrfToken(this.config, request, subjectOf(identity))
    if (isNavigation(request) || options.renew === true) {
      this.#cookies.setXsrf(exchange, token, { signedIn: identity.principal !== undefined })
    }
    return token
  }

  /**
   * Makes the browser that of the user: login cookie, session id and XSRF token. A session that the
   * user has already in this browser goes on; another user's ends. Otherwise a new one begins, with
   * an id that nobody outside chose.
   */
  async signIn(exchange: CookieExchange, principal: Principal): Promise<RequestIdentity> {
    const { cookieId } = principal
    if (principal.kind !== 'user' || cookieId === undefined) {
      throw new TypeError('only users sign in')
    }
    const before = await this.#loginOf(exchange.request)
    const continues = before?.principal.id === principal.id
    const session = continues ? before.session : await this.#open(exchange, principal, before)
    if (continues) {
      this.#ensureSessionCookie(exchange, session.id)
    } else {
      this.#setLogin(exchange, { cookieId, sessionId: session.id })
    }
    const ip = clientIp(exchange.request, this.config)
    const identity = toIdentity({ principal, session }, ip)
    this.issueXsrf(exchange, identity, { renew: true })
    return identity
  }

  /** Clears the browser's cookies; its session is the caller's to end. */
  signOut(exchange: CookieExchange): void {
    this.#cookies.clearAll(exchange)
  }

  async #open(
    exchange: CookieExchange,
    principal: Principal,
    before: Login | undefined,
  ): Promise<BrowserSession> {
    const now = this.config.now()
    const openedWith = sha256Hex(openerOf(exchange.request))
    return this.#store.write(async (transaction) => {
      if (before !== undefined) await endBrowserSession(transaction, before.session)
      return openBrowserSession(transaction, {
        userId: principal.id,
        openedWith,
        signedInAt: now,
        expiresAt: new Date(now.getTime() + this.config.cookieMaxAgeDays * dayMs),
      })
    })
  }

  /** Whose login cookie a value is; any name that the hub signed it for will do. */
  async findByCookieValue(name: string, value: string): Promise<Principal | undefined> {
    const [cookie] = this.#readLogins([value.replace(/^"(.*)"$/, '$1')], name)
    return cookie && (await this.#findLogin(cookie))?.principal
  }

  #setLogin(exchange: CookieExchange, login: LoginCookie): void {
    const now = this.config.now()
    const { cookieSecret } = this.config
    const value = signLogin(login, { cookieSecret, name: this.loginCookieName, now })
    const expires = new Date(now.getTime() + loginExpiresDays * dayMs)
    this.#cookies.setLogin(exchange, value, expires)
    this.#cookies.setSession(exchange, login.sessionId)
  }

  /**
   * The log-in that the cookies prove. Several cookies may have the name: one set by a neighbour on
   * another path or domain must not make this browser somebody else's, so when they prove to be of
   * different users none counts.
   */
  async #loginOf(request: FastifyRequest): Promise<Login | undefined> {
    const values = cookiesOf(request).get(this.loginCookieName) ?? []
    // Reading only some would let whoever set the others choose which.
    if (values.length > maxLoginCookies) return undefined
    const logins: Login[] = []
    for (const cookie of this.#readLogins(values)) {
      const login = await this.#findLogin(cookie)
      if (login !== undefined) logins.push(login)
    }
    const [first] = logins
    if (first === undefined) return undefined
    return logins.every((login) => login.principal.id === first.principal.id) ? first : undefined
  }

  #readLogins(values: readonly string[], name = this.loginCookieName): LoginCookie[] {
    const { cookieSecret, cookieMaxAgeDays, now } = this.config
    const signing = { cookieSecret, cookieMaxAgeDays, name, now: now() }
    return readLogins(values, signing)
  }

  async #findLogin({ cookieId, sessionId }: LoginCookie): Promise<Login | undefined> {
    const principal = await this.#principals.findByCookieId(cookieId)
    const session = principal && (await this.#principals.findSession(sessionId))
    return session?.userId === principal?.id && principal && session
      ? { principal, session }
      : undefined
  }

  #ensureSessionCookie(exchange: CookieExchange, sessionId: string): void {
    if (sessionIdsOf(exchange.request).includes(sessionId)) return
    if (givenSessionIds.has(exchange.request)) return
    givenSessionIds.add(exchange.request)
    this.#cookies.setSession(exchange, sessionId)
  }
}

/** A browser sends one for each path and domain it was set for: more is somebody's attack. */
const maxLoginCookies = 10

/** Requests whose answer sets the session id already. */
const givenSessionIds = new WeakSet<FastifyRequest>()

function toIdentity({ principal, session }: Login, clientIp: string): RequestIdentity {
  const { id: sessionId, signedInAt } = session
  return { principal, via: 'cookie', sessionId, signedInAt, clientIp }
}

/**
 * What log-ins that one browser sends at once have in common: the XSRF cookie of its login page.
 * They share a session then, so that one log-out ends whatever any of them gave out.
 */
function openerOf(request: FastifyRequest): string {
  return cookiesOf(request).get(xsrfCookieName)?.[0] ?? randomBytes(16).toString('hex')
}

/** What a client sends as its session id is a name only; anything short will do. */
function sessionIdsOf(request: FastifyRequest): string[] {
  const values = cookiesOf(request).get(sessionCookieName) ?? []
  return values.filter((value) => /^[\w-]{16,128}$/.test(value))
}

function cookiesOf(request: FastifyRequest): Cookies {
  return parseCookies(headerText(request, 'cookie'))
}

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
