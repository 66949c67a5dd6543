import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chooseNextUrl, validateNextUrl } from './next-url.ts'

const context = { protocol: 'http', host: '127.0.0.1:9000' }

describe('next', () => {
  // Source: contract pages-and-urls §3.1.
  test.each([
    ['/hub/admin', '/hub/admin'],
    ['/user/other/x?q=1#h', '/user/other/x?q=1#h'],
    ['http://127.0.0.1:9000/user/x?y', '/user/x?y'],
    ['http://127.0.0.1:9000', '/'],
    ['http://127.0.0.1:9000//evil.com', '/evil.com'],
    ['//127.0.0.1:9000//evil.com/', '/evil.com/'],
    ['/has?repo=https://host.git', '/has?repo=https://host.git'],
    ['/has#repo=https://host.git', '/has#repo=https://host.git'],
    ['relative/path', ''],
    ['https://other.domain', ''],
    ['https://127.0.0.1:9000/x', ''],
    ['http://127.0.0.1:9000@other.domain/x', ''],
    ['ftp://127.0.0.1:9000/x', ''],
    ['//other.domain', ''],
    ['///other.domain/x', ''],
    ['\\\\other.domain/x', ''],
    ['/\\other.domain/x', '/%5Cother.domain/x'],
    ['/\t/other.domain', ''],
    ['/a b?c d', '/a%20b?c%20d'],
    ['/ /other.domain', '/%20/other.domain'],
    [' //other.domain', ''],
    ['javascript:alert(1)', ''],
    ['', ''],
  ])('%j becomes %j', (input, expected) => {
    expect(validateNextUrl(input, context)).toBe(expected)
  })

  test('servers on hosts of their own count as ours, lookalikes do not', () => {
    const withHosts = { ...context, subdomainHost: 'hub.example' }
    expect(validateNextUrl('https://ada.hub.example/user/ada/', withHosts)).toBe('/user/ada/')
    expect(validateNextUrl('https://evilhub.example/x', withHosts)).toBe('')
  })

  test('never leaves the origin', () => {
    const hostile = fc.array(
      fc.oneof(
        fc.constantFrom('/', '\\', '//', ':', '@', '?', '#', '\t', '\n', ' ', '%5C', '..', 'http:'),
        fc.constantFrom('127.0.0.1:9000', 'evil.com', 'javascript:', '\u2028', '／'),
        fc.string({ maxLength: 4 }),
      ),
      { maxLength: 10 },
    )
    fc.assert(
      fc.property(hostile, (parts) => {
        const url = validateNextUrl(parts.join(''), context)
        if (url === '') return
        expect(url).toMatch(/^\/(?!\/)[\x21-\x7e]*$/)
        expect(new URL(url, 'http://127.0.0.1:9000').origin).toBe('http://127.0.0.1:9000')
      }),
      { numRuns: 2000 },
    )
  })
})

test('the next URL follows the order of the contract', () => {
  const base = { next: '', redirectToServer: true, hubPrefix: '/hub/', query: 'a=1&next=%2Fx&b=' }
  expect(chooseNextUrl({ ...base, next: '/x' })).toBe('/x')
  expect(chooseNextUrl({ ...base, pageDefault: '/user/a/' })).toBe('/user/a/?a=1')
  expect(chooseNextUrl({ ...base, defaultUrl: '/w?z=2' })).toBe('/w?z=2&a=1')
  expect(chooseNextUrl({ ...base, activeServerUrl: '/user/a/' })).toBe('/user/a/?a=1')
  expect(chooseNextUrl(base)).toBe('/hub/spawn?a=1')
  expect(chooseNextUrl({ ...base, redirectToServer: false })).toBe('/hub/home?a=1')
})
