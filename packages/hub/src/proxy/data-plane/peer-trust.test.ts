import { describe, expect, test } from 'vitest'
import { createPeerTrust } from './peer-trust.ts'

describe('ranges of trusted proxies', () => {
  test.each([
    ['10.1.2.3', true],
    ['10.2.0.1', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['fd00::5', true],
    ['fe80::1%eth0', true],
    ['2001:db8::1', false],
    ['', false],
    ['nonsense', false],
  ])('%s: %s', (address, expected) => {
    const isTrusted = createPeerTrust(['10.1.0.0/16', '192.0.2.7', 'fd00::/8', 'fe80::/10'])
    expect(isTrusted(address)).toBe(expected)
  })

  test.each(['', 'x', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '::1/129', '10.0.0/8', '1/-1'])(
    '%j is refused',
    (range) => {
      expect(() => createPeerTrust([range])).toThrow(RangeError)
    },
  )
})
