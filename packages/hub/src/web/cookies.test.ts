import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatCookie, parseCookies } from './cookies.ts'

test('keeps several cookies of one name in order, and names undecoded', () => {
  const cookies = parseCookies('_xsrf=a; jupyterhub-user-a%40b=1; _xsrf=b; broken; =x')
  expect(cookies.get('_xsrf')).toEqual(['a', 'b'])
  expect(cookies.get('jupyterhub-user-a%40b')).toEqual(['1'])
  expect(cookies.size).toBe(2)
})

test('reads what Python quotes', () => {
  expect(parseCookies('a="2|1:0|x=="; b="x\\054y\\"z"').get('a')).toEqual(['2|1:0|x=='])
  expect(parseCookies('b="x\\054y\\"z"').get('b')).toEqual(['x,y"z'])
})

test('values survive formatting and parsing', () => {
  const printable = fc.string({
    unit: fc.constantFrom('a', 'Z', '0', '=', '|', ':', '"', '\\', '+', '/', ' ', ','),
  })
  fc.assert(
    fc.property(printable, (value) => {
      fc.pre(value === value.trim() && !value.includes(';'))
      const header = formatCookie('n', value, { path: '/' }).split('; Path')[0]
      expect(parseCookies(header).get('n')).toEqual([value])
    }),
  )
})

test('a hostile header costs nothing and throws nothing', () => {
  expect(parseCookies('a=1;'.repeat(20_000)).size).toBe(0)
  fc.assert(fc.property(fc.string(), (text) => void parseCookies(text)))
})

test('refuses to write what would split the header', () => {
  expect(() => formatCookie('a', 'b\r\nSet-Cookie: c', { path: '/' })).toThrow(TypeError)
  expect(() => formatCookie('a b', 'c', { path: '/' })).toThrow(TypeError)
})
