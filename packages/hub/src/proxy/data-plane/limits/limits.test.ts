import { expect, test } from 'vitest'
import { createPeerTrust } from '../peer-trust.ts'
import { addressKey, clientAddress } from './client-address.ts'

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
