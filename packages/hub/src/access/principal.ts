import type { BrowserSession } from '../storage/browser-sessions.ts'
import type { ScopeSet } from '../rbac/scope-set.ts'

/** Who makes a request, with what that request may do. */
export interface Principal {
  readonly kind: 'user' | 'service'
  readonly id: number
  readonly name: string
  readonly admin: boolean
  /** Effective scopes, expanded; computed from what the store holds now. */
  readonly scopes: ScopeSet
  /** Set when the request carried a token. */
  readonly token?: {
    readonly id: number
    readonly sessionId: string | null
    readonly clientId: string
    /** Servers report with their own token; that is not activity of the user. */
    readonly isServerToken: boolean
  }
  /** Set when the request carried a login cookie. */
  readonly cookieId?: string
}

/** Group names of a user, as of now. */
export type Membership = (username: string) => ReadonlySet<string>

/** Finds who is behind credentials. What it caches, changes announced by the store invalidate. */
export interface Principals {
  /** Owner of a stored, unexpired token; `undefined` for any other text. */
  findByToken(token: string): Promise<Principal | undefined>
  /** User of a verified login cookie. */
  findByCookieId(cookieId: string): Promise<Principal | undefined>
  /** The browser session with this id, while it goes on. */
  findSession(id: string): Promise<BrowserSession | undefined>
  /** What the user may do when signed in by cookie. */
  findUserById(id: number): Promise<Principal | undefined>
  /** Raw scopes of the roles of a user and of the user's groups. */
  listRawScopes(userId: number): Promise<readonly string[]>
  loadMembership(): Promise<Membership>
}
