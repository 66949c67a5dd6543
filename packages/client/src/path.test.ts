import { assert, property, string } from 'fast-check'
import { expect, test } from 'vitest'
import { buildPath, escapeSegment } from './path.ts'

test.each([
  ['ada', 'ada'],
  ['Ada Lovelace', 'Ada%20Lovelace'],
  ['a/b', 'a%2Fb'],
  ['a@b.c', 'a@b.c'],
  ["!'()*+", '%21%27%28%29%2A%2B'],
  ['ñ', '%C3%B1'],
  ['%2e', '%252e'],
  ['?#', '%3F%23'],
  ['\ud800', '%EF%BF%BD'],
])('%j is the segment %s', (text, segment) => {
  expect(escapeSegment(text)).toBe(segment)
})

test('a name stays one segment, whatever it is', () => {
  assert(
    property(string({ unit: 'binary', minLength: 1 }), (name) => {
      const path = buildPath('/users/{name}/server', { name })
      if (path === undefined) return expect(['.', '..']).toContain(name)
      const { pathname } = new URL(`http://hub/hub/api${path}`)
      expect(pathname).toBe(`/hub/api${path}`)
      expect(pathname.split('/')).toHaveLength(6)
      expect(decodeURIComponent(pathname.split('/')[4] ?? '')).toBe(name)
    }),
  )
})

test.each(['.', '..', ''])('%j can be no name', (name) => {
  expect(buildPath('/users/{name}', { name })).toBeUndefined()
})

test('the default server is an empty last segment', () => {
  const params = { name: 'ada', server_name: '' }
  expect(buildPath('/shares/{name}/{server_name}', params)).toBe('/shares/ada/')
  expect(buildPath('/x/{server_name}/{name}', params)).toBeUndefined()
})
