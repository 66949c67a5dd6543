import { type BrowserSession, findBrowserSession } from '../storage/browser-sessions.ts'
import { findOAuthClient } from '../storage/oauth.ts'
import type { Change, ChangeTopic } from '../storage/bus.ts'
import { listGroupIdsOf, listRolesOfService, listRolesOfUser } from '../storage/access.ts'
import type { Store } from '../storage/store.ts'
import { sha256Hex } from '../storage/token-hash.ts'
import { findTokenByValue, hubClientId, type StoredToken } from '../storage/tokens.ts'
import { findUserByCookieId, findUserById } from '../storage/users.ts'
import type { User } from '../domain/records.ts'
import { identifyScopes } from '../rbac/expand.ts'
import { accessScopeOf, type ClientTarget, findClientTarget } from './client-target.ts'
import { type Dependent, DependentCache } from './dependent-cache.ts'
import { MembershipIndex } from './membership-index.ts'
import type { Membership, Principal, Principals } from './principal.ts'
import type { ScopeRules } from './scope-rules.ts'
import { StretchBudget } from './stretch-budget.ts'
import { loadSharedAccess } from './shares.ts'

export interface PrincipalsOptions {
  readonly store: Store
  readonly rules: ScopeRules
  readonly now?: () => Date
  /** How many tokens are remembered. */
  readonly maxTokens?: number
}

const defaultMaxTokens = 50_000
const maxUsers = 50_000
const maxServices = 10_000
/** Longer texts are no tokens: nothing stores one. */
const maxTokenLength = 1024
const serverNotePrefix = 'Server at '

/** A user or service with what it may do, before any token narrows it. */
interface Owner {
  readonly principal: Principal
  /** Raw scopes of roles, direct and through groups. */
  readonly rawScopes: readonly string[]
}

/**
 * Principals out of memory, kept true by what the store's bus announces. `close` ends the
 * subscription.
 */
export function createPrincipals(options: PrincipalsOptions): Principals & { close(): void } {
  return new CachedPrincipals(options)
}

class CachedPrincipals implements Principals {
  readonly #store: Store
  readonly #rules: ScopeRules
  readonly #now: () => Date
  readonly #tokens: DependentCache<Principal>
  readonly #users: DependentCache<Owner>
  readonly #cookies: DependentCache<Principal>
  readonly #sessions: DependentCache<BrowserSession>
  readonly #services: DependentCache<Owner>
  readonly #membership: MembershipIndex
  readonly #stretching: StretchBudget
  readonly #caches: readonly DependentCache<unknown>[]
  readonly close: () => void

  constructor(options: PrincipalsOptions) {
    this.#store = options.store
    this.#rules = options.rules
    this.#now = options.now ?? (() => new Date())
    const now = () => this.#now().getTime()
    this.#tokens = new DependentCache({ maxEntries: options.maxTokens ?? defaultMaxTokens, now })
    this.#users = new DependentCache({ maxEntries: maxUsers, now })
    this.#cookies = new DependentCache({ maxEntries: maxUsers, now })
    this.#sessions = new DependentCache({ maxEntries: maxUsers, now })
    this.#services = new DependentCache({ maxEntries: maxServices, now })
    this.#membership = new MembershipIndex(this.#store)
    this.#stretching = new StretchBudget(this.#now)
    this.#caches = [this.#tokens, this.#users, this.#cookies, this.#sessions, this.#services]
    this.close = this.#store.bus.on(topics, (change) => this.#hear(change))
  }

  async findByToken(token: string): Promise<Principal | undefined> {
    if (token === '' || token.length > maxTokenLength) return undefined
    // The value itself is not kept: a memory dump holds no tokens.
    const found = await this.#tokens.get(sha256Hex(token), () => this.#readToken(token))
    return found?.value
  }

  async findByCookieId(cookieId: string): Promise<Principal | undefined> {
    if (cookieId === '' || cookieId.length > maxTokenLength) return undefined
    const found = await this.#cookies.get(cookieId, async () => {
      const user = await findUserByCookieId(this.#store.db, cookieId)
      const owner = user && (await this.#findUser(user.id))
      // Replaced between the two reads: the old content is worth nothing any more.
      if (owner === undefined || owner.value.principal.cookieId !== cookieId) return undefined
      return { ...owner, value: owner.value.principal }
    })
    return found?.value
  }

