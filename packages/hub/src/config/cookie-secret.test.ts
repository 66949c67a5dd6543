import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadCookieSecret } from './cookie-secret.ts'

let cwd: string

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'orrery-secret-'))
})

afterEach(() => rmSync(cwd, { recursive: true }))

const load = () => loadCookieSecret({ configured: undefined, file: 'secret', cwd })

test('a secret is made once, closed to others, and kept', () => {
  const first = load()
  expect(first).toHaveLength(32)
  expect(statSync(join(cwd, 'secret')).mode & 0o777).toBe(0o600)
  expect(readFileSync(join(cwd, 'secret'), 'utf8')).toBe(`${first.toString('hex')}\n`)
  expect(load()).toEqual(first)
})

test('a configured secret needs no file', () => {
  const configured = Uint8Array.from([1, 2, 3])
  expect(loadCookieSecret({ configured, file: 'secret', cwd })).toEqual(Buffer.from([1, 2, 3]))
  expect(() => statSync(join(cwd, 'secret'))).toThrow(/ENOENT/)
})

test('a file that is open to others is refused', () => {
  writeFileSync(join(cwd, 'secret'), 'ab'.repeat(32))
  chmodSync(join(cwd, 'secret'), 0o644)
  expect(load).toThrow(/open to others.*chmod 600/)
})

test('an empty file is refused, an old base64 one is read', () => {
  writeFileSync(join(cwd, 'secret'), '', { mode: 0o600 })
  expect(load).toThrow(/holds no key/)
  writeFileSync(join(cwd, 'secret'), Buffer.from('hello, old secret').toString('base64'))
  expect(load().toString()).toBe('hello, old secret')
})
