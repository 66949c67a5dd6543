import type { FastifyRequest } from 'fastify'
import type { Principal, Principals } from '../access/principal.ts'
import type { User } from '../domain/records.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import type { NamingSettings } from '../lifecycle/named-servers.ts'
import type { Store } from '../storage/store.ts'
import type { JsonObject } from '../util/json.ts'
import type { AccountsDeps } from './accounts.ts'
import type { LoginDeps } from './authenticate.ts'
import type { Sessions } from './identify.ts'
import type { LayoutConfig } from './layout.ts'

/** What a caller may do to a resource: `hidden` when the scope is held for others only. */
export type AccessDecision = 'allowed' | 'hidden' | 'missing'

export interface ServerResource {
  readonly username: string
  /** `undefined` asks about the user as a whole. */
  readonly serverName?: string
}

/** Values of the configuration that pages use; prefixes end in `/`. */
export interface WebSettings extends LayoutConfig, NamingSettings {
  /** Replace or extend the headers of every answer (`tornado_settings.headers`). */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly redirectToServer: boolean
  /** `''` is none. */
  readonly defaultUrl: string | ((request: FastifyRequest) => string)
  readonly defaultServerName: string
  /** 0 never goes to the spawn page by itself. */
  readonly implicitSpawnSeconds: number
  readonly useLegacyStoppedServerStatusCode: boolean
  readonly userRedirectLimit: number
  readonly shutdownOnLogout: boolean
  /** Signing in begins without the login page, and log-out does not lead back to it. */
  readonly autoLogin: boolean
  /** HTML of the spawn form; `''` starts without asking. */
  readonly optionsForm: string
  /** Turns the spawn form's fields into user options; every value is a list of strings. */
  readonly optionsFromForm: (fields: JsonObject) => JsonObject
  /** The same for options in the query of the spawn page. */
  readonly optionsFromQuery: (fields: JsonObject) => JsonObject
  /** 0 is no limit. */
  readonly tokenExpiresInMaxSeconds: number
  /** Files are asked for anew each time, versioned ones too (`tornado_settings.no_cache_static`). */
  readonly noCacheStatic: boolean
  /** Bytes and type of the operator's logo; Orrery's own when absent. */
  readonly logo?: { readonly body: Buffer; readonly contentType: string } | undefined
}

/** Everything the pages are built from. */
export interface WebDeps {
  readonly store: Store
  readonly sessions: Sessions
  readonly principals: Principals
  readonly lifecycle: Lifecycle
  readonly login: LoginDeps
  /** Set when the accounts are the hub's own; without it their pages do not exist. */
  readonly accounts?: AccountsDeps | undefined
  /** Whether strangers may make an account. */
  readonly signUpOpen: boolean
  readonly settings: WebSettings
  /** Deletes the tokens that a browser session gave out. */
  endSession(userId: number, sessionId: string): Promise<void>
  /** Decides by `rbac/`; without a resource the scope must be held without filter. */
  decide(principal: Principal, scope: string, resource?: ServerResource): Promise<AccessDecision>
  readonly now: () => Date
  /** What `{hub}metrics` shows; without it the page does not exist. */
  readonly metrics?: MetricsSource | undefined
}

export interface MetricsSource {
  /** Shown to everybody (`authenticate_prometheus` is off). */
  readonly isOpen: boolean
  readonly contentType: string
  text(): Promise<string>
}

/** The signed-in user of a page. */
export interface SignedIn {
  readonly principal: Principal
  readonly user: User
}
