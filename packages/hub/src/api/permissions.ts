import type { Membership, Principal } from '../access/principal.ts'
import { type Decision, decide, hasScope, type Resource, selectUsers } from '../rbac/decide.ts'
import { identifyScopes } from '../rbac/expand.ts'
import { type UserModelKey, visibleUserKeys } from '../rbac/model-keys.ts'
import {
  fromScopeStrings,
  type ScopeSet,
  ScopeSetBuilder,
  toScopeStrings,
} from '../rbac/scope-set.ts'
import type { UserSelection } from '../storage/users.ts'

/** All that the API asks of `rbac/` goes through this file. */
export { identifyScopes, toScopeStrings, toScopeStrings as listScopes }
export type { UserModelKey }

/** What one caller may see: the questions that views and lists ask. */
export class Viewer {
  readonly #scopes: ScopeSet
  readonly #groupsOf: Membership

  constructor(scopes: ScopeSet, groupsOf: Membership) {
    this.#scopes = scopes
    this.#groupsOf = groupsOf
  }

  /** The caller as seen by itself, who may always know who that is. */
  static ofSelf(principal: Principal, groupsOf: Membership): Viewer {
    const own = fromScopeStrings(identifyScopes(principal))
    return new Viewer(new ScopeSetBuilder().addSet(principal.scopes).addSet(own).build(), groupsOf)
  }

  coversUser(scope: string, name: string): boolean {
    return this.#covers(scope, { kind: 'user', user: name })
  }

  coversServer(scope: string, owner: string, name: string): boolean {
    return this.#covers(scope, { kind: 'server', user: owner, server: name })
  }

  coversService(scope: string, name: string): boolean {
    return this.#covers(scope, { kind: 'service', service: name })
  }

  /** Keys of the model of one user; `servers` when all of the user's servers are visible. */
  userKeys(name: string): ReadonlySet<UserModelKey> {
    return visibleUserKeys(this.#scopes, { username: name, groupsOf: this.#groupsOf })
  }

  /** Users that the caller may list; `undefined` when the scope is held in no usable way. */
  listableUsers(): UserSelection | undefined {
    const selection = selectUsers(this.#scopes)
    return selection.kind === 'denied' ? undefined : selection
  }

  #covers(scope: string, resource: Resource): boolean {
    return hasScope(this.#scopes, scope, { resource, groupsOf: this.#groupsOf })
  }
}

/** What a route is about. A `list` narrows itself; `none` takes an unfiltered scope. */
export type RouteResource = Resource | { readonly kind: 'none' } | { readonly kind: 'list' }

export function decideAccess(
  caller: { principal: Principal; membership: Membership },
  anyOf: readonly string[],
  resource: RouteResource,
): Decision {
  const { scopes } = caller.principal
  if (resource.kind === 'list') {
    return anyOf.some((scope) => scopes.has(scope)) ? 'allowed' : 'denied'
  }
  return decide(scopes, anyOf, {
    resource: resource.kind === 'none' ? undefined : resource,
    groupsOf: caller.membership,
  })
}
