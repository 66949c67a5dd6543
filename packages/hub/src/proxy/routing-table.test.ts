import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cutPrefix, decodePath, parseRequestTarget } from './request-target.ts'
import { cleanRoutePath, findRoutePath, hostSegment, splitPath } from './routespec.ts'
import { RoutingTable } from './routing-table.ts'
import type { RouteOwner } from './routing-table.ts'

function tableOf(paths: readonly string[], owner: RouteOwner = 'api'): RoutingTable {
  const table = new RoutingTable()
  for (const path of paths) {
    table.set({ path, owner, targetUrl: 'http://h:1', data: {}, lastActivityMs: 1 })
  }
  return table
}

function matchTarget(table: RoutingTable, raw: string): string | undefined {
  const target = parseRequestTarget(raw)
  const decoded = target === undefined ? undefined : decodePath(target.path)
  return decoded === undefined ? undefined : table.match(decoded)?.path
}

const ada = ['/', '/user/alice']
describe('a request finds the longest route', () => {
  test.each<[string[], string, string]>([
    [ada, '/user/alice', '/user/alice'],
    [ada, '/user/alice/', '/user/alice'],
    [ada, '/user/alice/x?y', '/user/alice'],
    [ada, '/user/alice?y', '/user/alice'],
    [ada, '/user/alice2', '/'],
    [ada, '/user/alic', '/'],
    [ada, '/user//alice', '/'],
    [ada, '/user/alice//x', '/user/alice'],
    [ada, '/user/alice/../bob', '/'],
    [[...ada, '/user/bob'], '/user/alice/../bob', '/user/bob'],
    [[...ada, '/user/bob'], '/user/alice/%2E%2e/bob', '/user/bob'],
    [[...ada, '/user/bob'], '/user/alice\\..\\bob', '/user/bob'],
    [[...ada, '/user/alice/lab'], '/user/alice/lab2', '/user/alice'],
    [['/', '/user/foo@bar'], '/user/foo%40bar/z', '/user/foo@bar'],
    [['/', '/user/foo@bar'], '/user/foo@bar/z', '/user/foo@bar'],
    [['/', '/user/foo@bar'], '/user/foo%2540bar', '/'],
    [['/', '/user/x'], '/user%2Fx/z', '/user/x'],
    [ada, '//x/user/alice', '/user/alice'],
    [ada, 'http://other/user/alice/', '/user/alice'],
    [ada, '/constructor/__proto__/toString', '/'],
    [['/', '/__proto__/constructor'], '/__proto__/constructor/x', '/__proto__/constructor'],
  ])('of %j, %s goes to %s', (routes, request, expected) => {
    expect(matchTarget(tableOf(routes), request)).toBe(expected)
  })

  test('a removed route leaves its children and gives way to its parent', () => {
    const table = tableOf(['/', '/a', '/a/b'])
    table.delete('/a', 'api')
    expect([table.match('/a/c')?.path, table.match('/a/b/c')?.path]).toEqual(['/', '/a/b'])
  })

  test('without a root route nothing matches elsewhere', () => {
    expect(tableOf(['/a']).match('/b')).toBeUndefined()
  })

  test('host routing falls back to the root for every host', () => {
    const table = tableOf(['/', '/ada.example.org/user/ada'])
    expect(table.match('/user/ada/x', 'ada.example.org')?.path).toBe('/ada.example.org/user/ada')
    expect(table.match('/user/ada/x', 'bob.example.org')?.path).toBe('/')
  })

  test('the tree finds what a plain search for the longest prefix finds', () => {
    const segment = fc.constantFrom('a', 'b', '', '__proto__', 'constructor', 'é')
    const path = fc.array(segment, { maxLength: 5 }).map((s) => cleanRoutePath(`/${s.join('/')}`))
    fc.assert(
      fc.property(fc.array(path), fc.array(path), path, (routes, gone, request) => {
        const table = tableOf(routes)
        for (const one of gone) table.delete(one, 'api')
        const left = routes.filter((one) => !gone.includes(one))
        const asked = splitPath(request)
        const fitting = left.filter((one) => splitPath(one).every((s, i) => s === asked[i]))
        const longest = fitting.sort((x, y) => splitPath(y).length - splitPath(x).length)[0]
        expect(table.match(request)?.path).toBe(longest)
      }),
    )
  })
})

test('replacing the routes of the hub leaves those made through the REST API', () => {
  const table = tableOf(['/api-made', '/both'])
  for (const path of ['/both', '/old']) {
    table.set({ path, owner: 'hub', targetUrl: 'http://hub:1', data: {}, lastActivityMs: 1 })
  }
  table.replaceAll('hub', [])
  expect([...table.list()].map((route) => route.path)).toEqual(['/api-made', '/both'])
})

test('routespecs are decoded once and lose their final slash', () => {
  expect(findRoutePath('/user/a%40b%2520c/')).toBe('/user/a@b%20c')
  expect(findRoutePath('/user/%zz/')).toBeUndefined()
  expect(findRoutePath('/')).toBe('/')
})

test('the prefix is cut where its decoded form ends', () => {
  expect(cutPrefix('/user%2Fx/a%20b', '/user/x')).toBe('/a%20b')
  expect(cutPrefix('/user/x', '/user/x')).toBe('/')
  expect(cutPrefix('/%E4%BD%A0%F0%9F%98%80/x', '/你😀')).toBe('/x')
  const long = '/%41'.repeat(8_000)
  expect(cutPrefix(long, '/user/x')).toBe(long)
})

test.each([
  ['Ada.Example.org:8000', 'ada.example.org'],
  ['[::1]:8000', '::1'],
  [undefined, undefined],
])('host segment of %s is %s', (header, expected) => {
  expect(hostSegment(header)).toBe(expected)
})
