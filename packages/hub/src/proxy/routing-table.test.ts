import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cutPrefix, decodePath, parseRequestTarget } from './request-target.ts'
import { cleanRoutePath, findRoutePath, hostSegment, splitPath } from './routespec.ts'
import { RoutingTable } from './routing-table.ts'
import { routeOwners } from './route.ts'
import type { NewRoute, RouteOwner, StoredRoute } from './route.ts'

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
})

describe('any table is as a plain list of what was said', () => {
  const segment = fc.constantFrom(
    'a',
    'b',
    'user',
    '',
    '__proto__',
    'constructor',
    'é',
    '你😀',
    '%2F',
  )
  const path = fc
    .array(segment, { maxLength: 5 })
    .map((segments) => cleanRoutePath(`/${segments.join('/')}`))
  const owner = fc.constantFrom(...routeOwners)
  const change = fc.oneof(
    fc.record({
      kind: fc.constant('set' as const),
      path,
      owner,
      targetUrl: fc.constantFrom('http://h:1', 'http://longer.example.org:12345/é?q'),
      data: fc.constantFrom({}, { hub: true }, { user: 'ada', more: 'x'.repeat(300) }),
      lastActivityMs: fc.nat(9),
    }),
    fc.record({ kind: fc.constant('delete' as const), path, owner }),
    fc.record({ kind: fc.constant('replace' as const), owner, paths: fc.array(path) }),
  )

  test('after any changes, with and without hosts', () => {
    const hosts = fc.option(fc.constantFrom('a', 'b', 'user'), { nil: undefined })
    fc.assert(
      fc.property(fc.array(change), fc.array(fc.tuple(path, hosts)), (changes, requests) => {
        const table = new RoutingTable()
        const model = new Model()
        for (const one of changes) {
          applyTo(table, one)
          model.apply(one)
        }
        expect([...table.listOwned()].flat().sort(byPathAndOwner)).toEqual(model.list())
        expect(table.size).toBe(model.inForce().length)
        for (const one of model.inForce()) expect(table.find(one.path)).toEqual(one)
        for (const [asked, host] of requests) {
          expect(table.match(asked, host)?.path).toBe(model.match(asked, host))
        }
      }),
    )
  })

  type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

  function routesOf({ owner, paths }: Extract<Change, { kind: 'replace' }>): NewRoute[] {
    const [targetUrl, data, lastActivityMs] = ['http://r:1', { replaced: true }, 5]
    return paths.map((one) => ({ path: one, owner, targetUrl, data, lastActivityMs }))
  }

  function applyTo(table: RoutingTable, one: Change): void {
    if (one.kind === 'set') table.set(one)
    else if (one.kind === 'delete') table.delete(one.path, one.owner)
    else table.replaceAll(one.owner, routesOf(one))
  }

  function byPathAndOwner(x: StoredRoute, y: StoredRoute): number {
    const [left, right] = [x, y].map((one) => `${one.path} ${routeOwners.indexOf(one.owner)}`)
    return (left ?? '') < (right ?? '') ? -1 : 1
  }

  /** Slow and plain. */
  class Model {
    #routes: StoredRoute[] = []

    apply(one: Change): void {
      if (one.kind === 'set') this.#set(one)
      else if (one.kind === 'delete')
        this.#keep((r) => r.path !== one.path || r.owner !== one.owner)
      else {
        this.#keep((r) => r.owner !== one.owner || one.paths.includes(r.path))
        for (const route of routesOf(one)) this.#set(route)
      }
    }

    list(): StoredRoute[] {
      return this.#routes.toSorted(byPathAndOwner)
    }

    inForce(): StoredRoute[] {
      return this.list().filter((one, i, all) => all[i - 1]?.path !== one.path)
    }

    match(asked: string, host: string | undefined): string | undefined {
      const segments = [...(host === undefined ? [] : [host]), ...splitPath(asked)]
      const fitting = this.#routes.filter(({ path }) =>
        splitPath(path).every((one, i) => one === segments[i]),
      )
      const lengthOf = ({ path }: StoredRoute): number => splitPath(path).length
      return fitting.sort((x, y) => lengthOf(y) - lengthOf(x))[0]?.path
    }

    #set({ path, owner, targetUrl, data, lastActivityMs }: NewRoute): void {
      const same = this.#routes.filter((one) => one.path === path)
      const latest = Math.max(lastActivityMs, ...same.map((one) => one.lastActivityMs))
      this.#keep((one) => one.path !== path || one.owner !== owner)
      const dataText = JSON.stringify(data)
      this.#routes.push({ path, owner, targetUrl, dataText, lastActivityMs: latest })
      this.#routes = this.#routes.map((one) =>
        one.path === path ? { ...one, lastActivityMs: latest } : one,
      )
    }

    #keep(isKept: (route: StoredRoute) => boolean): void {
      this.#routes = this.#routes.filter(isKept)
    }
  }
})

