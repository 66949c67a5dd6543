import { type ExpansionContext, expandScopes } from './expand.ts'
import { intersectScopes } from './intersect.ts'
import {
  fromScopeStrings,
  type GroupsOf,
  isSameScopeSet,
  type ScopeSet,
  toScopeStrings,
} from './scope-set.ts'

export interface ResolveInput {
  readonly requested: readonly string[]
  readonly have: readonly string[]
  readonly context: ExpansionContext
  readonly groupsOf: GroupsOf
}

/**
 * Cuts requested raw scopes down to those that are had. A scope had in full keeps its spelling; of
 * one had in part the surviving expanded scopes are allowed and the raw one is refused.
 * Source: contract scopes-and-roles §9.3.
 */
export function resolveScopes(input: ResolveInput): { allowed: string[]; refused: string[] } {
  const { requested, have, context, groupsOf } = input
  const held = new Set(have)
  const allowed = new Set(requested.filter((scope) => held.has(scope)))
  const refused: string[] = []
  const had = expandScopes(have, context)
  for (const scope of requested) {
    if (allowed.has(scope)) continue
    const wanted = withoutIncluded(expandScopes([scope], context), allowed, context)
    const common = intersectScopes(wanted, had, groupsOf)
    if (wanted.size > 0 && isSameScopeSet(wanted, common)) {
      allowed.add(scope)
      continue
    }
    for (const text of toScopeStrings(common)) allowed.add(text)
    refused.push(scope)
  }
  return { allowed: [...allowed], refused }
}

function withoutIncluded(
  wanted: ScopeSet,
  allowed: ReadonlySet<string>,
  context: ExpansionContext,
): ScopeSet {
  const included = new Set(toScopeStrings(expandScopes(allowed, context)))
  return fromScopeStrings(toScopeStrings(wanted).filter((text) => !included.has(text)))
}
