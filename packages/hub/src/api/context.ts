import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyBaseLogger, RawServerDefault } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { AuthStates } from '../access/auth-states.ts'
import type { Principal, Principals } from '../access/principal.ts'
import type { UsernameRules } from '../domain/names.ts'
import type { ScopeRules } from '../access/scope-rules.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import type { InvalidNamePolicy } from '../lifecycle/named-servers.ts'
import type { Place } from '../domain/urls.ts'
import type { Store } from '../storage/store.ts'
import type { Json } from '../util/json.ts'
import type { Sessions } from '../web/identify.ts'
import type { EdgeHub } from './edge/edge-hub.ts'
import type { ProxySecret } from './edge/proxy-secret.ts'
import type { ProxyControl } from './proxy/control.ts'
import type { ShutdownRequest } from './hub/shutdown.ts'

/** What the API depends on from the configuration; mapped by `main`. */
export interface ApiSettings extends Place {
  /** `{baseUrl}hub/`. */
  readonly hubPrefix: string
  /** `JupyterHub.public_url`: fills the `full_*` fields. Ends in the base URL. */
  readonly publicUrl?: URL | undefined
  readonly pageDefaultLimit: number
  readonly pageMaxLimit: number
  /** How long POST waits for a server; 0 answers 202 at once. */
  readonly slowSpawnTimeoutMs: number
  /** How long DELETE waits for a server to stop. */
  readonly slowStopTimeoutMs: number
  readonly allowNamedServers: boolean
  /** Named servers per user; 0 is no limit. */
  readonly namedServerLimitPerUser: number
  /** Whether servers whose stored name breaks today's rules may start. */
  readonly allowExistingInvalidNamedServers: InvalidNamePolicy
  /** Longest lifetime of a token; 0 is no limit. */
  readonly tokenExpiresInMaxSeconds: number
  readonly adminAccess: boolean
  /** Tokens that clients choose are random: hash them in one round (`trust_user_provided_tokens`). */
  readonly trustTokens: boolean
  readonly usernameRules: UsernameRules
  /** Normalised `Authenticator.admin_users`: whoever has such a name is or becomes an administrator. */
  readonly adminUsers: ReadonlySet<string>
  /** Extra or replacing headers of every answer, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly spawner: ComponentInfo
  readonly authenticator: ComponentInfo
}

/** The Python that servers run with; empty where it is unknown. */
export interface PythonInfo {
  /** As `sys.version`. */
  readonly version: string
  readonly executable: string
}

export interface ComponentInfo {
  readonly class: string
  readonly version: string
}

export interface ApiDeps {
  readonly store: Store
  readonly principals: Principals
  /** Scopes, bound to the custom ones of this hub. */
  readonly rules: ScopeRules
  readonly sessions: Sessions
  readonly lifecycle: Lifecycle
  readonly settings: ApiSettings
  readonly edgeHub: EdgeHub
  /** What edges present to subscribe (`proxy.auth_token`). */
  readonly proxySecret: ProxySecret
  readonly proxy: ProxyControl
  /** Begins to end this hub. Returns at once; a second call changes nothing. */
  readonly shutDown: (request: ShutdownRequest) => void
  /** Notes activity of a principal other than the caller. */
  readonly recordActivity: (principal: Principal) => void
  /**
   * Name of the known user that credentials in a token request belong to, `undefined` when they
   * are wrong. Throttled by whoever implements it.
   */
  readonly authenticateCredentials: (
    auth: Json,
    request: FastifyRequest,
  ) => Promise<string | undefined>
  readonly findPython: () => Promise<PythonInfo>
  readonly authStates: AuthStates
  /** Lets the authenticator refuse a new user's name by throwing. */
  readonly beforeUserCreated?: ((username: string) => Promise<void>) | undefined
  readonly now: () => Date
}

/** The API's part of the Fastify application, with types from the route schemas. */
export type ApiApp = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** An answer without a body. */
export function sendEmpty(
  reply: FastifyReply,
  status: number,
  contentType?: 'text/plain' | 'application/json',
): FastifyReply {
  void reply.code(status)
  if (contentType === undefined) return reply.send()
  return reply.type(contentType).send('')
}

/** `user ada`, `service culler`: who did it, for audit records. */
export function actorOf(principal: { kind: string; name: string } | undefined): string {
  return principal === undefined ? 'anonymous' : `${principal.kind} ${principal.name}`
}
