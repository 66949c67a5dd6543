import type { CustomScopes } from '../rbac/custom-scopes.ts'
import { hasScope } from '../rbac/decide.ts'
import { expandScopes, isScope, type ScopeClient } from '../rbac/expand.ts'
import { intersectScopes } from '../rbac/intersect.ts'
import { resolveScopes } from '../rbac/resolve.ts'
import type { ClientTarget } from './client-target.ts'
import type { ScopeContext, ScopeRules } from './scope-rules.ts'

/** The scope rules of this hub: `rbac/` with its custom scopes. */
export function createScopeRules(customScopes: CustomScopes): ScopeRules {
  const contextOf = ({ owner, client }: ScopeContext) => ({
    owner,
    client: client && toScopeClient(client),
    customScopes,
  })
  return {
    isScope: (text) => isScope(text, customScopes),
    expand: (raw, context) => expandScopes(raw, contextOf(context)),
    intersect: (a, b, groupsOf) => intersectScopes(a, b, groupsOf),
    resolve: ({ requested, have, groupsOf, ...context }) =>
      resolveScopes({ requested, have, context: contextOf(context), groupsOf }),
    mayAccess: (scopes, target, groupsOf) =>
      target.kind === 'server'
        ? hasScope(scopes, 'access:servers', {
            resource: { kind: 'server', user: target.username, server: target.serverName },
            groupsOf,
          })
        : hasScope(scopes, 'access:services', {
            resource: { kind: 'service', service: target.name },
            groupsOf,
          }),
  }
}

function toScopeClient(target: ClientTarget): ScopeClient {
  return target.kind === 'server'
    ? { kind: 'server', user: target.username, server: target.serverName }
    : { kind: 'service', name: target.name }
}
