import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noCustomScopes } from './custom-scopes.ts'
import { decide, type Resource } from './decide.ts'
import { expandScopes } from './expand.ts'
import { intersectScopes } from './intersect.ts'
import { resolveScopes } from './resolve.ts'
import { fromScopeStrings, isSameScopeSet, type ScopeSet, toScopeStrings } from './scope-set.ts'
import { formatScope, parseScope } from './scope-string.ts'
import { scopeTable } from './scope-table.ts'

const customScopes = noCustomScopes
const memberships: Record<string, string[]> = { alice: ['g1'], bob: ['g1'], carol: ['g2'] }
const groupsOf = (user: string) => new Set(memberships[user] ?? [])
const expandFor = (name: string, raw: readonly string[]) =>
  expandScopes(raw, { owner: { kind: 'user', name }, customScopes })

describe('properties', () => {
  const value = fc.constantFrom('alice', 'bob', 'carol', 'dave')
  const filter = fc.oneof(
    fc.constant(''),
    value.map((name) => `!user=${name}`),
    value.map((name) => `!server=${name}/n1`),
    fc.constantFrom('!group=g1', '!group=g2', '!service=s1'),
  )
  const scope = fc
    .tuple(fc.constantFrom(...Object.keys(scopeTable).filter((name) => name !== 'self')), filter)
    .map(([base, suffix]) => base + suffix)
  const set = fc.array(scope, { maxLength: 8 }).map((raw) => expandFor('alice', raw))

  const resource = fc.oneof(
    value.map((name): Resource => ({ kind: 'user', user: name })),
    value.map((name): Resource => ({ kind: 'server', user: name, server: 'n1' })),
    fc.constantFrom('g1', 'g2').map((name): Resource => ({ kind: 'group', group: name })),
  )
  const base = fc.constantFrom(...Object.keys(scopeTable))

  test('intersection is symmetric, idempotent and never wider than either side', () => {
    fc.assert(
      fc.property(set, set, (a, b) => {
        const both = intersectScopes(a, b, groupsOf)
        expect(isSameScopeSet(both, intersectScopes(b, a, groupsOf))).toBe(true)
        expect(isSameScopeSet(intersectScopes(both, a, groupsOf), both)).toBe(true)
        expect(isSameScopeSet(intersectScopes(a, a, groupsOf), a)).toBe(true)
      }),
    )
  })
  test('what the intersection allows, both sides allow', () => {
    fc.assert(
      fc.property(set, set, base, resource, (a, b, required, wanted) => {
        const options = { resource: wanted, groupsOf }
        if (decide(intersectScopes(a, b, groupsOf), [required], options) !== 'allowed') return
        expect(decide(a, [required], options)).toBe('allowed')
        expect(decide(b, [required], options)).toBe('allowed')
      }),
    )
  })
  /** Whatever `a` allows, `b` allows. */
  const isWithin = (a: ScopeSet, b: ScopeSet, asked: { base: string; resource: Resource }) => {
    const options = { resource: asked.resource, groupsOf }
    return (
      decide(a, [asked.base], options) !== 'allowed' ||
      decide(b, [asked.base], options) === 'allowed'
    )
  }
  const raw = fc.array(scope, { maxLength: 6 })
  const asked = fc.record({ base, resource })

  test('resolving allows no more than what is had, and nothing that was not asked for', () => {
    const context = { owner: { kind: 'user', name: 'alice' } as const, customScopes }
    fc.assert(
      fc.property(raw, raw, asked, (requested, have, question) => {
        const { allowed, refused } = resolveScopes({ requested, have, context, groupsOf })
        const granted = expandFor('alice', allowed)
        expect(isWithin(granted, expandFor('alice', have), question)).toBe(true)
        expect(isWithin(granted, expandFor('alice', requested), question)).toBe(true)
        for (const each of refused) expect(requested).toContain(each)
        // What is had as it was written is granted as it was written.
        const all = resolveScopes({ requested, have: requested, context, groupsOf })
        expect(all).toEqual({ allowed: [...new Set(requested)], refused: [] })
      }),
    )
  })
  test('more raw scopes never allow less', () => {
    fc.assert(
      fc.property(raw, raw, asked, (some, more, question) => {
        const big = expandFor('alice', [...some, ...more])
        expect(isWithin(expandFor('alice', some), big, question)).toBe(true)
      }),
    )
  })
  test('expansion is idempotent and survives the way through text', () => {
    fc.assert(
      fc.property(set, (expanded) => {
        const texts = toScopeStrings(expanded)
        expect(isSameScopeSet(expandFor('alice', texts), expanded)).toBe(true)
        expect(isSameScopeSet(fromScopeStrings(texts), expanded)).toBe(true)
      }),
    )
  })
  test('a scope that can be read is written as it was', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const parsed = parseScope(text)
        if (parsed !== undefined) expect(formatScope(parsed)).toBe(text)
      }),
    )
  })
})
