import type { Membership, Principal } from '../../access/principal.ts'
import { accessScopeOf, type ClientTarget, findClientTarget } from '../../access/client-target.ts'
import type { Token } from '../../domain/records.ts'
import { findOAuthClient } from '../../storage/oauth.ts'
import type { Executor } from '../../storage/dialects/dialect.ts'
import type { ScopeRules } from '../../access/scope-rules.ts'
import { identifyScopes } from '../../rbac/expand.ts'
import { toScopeStrings } from '../../rbac/scope-set.ts'

/** What tokens of one owner may do now. Source: contract scopes-and-roles §6. */
export class EffectiveScopes {
  readonly #rules: ScopeRules
  readonly #owner: Pick<Principal, 'kind' | 'name' | 'scopes'>
  readonly #groupsOf: Membership
  readonly #targets = new Map<string, ClientTarget | undefined>()

  constructor(
    rules: ScopeRules,
    owner: Pick<Principal, 'kind' | 'name' | 'scopes'>,
    groupsOf: Membership,
  ) {
    this.#rules = rules
    this.#owner = owner
    this.#groupsOf = groupsOf
  }

  async of(db: Executor, token: Pick<Token, 'scopes' | 'clientId'>): Promise<string[]> {
    if (token.scopes.includes('inherit')) return toScopeStrings(this.#owner.scopes)
    const client = await this.#target(db, token.clientId)
    const { kind, name } = this.#owner
    const raw = [...token.scopes, ...identifyScopes({ kind, name })]
    if (client !== undefined) raw.push(accessScopeOf(client))
    const expanded = this.#rules.expand(raw, { owner: { kind, name }, client })
    return toScopeStrings(this.#rules.intersect(expanded, this.#owner.scopes, this.#groupsOf))
  }

  /** Most tokens of a user share a few clients. */
  async #target(db: Executor, clientId: string): Promise<ClientTarget | undefined> {
    if (this.#targets.has(clientId)) return this.#targets.get(clientId)
    const client = await findOAuthClient(db, clientId)
    const target = client && (await findClientTarget(db, client))
    this.#targets.set(clientId, target)
    return target
  }
}
