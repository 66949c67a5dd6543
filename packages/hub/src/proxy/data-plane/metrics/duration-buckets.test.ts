import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bucketCount, bucketOf, quantileOf } from './duration-buckets.ts'

test('whatever the durations, a quantile is one of them to within 7 %', () => {
  const durations = fc.array(fc.integer({ min: 10, max: 2 ** 31 - 1 }), { minLength: 1 })
  const property = fc.property(durations, fc.constantFrom(0.01, 0.5, 0.99), (ns, part) => {
    const buckets = new Float64Array(bucketCount)
    for (const one of ns) buckets[bucketOf(one / 1e6)] = (buckets[bucketOf(one / 1e6)] ?? 0) + 1
    const rank = Math.max(1, Math.ceil(part * ns.length))
    const exact = (ns.toSorted((a, b) => a - b)[rank - 1] ?? 0) / 1e9
    expect(Math.abs(quantileOf(buckets, part) / exact - 1)).toBeLessThan(0.07)
  })
  fc.assert(property, { numRuns: 300 })
})

test.each([0, -1, Number.MAX_VALUE, 2 ** 40])('%d milliseconds have a bucket', (ms) => {
  expect(bucketOf(ms)).toBeGreaterThanOrEqual(0)
  expect(bucketOf(ms)).toBeLessThan(bucketCount)
})

test('of nothing every quantile is 0', () => {
  expect(quantileOf(new Float64Array(bucketCount), 0.5)).toBe(0)
})