  async findSession(id: string): Promise<BrowserSession | undefined> {
    const found = await this.#sessions.get(id, async () => {
      const value = await findBrowserSession(this.#store.db, id, this.#now())
      if (value === undefined) return undefined
      return { value, dependsOn: [`session:${id}`], validUntil: value.expiresAt.getTime() }
    })
    return found?.value
  }

  async findUserById(id: number): Promise<Principal | undefined> {
    return (await this.#findUser(id))?.value.principal
  }

  async listRawScopes(userId: number): Promise<readonly string[]> {
    return (await this.#findUser(userId))?.value.rawScopes ?? []
  }

  loadMembership(): Promise<Membership> {
    return this.#membership.load()
  }

  #hear(change: Change | undefined): void {
    this.#membership.hear(change)
    const names = change && invalidatedBy[change.topic]?.(change.id)
    for (const cache of this.#caches) {
      if (change === undefined) cache.clear()
      else if (names !== undefined) cache.invalidate(names)
    }
  }

  #findUser(id: number): Promise<Dependent<Owner> | undefined> {
    return this.#users.get(String(id), () => this.#readUser(id))
  }

  async #readUser(id: number): Promise<Dependent<Owner> | undefined> {
    const { db } = this.#store
    const user = await findUserById(db, id)
    if (user === undefined || user.disabled) return undefined
    const { direct, throughGroups } = await listRolesOfUser(db, id)
    const rawScopes = [...direct, ...throughGroups].flatMap((role) => role.scopes)
    const groupIds = await listGroupIdsOf(db, id)
    const shared = await loadSharedAccess(db, id, this.#now())
    const scopes = this.#rules.expand([...rawScopes, ...shared.scopes], {
      owner: { kind: 'user', name: user.name },
    })
    const dependsOn = [
      `user:${id}`,
      'roles',
      `shares:user:${id}`,
      // Whoever joins a group is announced as a user.
      ...groupIds.flatMap((groupId) => [`group:${groupId}`, `shares:group:${groupId}`]),
      ...shared.dependsOn,
    ]
    return {
      value: { principal: toPrincipal(user, scopes), rawScopes },
      dependsOn,
      validUntil: shared.validUntil,
    }
  }

  #findService(id: number): Promise<Dependent<Owner> | undefined> {
    return this.#services.get(String(id), async () => {
      const { db } = this.#store
      const service = await db
        .selectFrom('services')
        .select(['id', 'name', 'admin'])
        .where('id', '=', id)
        .executeTakeFirst()
      if (service === undefined) return undefined
      const { name } = service
      const rawScopes = (await listRolesOfService(db, id)).flatMap((role) => role.scopes)
      const scopes = this.#rules.expand(rawScopes, { owner: { kind: 'service', name } })
      const principal: Principal = { kind: 'service', id, name, admin: service.admin === 1, scopes }
      return {
        value: { principal, rawScopes },
        dependsOn: [`service:${id}`, 'roles'],
        validUntil: Infinity,
      }
    })
  }

  async #readToken(value: string): Promise<Dependent<Principal> | undefined> {
    const { db } = this.#store
    const token = await findTokenByValue(db, value, this.#now(), () => this.#stretching.take(value))
    if (token === undefined) return undefined
    const owner =
      token.owner.kind === 'user'
        ? await this.#findUser(token.owner.id)
        : await this.#findService(token.owner.id)
    if (owner === undefined) return undefined
    const narrowed = await this.#narrow(token, owner.value.principal)
    const dependsOn = [`token:${token.id}`, ...owner.dependsOn, ...narrowed.dependsOn]
    if (token.serverId !== null) dependsOn.push(`server:${token.serverId}`)
    const { kind, id, name, admin } = owner.value.principal
    const principal: Principal = {
      kind,
      id,
      name,
      admin,
      scopes: narrowed.scopes,
      token: {
        id: token.id,
        sessionId: token.sessionId,
        clientId: token.clientId,
        isServerToken: isServerToken(token),
      },
    }
    const validUntil = Math.min(token.expiresAt?.getTime() ?? Infinity, owner.validUntil)
    return { value: principal, dependsOn, validUntil }
  }

  /** Source: contract scopes-and-roles §6, rows "token". */
  async #narrow(token: StoredToken, owner: Principal) {
    const target = await this.#findTarget(token.clientId)
    const dependsOn = target.dependsOn
    if (token.scopes.includes('inherit')) return { scopes: owner.scopes, dependsOn }
    const raw = [
      ...token.scopes,
      ...identifyScopes(owner),
      ...(target.value === undefined ? [] : [accessScopeOf(target.value)]),
    ]
    const requested = this.#rules.expand(raw, {
      owner: { kind: owner.kind, name: owner.name },
      client: target.value,
    })
    const groupsOf = await this.loadMembership()
    let consulted = false
    const scopes = this.#rules.intersect(requested, owner.scopes, (username) => {
      consulted = true
      return groupsOf(username)
    })
    return { scopes, dependsOn: consulted ? [...dependsOn, 'memberships'] : dependsOn }
  }

  async #findTarget(
    clientId: string,
  ): Promise<{ value: ClientTarget | undefined; dependsOn: readonly string[] }> {
    if (clientId === hubClientId) return { value: undefined, dependsOn: [] }
    const dependsOn = [`client:${clientId}`]
    const client = await findOAuthClient(this.#store.db, clientId)
    const value = client && (await findClientTarget(this.#store.db, client))
    if (value?.kind === 'server')
      dependsOn.push(`server:${value.serverId}`, `user:${value.ownerId}`)
    if (value?.kind === 'service') dependsOn.push(`service:${value.serviceId}`)
    return { value, dependsOn }
  }
}

/** What each announcement puts in doubt; topics that are not here concern no principal. */
const invalidatedBy: Partial<Record<ChangeTopic, (id: number | string) => readonly string[]>> = {
  // A new name or group moves what filters reach.
  user: (id) => [`user:${id}`, 'memberships'],
  group: (id) => [`group:${id}`, 'memberships'],
  role: () => ['roles'],
  service: (id) => [`service:${id}`],
  // With whom: `user:5`, `group:7`.
  share: (id) => [`shares:${id}`],
  token: (id) => [`token:${id}`],
  session: (id) => [`session:${id}`],
  // Its tokens go with it, by cascade, and are not announced one by one.
  client: (id) => [`client:${id}`],
  server: (id) => [`server:${id}`],
}

const topics: readonly ChangeTopic[] = [
  'user',
  'group',
  'role',
  'service',
  'share',
  'token',
  'client',
  'session',
  'server',
]

/** Imported databases know server tokens by their note only. Source: contract rest-api §2.1. */
function isServerToken(token: StoredToken): boolean {
  return token.serverId !== null || token.note.startsWith(serverNotePrefix)
}

function toPrincipal(user: User, scopes: Principal['scopes']): Principal {
  const { id, name, admin, cookieId } = user
  return { kind: 'user', id, name, admin, scopes, cookieId }
}
