import type { CookieAttributes } from './cookies.ts'

/** What sessions, cookies, XSRF and redirects need of the configuration. Paths end in `/`. */
export interface SessionConfig {
  /** `/` or `/base/`. */
  readonly baseUrl: string
  /** `/hub/` or `/base/hub/`. */
  readonly hubPrefix: string
  /** Raw bytes. Changing it logs everybody out. */
  readonly cookieSecret: Buffer
  /** How long a login cookie is accepted. */
  readonly cookieMaxAgeDays: number
  /** Prefixes the login cookie with `__Host-`. */
  readonly cookieHostPrefix: boolean
  /** Domain of the session-id cookie when servers have host names of their own. */
  readonly cookieDomain?: string | undefined
  /** Merged over the attributes of every cookie (`tornado_settings.cookie_options`). */
  readonly cookieOptions?: Partial<CookieAttributes> | undefined
  /** Merged over the attributes of `_xsrf`; its path stays. */
  readonly xsrfCookieOptions?: Partial<CookieAttributes> | undefined
  /** Fixes scheme and host of the hub everywhere. */
  readonly publicUrl?: URL | undefined
  readonly subdomainHost?: URL | undefined
  /** Proxies in front of the edge, skipped from the right in `X-Forwarded-For`. */
  readonly trustedDownstreamIps: readonly string[]
  /** Addresses of one network count as one in the anonymous XSRF token. */
  readonly xsrfAnonymousIpCidrs?: readonly string[] | undefined
  /** Request headers in the anonymous XSRF token; `User-Agent` by default. */
  readonly xsrfAnonymousHeaders?: readonly string[] | undefined
  readonly now: () => Date
}
