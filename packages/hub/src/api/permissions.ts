import type { Membership, Principal } from '../access/principal.ts'
import {
  type Decision,
  decide,
  hasScope,
  type Resource,
  selectGroups,
  selectServices,
  selectUsers,
} from '../rbac/decide.ts'
import { identifyScopes } from '../rbac/expand.ts'
import {
  type GroupModelKey,
  type ServiceModelKey,
  type UserModelKey,
  visibleGroupKeys,
  visibleServiceKeys,
  visibleUserKeys,
  isUnfiltered,
} from '../rbac/model-keys.ts'
import {
  fromScopeStrings,
  type ScopeSet,
  ScopeSetBuilder,
  toScopeStrings,
} from '../rbac/scope-set.ts'
import type { UserSelection } from '../storage/users.ts'

/** All that the API asks of `rbac/` goes through this file. */
export { identifyScopes, toScopeStrings, toScopeStrings as listScopes }
export type { GroupModelKey, ServiceModelKey, UserModelKey }

/** What one caller may see: the questions that views and lists ask. */
export class Viewer {
  readonly #scopes: ScopeSet
  readonly #groupsOf: Membership
  /** Where no filter tells users apart; pages of users ask hundreds of times. */
  #keysOfAll: ReadonlySet<UserModelKey> | undefined

  constructor(scopes: ScopeSet, groupsOf: Membership) {
    this.#scopes = scopes
    this.#groupsOf = groupsOf
  }

  /** The caller as seen by itself, who may always know who that is. */
  static ofSelf(principal: Principal, groupsOf: Membership): Viewer {
    return Viewer.ofAnother(principal, principal, groupsOf)
  }

  /** Somebody as a caller sees it who may know who that is. */
  static ofAnother(
    caller: Principal,
    other: Pick<Principal, 'kind' | 'name'>,
    groupsOf: Membership,
  ): Viewer {
    const known = fromScopeStrings(identifyScopes(other))
    return new Viewer(new ScopeSetBuilder().addSet(caller.scopes).addSet(known).build(), groupsOf)
  }

  coversUser(scope: string, name: string): boolean {
    return this.#covers(scope, { kind: 'user', user: name })
  }

  coversServer(scope: string, owner: string, name: string): boolean {
    return this.#covers(scope, { kind: 'server', user: owner, server: name })
  }

  coversGroup(scope: string, name: string): boolean {
    return this.#covers(scope, { kind: 'group', group: name })
  }

  coversService(scope: string, name: string): boolean {
    return this.#covers(scope, { kind: 'service', service: name })
  }

  /** Keys of the model of one user; `servers` when all of the user's servers are visible. */
  userKeys(name: string): ReadonlySet<UserModelKey> {
    if (this.#keysOfAll !== undefined) return this.#keysOfAll
    const keys = visibleUserKeys(this.#scopes, { username: name, groupsOf: this.#groupsOf })
    if (isUnfiltered(this.#scopes)) this.#keysOfAll = keys
    return keys
  }

  groupKeys(name: string): ReadonlySet<GroupModelKey> {
    return visibleGroupKeys(this.#scopes, { group: name, groupsOf: this.#groupsOf })
  }

  serviceKeys(name: string): ReadonlySet<ServiceModelKey> {
    return visibleServiceKeys(this.#scopes, { service: name, groupsOf: this.#groupsOf })
  }

  /** Users that the caller may list; `undefined` when the scope is held in no usable way. */
  listableUsers(): UserSelection | undefined {
    const selection = selectUsers(this.#scopes)
    return selection.kind === 'denied' ? undefined : selection
  }

  /** Groups by name that the caller may list; `undefined` as for {@link listableUsers}. */
  listableGroups():
    | { readonly kind: 'all' }
    | { readonly kind: 'some'; readonly groups: readonly string[] }
    | undefined {
    const selection = selectGroups(this.#scopes)
    return selection.kind === 'denied' ? undefined : selection
  }

  listableServices() {
    return selectServices(this.#scopes)
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
