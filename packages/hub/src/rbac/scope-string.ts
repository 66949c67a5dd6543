import type { FilterKind } from './scope-table.ts'

/** One scope as it is written: `read:users`, `read:users!user=ada`, `access:servers!server`. */
export interface ScopeText {
  readonly base: string
  readonly filter?: {
    readonly kind: FilterKind
    /** Absent for a bare filter, which stands for the owner or the OAuth client. */
    readonly value?: string
  }
}

const valueKinds: readonly string[] = ['user', 'group', 'server', 'service']
const bareKinds: readonly string[] = ['user', 'server', 'service']

/**
 * Reads one scope; `undefined` when its filter is none that exists, or has an empty value.
 * Whether the base exists is another question. Source: contract scopes-and-roles §1.
 */
export function parseScope(text: string): ScopeText | undefined {
  const bang = text.indexOf('!')
  if (bang === -1) return { base: text }
  const base = text.slice(0, bang)
  const filter = text.slice(bang + 1)
  const equals = filter.indexOf('=')
  if (equals === -1) {
    return bareKinds.includes(filter) ? { base, filter: { kind: filter as FilterKind } } : undefined
  }
  const kind = filter.slice(0, equals)
  const value = filter.slice(equals + 1)
  if (!valueKinds.includes(kind) || value === '') return undefined
  return { base, filter: { kind: kind as FilterKind, value } }
}

export function formatScope({ base, filter }: ScopeText): string {
  if (filter === undefined) return base
  return filter.value === undefined
    ? `${base}!${filter.kind}`
    : `${base}!${filter.kind}=${filter.value}`
}
