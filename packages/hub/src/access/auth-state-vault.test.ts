import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { ConfigError } from '../domain/errors.ts'
import { createAuthStateVault } from './auth-state-vault.ts'

const state = { access_token: 't0p', nested: { list: [1, null, 'ü'] } }
const hex = () => randomBytes(32).toString('hex')

function vaultOf(...keys: string[]) {
  const vault = createAuthStateVault(keys)
  if (vault === undefined) throw new TypeError('there are keys')
  return vault
}

test('what is sealed opens again, and says nothing before', () => {
  const vault = vaultOf(hex())
  const text = vault.encrypt(state, 7)
  expect(text).toMatch(/^v1\.[\w-]+$/)
  expect(text).not.toContain('t0p')
  expect(vault.encrypt(state, 7)).not.toBe(text)
  expect(vault.decrypt(text, 7)).toEqual({ state, isStale: false })
})

test("a text opens in no other user's row, with no other key, and not when it was touched", () => {
  const vault = vaultOf(hex())
  const text = vault.encrypt(state, 7)
  const at = text.length - 5
  const other = text[at] === 'A' ? 'B' : 'A'
  const touched = text.slice(0, at) + other + text.slice(at + 1)
  expect(vault.decrypt(text, 8)).toBeUndefined()
  expect(vaultOf(hex()).decrypt(text, 7)).toBeUndefined()
  for (const bad of [touched, text.slice(0, -4), text.slice(3), 'v1.', '', 'gAAAAABlU_EAAAEC']) {
    expect([bad, vault.decrypt(bad, 7)]).toEqual([bad, undefined])
  }
})

test('the first key encrypts, every key decrypts', () => {
  const [old, current] = [hex(), hex()]
  const text = vaultOf(old).encrypt(state, 7)
  expect(vaultOf(current, old).decrypt(text, 7)).toEqual({ state, isStale: true })
  const renewed = vaultOf(current, old).encrypt(state, 7)
  expect(vaultOf(current).decrypt(renewed, 7)).toEqual({ state, isStale: false })
})

test('a key comes in hexadecimal, base64 or as it is', () => {
  const bytes = Buffer.from('0123456789abcdef0123456789ABCDEF')
  const text = vaultOf(bytes.toString('hex')).encrypt(state, 1)
  const forms = [
    bytes.toString('base64'),
    bytes.toString('base64url'),
    bytes.toString(),
    ` ${bytes.toString('hex')}\n`,
  ]
  for (const form of forms) expect(vaultOf('', form).decrypt(text, 1)?.state).toEqual(state)
})

test('no key is no vault, and a key of another form stops the start without being shown', () => {
  expect(createAuthStateVault([])).toBeUndefined()
  expect(createAuthStateVault(['', ' '])).toBeUndefined()
  for (const bad of ['short-secret', 'x'.repeat(64), 'x'.repeat(33)]) {
    expect(() => createAuthStateVault([bad])).toThrow(ConfigError)
    expect(() => createAuthStateVault([bad])).not.toThrow(bad)
  }
})
