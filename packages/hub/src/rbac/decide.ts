import { coversUser } from './intersect.ts'
import type { GroupsOf, ScopeSet } from './scope-set.ts'

/** What a request is about; the caller must hold a scope that covers it. */
export type Resource =
  | { readonly kind: 'user'; readonly user: string }
  | { readonly kind: 'server'; readonly user: string; readonly server: string }
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'service'; readonly service: string }

/** `hidden` answers 404: the scope is held for other resources; `denied` answers 403. */
export type Decision = 'allowed' | 'hidden' | 'denied'

/**
 * Whether the set holds `base` for the resource; without one, whether it holds it unfiltered.
 * Source: contract scopes-and-roles §8.1.
 */
export function hasScope(
  set: ScopeSet,
  base: string,
  options: { resource?: Resource | undefined; groupsOf: GroupsOf },
): boolean {
  const held = set.get(base)
  if (held === undefined) return false
  if (held === 'all') return true
  const { resource, groupsOf } = options
  switch (resource?.kind) {
    case undefined:
      return false
    case 'user':
      return coversUser(held, resource.user, groupsOf)
    case 'server':
      return (
        held.server?.has(`${resource.user}/${resource.server}`) === true ||
        coversUser(held, resource.user, groupsOf)
      )
    case 'group':
      return held.group?.has(resource.group) === true
    case 'service':
      return held.service?.has(resource.service) === true
  }
}

/** The outcome for a request that any of `anyOf` would do for. Source: §8.2. */
export function decide(
  set: ScopeSet,
  anyOf: readonly string[],
  options: { resource?: Resource | undefined; groupsOf: GroupsOf },
): Decision {
  if (anyOf.some((base) => hasScope(set, base, options))) return 'allowed'
  if (options.resource === undefined) return 'denied'
  return anyOf.some((base) => set.has(base)) ? 'hidden' : 'denied'
}

/** Which entries of a list a caller may see; storage turns it into SQL. */
export type ListSelection =
  | { readonly kind: 'all' }
  | { readonly kind: 'some'; readonly users: readonly string[]; readonly groups: readonly string[] }
  | { readonly kind: 'denied' }

/**
 * Users that `list:users` shows. One filter that selects no users spoils the whole request, as in
 * the reference. Source: §8.3.
 */
export function selectUsers(set: ScopeSet): ListSelection {
  const held = set.get('list:users')
  if (held === undefined) return { kind: 'denied' }
  if (held === 'all') return { kind: 'all' }
  if (held.server !== undefined || held.service !== undefined) return { kind: 'denied' }
  return { kind: 'some', users: [...(held.user ?? [])], groups: [...(held.group ?? [])] }
}

/** Groups that `list:groups` shows. */
export function selectGroups(set: ScopeSet): ListSelection {
  const held = set.get('list:groups')
  if (held === undefined) return { kind: 'denied' }
  if (held === 'all') return { kind: 'all' }
  const others = [held.user, held.server, held.service]
  if (others.some((values) => values !== undefined)) return { kind: 'denied' }
  return { kind: 'some', users: [], groups: [...(held.group ?? [])] }
}

/** Services that `list:services` shows; other kinds of filter select nothing. Source: §8.3. */
export function selectServices(
  set: ScopeSet,
): { readonly kind: 'all' } | { readonly kind: 'some'; readonly services: readonly string[] } {
  const held = set.get('list:services')
  if (held === 'all') return { kind: 'all' }
  return { kind: 'some', services: [...(held?.service ?? [])] }
}
