import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPeerTrust } from '../peer-trust.ts'
import { addressKey, clientAddress } from './client-address.ts'
import { Seats } from './seats.ts'
import { TokenBuckets } from './token-buckets.ts'

test('a bucket grants its burst at once, then the rate', () => {
  const buckets = new TokenBuckets(2, 3)
  const taken = Array.from({ length: 8 }, () => buckets.take('a', 1000))
  expect(taken.filter((wait) => wait === 0)).toHaveLength(6)
  expect(taken.at(-1)).toBe(500)
  expect(buckets.take('b', 1000)).toBe(0)
  expect(buckets.take('a', 1499)).toBeGreaterThan(0)
  expect(buckets.take('a', 1500)).toBe(0)
  expect(buckets.take('a', 1500)).toBe(500)
})

test('over any time, no more is granted than burst and rate allow', () => {
  const times = fc.array(fc.nat(400), { minLength: 1, maxLength: 200 })
  const property = fc.property(fc.integer({ min: 1, max: 20 }), times, (rate, gaps) => {
    const buckets = new TokenBuckets(rate, 2)
    let now = 0
    let granted = 0
    for (const gap of gaps) {
      now += gap
      if (buckets.take('a', now) === 0) granted += 1
    }
    expect(granted).toBeLessThanOrEqual(rate * 2 + (now / 1000) * rate + 1e-6)
  })
  fc.assert(property, { numRuns: 100 })
})

test('a million addresses take no more memory than ten thousand', () => {
  const buckets = new TokenBuckets(1, 1)
  for (let i = 0; i < 100_000; i += 1) {
    buckets.take(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, i)
    // One that is in use is not forgotten for the others.
    if (i % 100 === 0) buckets.take('busy', 0)
  }
  expect(buckets.size).toBe(10_000)
  expect(buckets.take('busy', 0)).toBeGreaterThan(0)
})

test('seats are given up to the limit, and forgotten when all are free', () => {
  const seats = new Seats(2)
  expect([seats.take('a'), seats.take('a'), seats.take('a'), seats.take('b')]).toEqual([
    true,
    true,
    false,
    true,
  ])
  seats.release('a')
  expect(seats.take('a')).toBe(true)
  for (const key of ['a', 'a', 'b']) seats.release(key)
  expect(seats.size).toBe(0)
})

// Trusted: 10.0.0.0/8 and fd00::/8. Peer, `X-Forwarded-For`, whose request it is.
test.each([
  ['203.0.113.9', '198.51.100.1', '203.0.113.9'],
  ['10.0.0.1', undefined, undefined],
  ['10.0.0.1', '198.51.100.1', '198.51.100.1'],
  ['10.0.0.1', '1.1.1.1, 198.51.100.1', '198.51.100.1'],
  ['10.0.0.1', '198.51.100.1, 10.2.2.2,fd00::1', '198.51.100.1'],
  ['10.0.0.1', '10.2.2.2', undefined],
  ['10.0.0.1', '198.51.100.1:4433', '198.51.100.1'],
  ['10.0.0.1', '[2001:db8::1]:4433', '2001:db8::1'],
  ['10.0.0.1', '::ffff:198.51.100.1', '198.51.100.1'],
  ['10.0.0.1', 'unknown', 'unknown'],
  ['10.0.0.1', '198.51.100.1,', undefined],
  ['10.0.0.1', 'x'.repeat(500), 'x'.repeat(45)],
])('behind %s, X-Forwarded-For %s is of %s', (address, value, expected) => {
  const isTrusted = createPeerTrust(['10.0.0.0/8', 'fd00::/8'])
  const peer = { address, isTrusted: isTrusted(address), isTls: false }
  expect(clientAddress(peer, { find: () => value }, isTrusted)).toBe(expected)
})

test.each([
  ['198.51.100.1', '198.51.100.1'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:0db8:0:0:1:2:3:4', '2001:db8:0:0::/64'],
  ['2001:db8:0:1::', '2001:db8:0:1::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('%s is limited as %s', (address, key) => {
  expect(addressKey(address)).toBe(key)
})
