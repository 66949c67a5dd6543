import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseUnixSocketUrl, toUnixSocketUrl } from './unix-socket-url.ts'

test('any absolute path of a socket comes back from its URL, in both spellings', () => {
  const word = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
    .filter((text) => !/[/\0]/.test(text))
  const words = fc.array(word, { minLength: 1, maxLength: 2 })
  fc.assert(
    fc.property(words, fc.constantFrom('', '/', '/base/'), (parts, path) => {
      const socketPath = `/${parts.join('/')}`
      fc.pre(Buffer.byteLength(socketPath) <= 99)
      const url = `${toUnixSocketUrl(socketPath)}${path}`
      expect(parseUnixSocketUrl(url)).toEqual({ socketPath, path })
      const old = url.replace('http+unix', 'unix+http')
      expect(parseUnixSocketUrl(old)).toEqual({ socketPath, path })
    }),
  )
})

test.each([
  ['no socket', 'http+unix://'],
  ['a path that is not absolute', 'http+unix://run.sock'],
  ['slashes that are not escaped', 'http+unix:///run/orrery.sock'],
  ['a folder', 'http+unix://%2Frun%2F'],
  ['a zero byte', 'http+unix://%2Frun%00'],
  ['half an escape', 'http+unix://%2Frun%2'],
  ['a query', 'http+unix://%2Frun?x'],
  ['more than the kernel binds', `http+unix://%2F${'x'.repeat(99)}`],
  ['another scheme', 'http://%2Frun'],
])('%s is no socket', (_what, url) => {
  expect(parseUnixSocketUrl(url)).toBeUndefined()
})
