import { type CustomScopes, findScope } from './custom-scopes.ts'
import { parseScope, type ScopeText } from './scope-string.ts'
import { type ScopeSet, ScopeSetBuilder } from './scope-set.ts'

/** The server or service behind an OAuth client. */
export type ScopeClient =
  | { readonly kind: 'server'; readonly user: string; readonly server: string }
  | { readonly kind: 'service'; readonly name: string }

export interface ExpansionContext {
  /** Whom `self` and a bare `!user` stand for. */
  readonly owner?:
    | { readonly kind: 'user' | 'service' | 'group'; readonly name: string }
    | undefined
  /** What a bare `!server` or `!service` stands for. */
  readonly client?: ScopeClient | undefined
  readonly customScopes: CustomScopes
}

/** Source: contract scopes-and-roles §5; `self` of JupyterHub 6.0. */
const selfScopes = [
  'read:users',
  'users:activity',
  'servers',
  'tokens',
  'access:servers',
  'users:shares',
  'read:shares',
] as const

/** Scopes every token has: enough to say who its owner is. */
export function identifyScopes(owner: { kind: 'user' | 'service'; name: string }): string[] {
  return owner.kind === 'user'
    ? [`read:users:name!user=${owner.name}`, `read:users:groups!user=${owner.name}`]
    : [`read:services:name!service=${owner.name}`]
}

/** Whether the text names an existing scope, with a filter that is one. */
export function isScope(text: string, custom: CustomScopes): boolean {
  const scope = parseScope(text)
  return scope !== undefined && findScope(scope.base, custom) !== undefined
}

/**
 * Spells scopes out: sub-scopes first, then bare filters, then `self`.
 * What means nothing for this owner and client vanishes; nothing is ever refused here.
 * Source: contract scopes-and-roles §4.
 */
export function expandScopes(raw: Iterable<string>, context: ExpansionContext): ScopeSet {
  const builder = new ScopeSetBuilder()
  for (const text of raw) {
    const scope = parseScope(text)
    if (scope === undefined) continue
    if (scope.base === 'self') {
      // A filter would pretend to narrow what has no filter: such a `self` means nothing.
      const isUsable = scope.filter === undefined && context.owner?.kind === 'user'
      if (isUsable && context.owner !== undefined) addSelf(builder, context.owner.name, context)
      continue
    }
    // What no longer exists, such as a custom scope that was removed, gives nothing.
    if (findScope(scope.base, context.customScopes) === undefined) continue
    if (scope.base === 'inherit' && scope.filter !== undefined) continue
    for (const part of withSubscopes(scope, context.customScopes)) add(builder, part, context)
  }
  return builder.build()
}

function addSelf(builder: ScopeSetBuilder, name: string, context: ExpansionContext): void {
  const filter = { kind: 'user', value: name } as const
  for (const base of selfScopes) {
    for (const part of withSubscopes({ base, filter }, context.customScopes)) {
      add(builder, part, context)
    }
  }
}

function add(builder: ScopeSetBuilder, scope: ScopeText, context: ExpansionContext): void {
  const { base, filter } = scope
  if (filter === undefined) {
    builder.addAll(base)
    return
  }
  const value = filter.value ?? bareValue(filter.kind, context)
  if (value !== undefined) builder.addFiltered(base, filter.kind, value)
}

function bareValue(kind: string, { owner, client }: ExpansionContext): string | undefined {
  switch (kind) {
    case 'user':
      return owner?.kind === 'user' ? owner.name : undefined
    case 'server':
      return client?.kind === 'server' ? `${client.user}/${client.server}` : undefined
    case 'service':
      if (client?.kind === 'service') return client.name
      return owner?.kind === 'service' ? owner.name : undefined
    default:
      return undefined
  }
}

/** The scope and all below it, with its filter; a server's filter means nothing to `read:user*`. */
function withSubscopes(scope: ScopeText, custom: CustomScopes): ScopeText[] {
  const bases = new Set<string>()
  const visit = (base: string) => {
    if (bases.has(base)) return
    bases.add(base)
    for (const subscope of findScope(base, custom)?.subscopes ?? []) visit(subscope)
  }
  visit(scope.base)
  const { filter } = scope
  return [...bases]
    .filter((base) => filter?.kind !== 'server' || !base.startsWith('read:user'))
    .map((base) => (filter === undefined ? { base } : { base, filter }))
}
