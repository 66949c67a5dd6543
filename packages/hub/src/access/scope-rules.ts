import type { ScopeSet } from '../rbac/scope-set.ts'
import type { ClientTarget } from './client-target.ts'
import type { Membership } from './principal.ts'

/** Whose scopes they are: what bare filters and `self` stand for. */
export interface ScopeContext {
  readonly owner: { readonly kind: 'user' | 'service'; readonly name: string }
  /** Server or service behind the OAuth client that the scopes were issued to. */
  readonly client?: ClientTarget | undefined
}

export interface ResolveRequest extends ScopeContext {
  readonly requested: readonly string[]
  readonly have: readonly string[]
  readonly groupsOf: Membership
}

/** The part of `rbac/` that principals and OAuth need, bound to the custom scopes of this hub. */
export interface ScopeRules {
  /** Whether the text names an existing scope with a well-formed filter, if it has one. */
  isScope(text: string): boolean
  expand(raw: readonly string[], context: ScopeContext): ScopeSet
  intersect(a: ScopeSet, b: ScopeSet, groupsOf: Membership): ScopeSet
  /** Source: contract scopes-and-roles §9.3. */
  resolve(request: ResolveRequest): { allowed: readonly string[]; refused: readonly string[] }
  /** Whether the set covers what the client stands for. */
  mayAccess(scopes: ScopeSet, target: ClientTarget, groupsOf: Membership): boolean
}
