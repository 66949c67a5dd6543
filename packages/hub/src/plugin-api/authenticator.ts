import type { JsonObject } from '../util/json.ts'

/** What a person or program sent to prove who it is; every value is bounded by the caller. */
export interface Credentials {
  readonly username: string
  readonly password: string
  /** Any further fields of the login form. */
  readonly fields: Readonly<Record<string, string>>
  readonly remoteAddress: string
}

/** A role by the word of the authenticator; what is left out stays as it is. */
export interface ManagedRole {
  readonly name: string
  readonly description?: string
  readonly scopes?: readonly string[]
  /** Names of exactly those who shall have it; names that are not known are passed over. */
  readonly users?: readonly string[]
  readonly groups?: readonly string[]
  readonly services?: readonly string[]
}

/** Who somebody turned out to be. `null` members mean "leave as it is". */
export interface Identity {
  /** As the source of identity spells it; the hub normalises and validates it. */
  readonly name: string
  readonly admin: boolean | null
  /** All groups of the user; counts while `Authenticator.manage_groups` is true. */
  readonly groups?: readonly string[] | null
  /** All directly held roles; counts while `Authenticator.manage_roles` is true. */
  readonly roles?: readonly ManagedRole[] | null
  readonly authState?: JsonObject | null
  readonly userInfo?: JsonObject | null
}

/** Why nobody was identified, when the person may know more than "wrong name or password". */
export class LoginRefused extends Error {
  readonly status: number

  constructor(message: string, options: { status?: number } = {}) {
    super(message)
    this.name = 'LoginRefused'
    this.status = options.status ?? 403
  }
}

/**
 * Turns a login into a user name. Normalisation, allow and block rules, throttling and the user
 * record are the hub's. Calls overlap.
 */
export interface Authenticator {
  /** Label of the sign-in button for log-ins without a form; `''` shows the form. */
  readonly loginService: string
  /**
   * Where signing in begins when that is not the hub's own form: an absolute URL, or a path. The
   * hub appends `?next=` when there is one. `hubPrefix` ends in `/`.
   */
  loginUrl?(hubPrefix: string): string
  /** What `allow_all` is when the operator configured nothing about who may sign in. */
  readonly allowsAllByDefault: boolean
  /** The identity, or `null` when the credentials are wrong. Throws {@link LoginRefused} to explain. */
  identify(credentials: Credentials, signal: AbortSignal): Promise<Identity | null>
  /**
   * Optional: roles to load at the start of the hub, while `Authenticator.manage_roles` is true.
   * `Authenticator.reset_managed_roles_on_startup` takes it.
   */
  loadManagedRoles?(signal: AbortSignal): Promise<readonly ManagedRole[]>
}

/** Password hashes of native accounts; the hub's store behind the one door an authenticator gets. */
export interface PasswordStore {
  /** PHC string of the user's password hash, or `undefined`. The name is normalised. */
  findPasswordHash(username: string): Promise<string | undefined>
}

export interface AuthenticatorContext<Options> {
  readonly options: Options
  readonly passwords: PasswordStore
}

export interface AuthenticatorDefinition<Options = unknown> {
  /** Short name for `authenticator_class`. */
  readonly id: string
  create(context: AuthenticatorContext<Options>): Authenticator
}

export function defineAuthenticator<Options>(
  definition: AuthenticatorDefinition<Options>,
): AuthenticatorDefinition<Options> {
  return Object.freeze(definition)
}
