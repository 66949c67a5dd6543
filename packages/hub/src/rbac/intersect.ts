import {
  type GroupsOf,
  type Held,
  type HeldFilters,
  type ScopeSet,
  ScopeSetBuilder,
} from './scope-set.ts'
import type { FilterKind } from './scope-table.ts'

/**
 * What both sets allow. Groups contain their members and users their servers, so of a wider and a
 * narrower filter the narrower survives; different groups have nothing in common, even if they
 * share members. Source: contract scopes-and-roles §7.
 */
export function intersectScopes(a: ScopeSet, b: ScopeSet, groupsOf: GroupsOf): ScopeSet {
  const builder = new ScopeSetBuilder()
  for (const [base, left] of a) {
    const right = b.get(base)
    if (right !== undefined) intersectHeld(builder, { base, left, right, groupsOf })
  }
  return builder.build()
}

function intersectHeld(
  builder: ScopeSetBuilder,
  input: { base: string; left: Held; right: Held; groupsOf: GroupsOf },
): void {
  const { base, left, right, groupsOf } = input
  if (left === 'all' || right === 'all') {
    const narrower = left === 'all' ? right : left
    builder.addSet(new Map([[base, narrower]]))
    return
  }
  const add = (kind: FilterKind, value: string) => builder.addFiltered(base, kind, value)
  for (const [mine, theirs] of [
    [left, right],
    [right, left],
  ] as const) {
    for (const value of mine.user ?? []) if (coversUser(theirs, value, groupsOf)) add('user', value)
    for (const value of mine.group ?? []) if (theirs.group?.has(value) === true) add('group', value)
    for (const value of mine.service ?? []) {
      if (theirs.service?.has(value) === true) add('service', value)
    }
    for (const value of mine.server ?? []) {
      if (coversServer(theirs, value, groupsOf)) add('server', value)
    }
  }
}

/** Whether filters reach a user: by name, or as member of a group. */
export function coversUser(held: HeldFilters, username: string, groupsOf: GroupsOf): boolean {
  if (held.user?.has(username) === true) return true
  if (held.group === undefined) return false
  for (const group of groupsOf(username)) if (held.group.has(group)) return true
  return false
}

/** Whether filters reach a server `owner/name`: itself, or through its owner. */
function coversServer(held: HeldFilters, server: string, groupsOf: GroupsOf): boolean {
  if (held.server?.has(server) === true) return true
  const slash = server.indexOf('/')
  return slash !== -1 && coversUser(held, server.slice(0, slash), groupsOf)
}
