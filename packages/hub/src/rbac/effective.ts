import {
  clientAccessScope,
  type ExpansionContext,
  expandScopes,
  identifyScopes,
  type ScopeClient,
} from './expand.ts'
import { intersectScopes } from './intersect.ts'
import { type GroupsOf, type ScopeSet, ScopeSetBuilder } from './scope-set.ts'
import type { CustomScopes } from './custom-scopes.ts'

export interface OwnerScopesInput {
  readonly owner: { readonly kind: 'user' | 'service'; readonly name: string }
  /** Raw scopes of all roles of the owner, through groups too. */
  readonly roleScopes: readonly string[]
  /** What is shared with the owner, directly and through groups. */
  readonly shares: readonly { readonly client: ScopeClient; readonly scopes: readonly string[] }[]
  readonly customScopes: CustomScopes
}

/**
 * What a user or service may do when signed in.
 * Differs from JupyterHub: shares through groups count for tokens as they do for cookies (D18).
 * Source: contract scopes-and-roles §6.
 */
export function ownerScopes(input: OwnerScopesInput): ScopeSet {
  const { owner, roleScopes, shares, customScopes } = input
  const builder = new ScopeSetBuilder()
  builder.addSet(expandScopes(roleScopes, { owner, customScopes }))
  for (const { client, scopes } of shares) {
    builder.addSet(expandScopes(scopes, { owner, client, customScopes }))
  }
  return builder.build()
}

export interface TokenScopesInput {
  readonly owner: { readonly kind: 'user' | 'service'; readonly name: string }
  readonly ownerScopes: ScopeSet
  /** As stored with the token. */
  readonly tokenScopes: readonly string[]
  /** The server or service whose OAuth client the token was issued to. */
  readonly client?: ScopeClient | undefined
  readonly customScopes: CustomScopes
  readonly groupsOf: GroupsOf
}

/** What a token may do now: never more than its owner. Source: contract scopes-and-roles §6. */
export function tokenScopes(input: TokenScopesInput): ScopeSet {
  const { owner, tokenScopes: stored, client, customScopes, groupsOf } = input
  if (stored.includes('inherit')) return input.ownerScopes
  const context: ExpansionContext = { owner, client, customScopes }
  const raw = [
    ...stored,
    ...identifyScopes(owner),
    ...(client === undefined ? [] : [clientAccessScope(client)]),
  ]
  return intersectScopes(expandScopes(raw, context), input.ownerScopes, groupsOf)
}
