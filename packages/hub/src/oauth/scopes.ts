import { accessScopeOf, type ClientTarget } from '../access/client-target.ts'
import type { Membership, Principal } from '../access/principal.ts'
import type { ScopeRules } from '../access/scope-rules.ts'
import { allowsOpenId, isIdentityScope } from '../domain/identity-scopes.ts'
import type { OAuthClient } from '../domain/records.ts'

/** Every token may say who its owner is. Source: contract scopes-and-roles §5. */
const identifyScopes = ['read:users:name!user', 'read:users:groups!user']
/** An old name for "nothing but who the user is". */
const legacyIdentify = 'identify'
/** Of OpenID Connect, without a meaning here: there is neither a refresh token nor such a claim. */
const ignoredScopes = new Set(['offline_access', 'address', 'phone'])

export interface GrantRequest {
  /** `undefined`: all that the client may have. An empty list asks for identification only. */
  readonly requested: readonly string[] | undefined
  readonly client: OAuthClient
  readonly target: ClientTarget
  readonly user: Principal
  /** Raw scopes of the user's roles. */
  readonly userRawScopes: readonly string[]
  readonly groupsOf: Membership
  readonly rules: ScopeRules
  /** Scopes of the role with this name. */
  readonly findRoleScopes: (name: string) => Promise<readonly string[] | undefined>
}

/**
 * Raw scopes that a token for the client gets; they always include identification and access.
 * What the user does not hold is left out.
 * Source: contract scopes-and-roles §9.2 steps 1 to 7.
 * @returns `undefined` (`invalid_scope`) for what does not exist or exceeds the client's scopes
 */
export async function resolveGrant(request: GrantRequest): Promise<readonly string[] | undefined> {
  const { client, target, user, rules, groupsOf } = request
  const always = [...identifyScopes, accessScopeOf(target)]
  const hubScopes = client.allowedScopes.filter((scope) => !isIdentityScope(scope))
  const { identity, others } = separate(request.requested ?? hubScopes, client)
  const named = await toScopes(others, request)
  if (named === undefined) return undefined
  const context = { owner: { kind: user.kind, name: user.name }, client: target, groupsOf }
  const wanted = [...new Set([...named, ...always])]
  const byClient = rules.resolve({
    ...context,
    requested: wanted,
    have: [...hubScopes, ...always],
  })
  if (byClient.refused.length > 0) return undefined
  const have = [...request.userRawScopes, 'inherit', ...always]
  const { allowed } = rules.resolve({ ...context, requested: byClient.allowed, have })
  return [...new Set([...allowed, ...always, ...identity])].toSorted()
}

/**
 * Takes out what only OpenID Connect knows, where the client may speak it. There what the provider
 * does not know is ignored too, as the standard has it.
 * Source: OpenID Connect Core 1.0 §3.1.2.1 (scope), §11 (offline access).
 */
function separate(
  requested: readonly string[],
  client: OAuthClient,
): { identity: readonly string[]; others: readonly string[] } {
  const isOpenId = requested.includes('openid') && allowsOpenId(client.allowedScopes)
  if (!isOpenId) return { identity: [], others: requested }
  const isOurs = (scope: string) => !isIdentityScope(scope) && !ignoredScopes.has(scope)
  return { identity: requested.filter(isIdentityScope), others: requested.filter(isOurs) }
}

/** Names that are not all scopes are all role names: the form of JupyterHub 1. */
async function toScopes(
  names: readonly string[],
  request: Pick<GrantRequest, 'rules' | 'findRoleScopes'>,
): Promise<readonly string[] | undefined> {
  const asked = names.filter((name) => name !== legacyIdentify)
  if (asked.every((name) => request.rules.isScope(name))) return asked
  const scopes: string[] = []
  for (const name of asked) {
    const ofRole = await request.findRoleScopes(name)
    if (ofRole === undefined) return undefined
    scopes.push(...ofRole)
  }
  return scopes
}
