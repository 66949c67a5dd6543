import type * as Crypto from 'node:crypto'
import { beforeEach, expect, test, vi } from 'vitest'
import { createProxySecret } from '../../src/api/edge/proxy-secret.ts'
import { dummyAuthenticator } from '../../src/authenticators/dummy/dummy-authenticator.ts'
import { PasswordHasher } from '../../src/authenticators/native/password-hash.ts'
import { isVerifierOf } from '../../src/oauth/pkce.ts'
import { hashToken, isTokenOf } from '../../src/storage/token-hash.ts'
import { isEqualText, readSignedValue, signValue } from '../../src/web/signed-value.ts'

/** Node's own comparison, counted: where it is not asked, the time taken tells how much is right. */
const asked = vi.hoisted(() => ({ times: 0 }))
vi.mock('node:crypto', async (importOriginal) => {
  const original = await importOriginal<typeof Crypto>()
  return {
    ...original,
    timingSafeEqual: (left: NodeJS.ArrayBufferView, right: NodeJS.ArrayBufferView) => {
      asked.times += 1
      return original.timingSafeEqual(left, right)
    },
  }
})

const hasher = new PasswordHasher({ memoryKiB: 64, passes: 1, parallelism: 1 })
const secret = Buffer.alloc(32, 1)
const now = new Date()

const secrets: readonly [what: string, compare: (right: boolean) => unknown][] = [
  ['an API token, a client secret', (right) => isTokenOf(hashToken('abc'), right ? 'abc' : 'abd')],
  ['a chosen token', (right) => isTokenOf(hashToken('a', { stretched: true }), right ? 'a' : 'b')],
  ['an XSRF token', (right) => isEqualText('abc', right ? 'abc' : 'abd')],
  [
    'a signed cookie',
    (right) => {
      const signed = signValue('x', { secret, name: 'n', now })
      const text = right ? signed : `${signed.slice(0, -1)}${signed.endsWith('0') ? '1' : '0'}`
      return readSignedValue(text, { secret, name: 'n', now, maxAgeMs: 1_000 }) === 'x'
    },
  ],
  [
    'a PKCE verifier',
    (right) => isVerifierOf(right ? 'abc' : 'abd', { challenge: 'abc', method: 'plain' }),
  ],
  ['the secret of edges', (right) => createProxySecret('abc').accepts(right ? 'abc' : 'abd')],
  [
    'a password',
    async (right) =>
      hasher.verify(right ? 'right one' : 'wrong one', await hasher.hash('right one')),
  ],
  [
    'the shared password',
    async (right) => {
      const passwords = { findPasswordHash: () => Promise.resolve(undefined) }
      const authenticator = dummyAuthenticator.create({ options: { password: 'p' }, passwords })
      const credentials = { username: 'a', password: right ? 'p' : 'q', fields: {} }
      const attempt = { ...credentials, remoteAddress: '127.0.0.1' }
      return (await authenticator.identify(attempt, AbortSignal.timeout(5_000))) !== null
    },
  ],
]

beforeEach(() => {
  asked.times = 0
})

test.each(secrets)('%s is compared in constant time', async (_what, compare) => {
  expect(await compare(true)).toBe(true)
  expect(await compare(false)).toBe(false)
  expect(asked.times).toBeGreaterThanOrEqual(2)
})
