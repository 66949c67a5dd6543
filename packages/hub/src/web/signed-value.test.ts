import { describe, expect, test } from 'vitest'
import { readSignedValue, signValue } from './signed-value.ts'

const secret = Buffer.from(Array.from({ length: 32 }, (_, index) => index))
const name = 'jupyterhub-hub-login'
const now = new Date(1_700_000_000_000)
const value = '0123456789abcdef0123456789abcdef'
const day = 86_400_000
// Source: contract database §4.1.
const vector =
  '2|1:0|10:1700000000|20:jupyterhub-hub-login|44:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=|7fcc1a6f0657a3c89fe09bfacf91f43839bd91f762fe68153e551014b215304f'

describe('signed values', () => {
  test('match the published vector', () => {
    expect(signValue(value, { secret, name, now })).toBe(vector)
    expect(readSignedValue(vector, { secret, name, now, maxAgeMs: day })).toBe(value)
  })

  test('expire', () => {
    const later = (ms: number) => new Date(now.getTime() + ms)
    const read = (ms: number) =>
      readSignedValue(vector, { secret, name, now: later(ms), maxAgeMs: day })
    expect(read(day)).toBe(value)
    expect(read(day + 1000)).toBeUndefined()
  })

  test('are bound to name, secret and every character', () => {
    const read = (text: string, other: { name?: string; secret?: Buffer } = {}) =>
      readSignedValue(text, { secret, name, now, maxAgeMs: day, ...other })
    expect(read(vector, { name: '_xsrf' })).toBeUndefined()
    expect(read(vector, { secret: Buffer.alloc(32) })).toBeUndefined()
    for (let at = 0; at < vector.length; at += 1) {
      const changed = vector[at] === 'x' ? 'y' : 'x'
      expect(read(vector.slice(0, at) + changed + vector.slice(at + 1))).toBeUndefined()
    }
    for (const text of ['', '2|', 'x'.repeat(10_000), '2|1:0|']) expect(read(text)).toBeUndefined()
  })
})
