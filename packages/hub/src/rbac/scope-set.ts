import { parseScope } from './scope-string.ts'
import type { FilterKind } from './scope-table.ts'

/** Values of each kind of filter that one scope is held with. */
export type HeldFilters = { readonly [Kind in FilterKind]?: ReadonlySet<string> }

/** How one scope is held: without a filter, or with some. */
export type Held = 'all' | HeldFilters

/** Expanded scopes by base: sub-scopes spelled out, no metascopes, no bare filters. Immutable. */
export type ScopeSet = ReadonlyMap<string, Held>

export const noScopes: ScopeSet = new Map()

export const filterKinds = ['user', 'group', 'server', 'service'] as const

/** Groups of a user by name, as of now. */
export type GroupsOf = (username: string) => ReadonlySet<string>

/** Collects scopes; what is held without a filter swallows what is held with one. */
export class ScopeSetBuilder {
  readonly #held = new Map<string, 'all' | Map<FilterKind, Set<string>>>()

  addAll(base: string): this {
    this.#held.set(base, 'all')
    return this
  }

  addFiltered(base: string, kind: FilterKind, value: string): this {
    const present = this.#held.get(base)
    if (present === 'all') return this
    const filters = present ?? new Map<FilterKind, Set<string>>()
    this.#held.set(base, filters)
    const values = filters.get(kind) ?? new Set()
    filters.set(kind, values.add(value))
    return this
  }

  /** Adds everything that another set holds. */
  addSet(set: ScopeSet): this {
    for (const [base, held] of set) {
      if (held === 'all') {
        this.addAll(base)
        continue
      }
      for (const kind of filterKinds) {
        for (const value of held[kind] ?? []) this.addFiltered(base, kind, value)
      }
    }
    return this
  }

  build(): ScopeSet {
    return new Map(
      [...this.#held].map(([base, filters]): [string, Held] => [
        base,
        filters === 'all' ? 'all' : (Object.fromEntries(filters) as HeldFilters),
      ]),
    )
  }
}

/** The scopes as sorted strings, as the wire has them. */
export function toScopeStrings(set: ScopeSet): string[] {
  const texts: string[] = []
  for (const [base, held] of set) {
    if (held === 'all') {
      texts.push(base)
      continue
    }
    for (const kind of filterKinds) {
      for (const value of held[kind] ?? []) texts.push(`${base}!${kind}=${value}`)
    }
  }
  return texts.toSorted()
}

/** A set of scopes that are expanded already; what cannot be read is left out. */
export function fromScopeStrings(texts: Iterable<string>): ScopeSet {
  const builder = new ScopeSetBuilder()
  for (const text of texts) {
    const scope = parseScope(text)
    if (scope === undefined) continue
    const { base, filter } = scope
    if (filter === undefined) builder.addAll(base)
    else if (filter.value !== undefined) builder.addFiltered(base, filter.kind, filter.value)
  }
  return builder.build()
}

export function isSameScopeSet(a: ScopeSet, b: ScopeSet): boolean {
  return toScopeStrings(a).join('\n') === toScopeStrings(b).join('\n')
}
