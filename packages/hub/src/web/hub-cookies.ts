import type { FastifyReply, FastifyRequest } from 'fastify'
import { cookieProtocol } from './client-address.ts'
import { type CookieAttributes, formatClearedCookie, formatCookie } from './cookies.ts'
import type { SessionConfig } from './session-config.ts'
import { xsrfCookieName } from './xsrf.ts'

/** A request with the answer that sets its cookies. */
export interface CookieExchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

export const sessionCookieName = 'jupyterhub-session-id'
const servicesCookieName = 'jupyterhub-services'
const anonymousXsrfSeconds = 3600

/**
 * Sets and clears the hub's own cookies: three names, each with one path, so that a browser never
 * holds more than three of them. Source: contract single-user-and-services §6.
 */
export class HubCookies {
  readonly #config: SessionConfig

  constructor(config: SessionConfig) {
    this.#config = config
  }

  get loginCookieName(): string {
    return this.#config.cookieHostPrefix ? '__Host-jupyterhub-hub-login' : 'jupyterhub-hub-login'
  }

  setLogin(exchange: CookieExchange, value: string, expires: Date): void {
    const attributes = { ...this.#loginAttributes(exchange.request), expires }
    this.#set(exchange, this.loginCookieName, value, attributes)
  }

  setSession(exchange: CookieExchange, id: string): void {
    this.#set(exchange, sessionCookieName, id, this.#sessionAttributes(exchange.request))
  }

  setXsrf(exchange: CookieExchange, token: string, options: { signedIn: boolean }): void {
    this.#set(exchange, xsrfCookieName, token, {
      ...(!options.signedIn && { maxAgeSeconds: anonymousXsrfSeconds }),
      ...this.#config.xsrfCookieOptions,
      path: this.#config.hubPrefix,
    })
  }

  clearLogin(exchange: CookieExchange): void {
    this.#clear(exchange, this.loginCookieName, this.#loginAttributes(exchange.request))
  }

  clearAll(exchange: CookieExchange): void {
    const { baseUrl, hubPrefix } = this.#config
    this.clearLogin(exchange)
    this.#clear(exchange, sessionCookieName, this.#sessionAttributes(exchange.request))
    this.#clear(exchange, servicesCookieName, { path: `${baseUrl}services` })
    this.#clear(exchange, xsrfCookieName, { path: hubPrefix })
  }

  #loginAttributes(request: FastifyRequest): CookieAttributes {
    const { cookieHostPrefix, hubPrefix } = this.#config
    const secure = cookieHostPrefix || this.#isSecure(request)
    return { path: cookieHostPrefix ? '/' : hubPrefix, httpOnly: true, secure }
  }

  #sessionAttributes(request: FastifyRequest): CookieAttributes {
    const { baseUrl, cookieDomain } = this.#config
    const secure = this.#isSecure(request)
    return { path: baseUrl, domain: cookieDomain, httpOnly: true, secure }
  }

  #isSecure(request: FastifyRequest): boolean {
    return cookieProtocol(request, this.#config) === 'https'
  }

  #set(
    exchange: CookieExchange,
    ...cookie: [name: string, value: string, attributes: CookieAttributes]
  ): void {
    const [name, value, attributes] = cookie
    const merged = this.#merge(name, attributes)
    void exchange.reply.header('set-cookie', formatCookie(name, value, merged))
  }

  #clear(exchange: CookieExchange, name: string, attributes: CookieAttributes): void {
    const merged = this.#merge(name, attributes)
    void exchange.reply.header('set-cookie', formatClearedCookie(name, merged))
  }

  /** The operator's attributes win, except where the browser would then refuse the cookie. */
  #merge(name: string, attributes: CookieAttributes): CookieAttributes {
    const merged = { ...attributes, ...this.#config.cookieOptions }
    if (name === xsrfCookieName) return { ...merged, path: attributes.path }
    if (!name.startsWith('__Host-')) return merged
    return { ...merged, path: '/', secure: true, domain: undefined }
  }
}