test('while the routes of one owner are replaced step by step, those of others come and go', () => {
  const table = new RoutingTable()
  const routes = Array.from({ length: 2000 }, (_, i) => `/user/u${i}`)
  const named = (paths: readonly string[], targetUrl: string): NewRoute[] =>
    paths.map((path) => ({ path, owner: 'hub', targetUrl, data: {}, lastActivityMs: 1 }))
  table.replaceAll('hub', named([...routes, '/old'], 'http://h:1'))
  let steps = 0
  const replacement = table.replacing('hub')
  const others = (): void => {
    for (const path of ['/user/u0', '/user/u1999', '/other'])
      table.set({ path, owner: 'api', targetUrl: 'http://a:1', data: {}, lastActivityMs: 1 })
    steps += 1
  }
  for (const route of named(routes, 'http://h:2')) {
    replacement.set(route)
    others()
  }
  for (const _step of replacement.finish()) others()
  expect(steps).toBeGreaterThan(routes.length + 4)
  for (const path of ['/user/u0', '/user/u1999', '/other']) table.delete(path, 'api')
  const left = [...table.listOwned()].flat()
  expect(new Set(left.map(({ path }) => path))).toEqual(new Set(routes))
  expect(left.every(({ targetUrl }) => targetUrl === 'http://h:2')).toBe(true)
})

test('a listing that goes on while routes come and go has each of those that stay once', () => {
  const table = new RoutingTable()
  const set = (path: string): void =>
    table.set({ path, owner: 'hub', targetUrl: 'http://h:1', data: {}, lastActivityMs: 1 })
  // So many that each part of the index is listed in several steps.
  const stay = Array.from({ length: 40_000 }, (_, i) => `/stay/${i}`)
  const go = Array.from({ length: 40_000 }, (_, i) => `/go/${i}`)
  for (let i = 0; i < stay.length; i += 1) for (const path of [stay[i], go[i]]) set(path ?? '')
  let gone = 0
  const deleted = new Set<string>()
  const seen: string[] = []
  for (const routes of table.list()) {
    expect(routes.length).toBeLessThanOrEqual(100)
    for (const { path } of routes) {
      expect(deleted.has(path)).toBe(false)
      seen.push(path)
    }
    for (const path of go.slice(gone, gone + 20)) {
      table.delete(path, 'hub')
      deleted.add(path)
      set(path.replace('/go', '/came'))
    }
    gone += 20
  }
  expect(gone).toBeGreaterThan(10_000)
  expect(new Set(seen).size).toBe(seen.length)
  expect(seen.filter((path) => path.startsWith('/stay')).sort()).toEqual(stay.sort())
})

test('activity is reported once, and not of a route that was merely published', () => {
  const table = new RoutingTable()
  const set = (path: string, owner: RouteOwner, routespec?: string): void => {
    const data = {}
    const named = routespec === undefined ? {} : { routespec }
    table.set({ path, owner, targetUrl: 'http://h:1', data, lastActivityMs: 1, ...named })
  }
  set('/hub-made', 'hub')
  set('/a b', 'hub', '/%61%20b/')
  set('/api-made', 'api')
  expect([...table.listUnreported()].flat()).toEqual([])
  for (const path of ['/hub-made', '/a b', '/api-made']) {
    const route = table.match(path)
    if (route !== undefined) table.touch(route, 5)
  }
  const due = [...table.listUnreported()].flat().sort((x, y) => (x.path < y.path ? -1 : 1))
  expect(due).toEqual([
    { path: '/a b', routespec: '/%61%20b/', atMs: 5 },
    { path: '/hub-made', routespec: '/hub-made/', atMs: 5 },
  ])
  for (const one of due) table.markReported(one)
  set('/hub-made', 'hub')
  expect([...table.listUnreported()].flat()).toEqual([])
})

test('a clock that ran ahead and was set back does not hide what is used from then on', () => {
  const table = new RoutingTable()
  table.set({ path: '/a', owner: 'hub', targetUrl: 'http://h:1', data: {}, lastActivityMs: 1 })
  const route = table.match('/a')
  if (route === undefined) throw new Error('no match')
  const due = (): number[] => [...table.listUnreported()].flat().map(({ atMs }) => atMs)
  const dayMs = 86_400_000
  // The clocks of threads differ by less than what they are read apart.
  for (const [atMs, seenMs] of [
    [dayMs, dayMs],
    [dayMs - 5, dayMs],
    [1000, 1000],
    [2000, 2000],
  ] as const) {
    table.touch(route, atMs)
    expect(table.find('/a')?.lastActivityMs).toBe(seenMs)
    const isNew = atMs === seenMs
    expect(due()).toEqual(isNew ? [seenMs] : [])
    if (isNew) table.markReported({ path: '/a', routespec: '/a/', atMs })
    expect(due()).toEqual([])
  }
})

test('replacing the routes of the hub leaves those made through the REST API', () => {
  const table = tableOf(['/api-made', '/both'])
  for (const path of ['/both', '/old']) {
    table.set({ path, owner: 'hub', targetUrl: 'http://hub:1', data: {}, lastActivityMs: 1 })
  }
  table.replaceAll('hub', [])
  expect([...table.list()].flat().map((route) => route.path)).toEqual(
    expect.arrayContaining(['/api-made', '/both']),
  )
  expect(table.size).toBe(2)
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
