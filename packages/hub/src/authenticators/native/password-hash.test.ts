import { expect, test } from 'vitest'
import { PasswordHasher } from './password-hash.ts'
import { findPasswordProblem } from './password-rules.ts'

const cheap = { memoryKiB: 64, passes: 1, parallelism: 1 }

test('verifies its own hashes and nothing else', async () => {
  const hasher = new PasswordHasher(cheap)
  const hash = await hasher.hash('correct horse')
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=64,t=1,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
  expect(await hasher.verify('correct horse', hash)).toBe(true)
  expect(await hasher.verify('correct horsE', hash)).toBe(false)
  expect(await hasher.verify('correct horse', undefined)).toBe(false)
  expect(await hasher.verify('correct horse', 'not a hash')).toBe(false)
})

test('notices hashes of other parameters, and still reads them', async () => {
  const old = await new PasswordHasher(cheap).hash('correct horse')
  const hasher = new PasswordHasher({ ...cheap, passes: 2 })
  expect(hasher.isOutdated(old)).toBe(true)
  expect(await hasher.verify('correct horse', old)).toBe(true)
  expect(hasher.isOutdated(await hasher.hash('x'))).toBe(false)
})

test('a flood of sign-ins is refused rather than queued for ever', async () => {
  const hasher = new PasswordHasher(cheap)
  const tries = Array.from({ length: 80 }, () => hasher.hash('x'))
  const results = await Promise.allSettled(tries)
  const refused = results.filter((result) => result.status === 'rejected')
  expect(refused).toHaveLength(80 - 2 - 64)
  for (const result of refused) expect(result.reason).toMatchObject({ code: 'too_many_requests' })
  await expect(hasher.hash('x')).resolves.toBeTypeOf('string')
})

test.each([
  ['short', /at least 8/],
  ['Password1', /attackers/],
  ['aaaaaaaaaa', /different/],
  ['ada-lovelace', /user name/],
  ['x'.repeat(800) + 'y€'.repeat(100), /at most/],
  ['three unrelated words', undefined],
])('password %j: %s', (password, expected) => {
  const problem = findPasswordProblem(password, {
    username: 'ada-lovelace',
    rules: { minimumLength: 8 },
  })
  if (expected === undefined) expect(problem).toBeUndefined()
  else expect(problem).toMatch(expected)
})
