import { beforeAll, describe, expect, test } from 'vitest'
import * as kit from './peer-kit.ts'
import type { Peer } from './peer-kit.ts'

/** Source: contract proxy §3. A target's name is the path of its URL, which is put before. */

const routes = [
  '/user/alice',
  '/user/alice/lab',
  '/user/foo@bar',
  '/user/with space',
  '/user/x',
  '/a/b/c',
  '/a/b',
  '/deep/er/est',
]

const cases: readonly (readonly [asked: string, route: string, path?: string])[] = [
  ['/', '/'],
  ['/any/random/url', '/'],
  ['/user/alice', '/user/alice'],
  ['/user/alice/', '/user/alice'],
  ['/user/alice/x?y', '/user/alice'],
  ['/user/alice2', '/'],
  ['/user/alic', '/'],
  ['/user//alice', '/'],
  ['/user/alice//x', '/user/alice'],
  ['/user/alice/lab', '/user/alice/lab'],
  ['/user/alice/lab/tree', '/user/alice/lab'],
  ['/user/alice/lab2', '/user/alice'],
  ['/user/alice/../x/y', '/user/x', '/user/x/y'],
  ['/user/alice/%2e%2e/x/y', '/user/x', '/user/x/y'],
  ['/user/alice/./z', '/user/alice', '/user/alice/z'],
  ['/user/foo%40bar/z', '/user/foo@bar'],
  ['/user/foo@bar/z', '/user/foo@bar'],
  ['/user/foo%2540bar', '/'],
  ['/user/with%20space/z', '/user/with space'],
  ['/user%2Fx/z', '/user/x'],
  ['/a/b/c/d', '/a/b/c'],
  ['/a/b/d', '/a/b'],
  ['/a/c', '/'],
  ['/deep/er', '/'],
  ['/USER/alice', '/'],
]

/** Only in the edge: configurable-http-proxy takes names of JavaScript's objects for something else. */
const plainNames = ['/constructor', '/__proto__/x', '/user/toString', '/hasOwnProperty/y']

describe.each(kit.programs)('$name', (program) => {
  let peer: Peer
  let url: string
  const where = async (path: string): Promise<[route: string, path: string]> => {
    // A URL that is written out: clients normalize theirs.
    const text = `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
    const got = await kit.raw(peer.port, text)
    const seen = JSON.parse(/\{.*\}/s.exec(got)?.[0] ?? '{}') as kit.Seen
    const [, name, rest] = /^\/to-([^/]*)(.*)$/.exec(seen.url) ?? []
    return [decodeURIComponent(name ?? ''), rest ?? '']
  }
  const targetFor = (route: string): string => `${url}/to-${encodeURIComponent(route)}`

  beforeAll(async () => {
    ;({ url } = await kit.serveMirror())
    peer = await kit.start(program, ['--default-target', targetFor('/')])
    for (const route of routes) await peer.addRoute(encodeURI(route), targetFor(route))
  })

  test.for(cases)('%s goes to %s', async ([asked, route, path = asked]) => {
    expect(await where(asked)).toEqual([route, path])
  })

  test.for(plainNames)('%s is an ordinary name', async (asked, { skip }) => {
    if (!program.isOurs) return skip('configurable-http-proxy answers 500')
    expect(await where(asked)).toEqual(['/', asked])
  })

  test('what is removed leaves its children and its parents', async () => {
    for (const route of ['/tree', '/tree/a', '/tree/a/b'])
      await peer.addRoute(route, targetFor(route))
    await peer.api('/tree/a', { method: 'DELETE' })
    expect((await where('/tree/a/x'))[0]).toBe('/tree')
    expect((await where('/tree/a/b/x'))[0]).toBe('/tree/a/b')
    await peer.api('/tree', { method: 'DELETE' })
    expect((await where('/tree/a/x'))[0]).toBe('/')
    await peer.api('/tree/a/b', { method: 'DELETE' })
    expect((await where('/tree/a/b'))[0]).toBe('/')
    await peer.api('/never/there', { method: 'DELETE' })
    expect((await where('/never/there'))[0]).toBe('/')
  })

  test('a broken escape is a 500, and no route at all a 404', async () => {
    const bare = await kit.start(program)
    for (const path of ['/%', '/%zz', '/%E0%A4%A']) expect((await bare.ask(path)).status).toBe(500)
    expect((await bare.ask('/')).status).toBe(404)
  })

  describe('by host', () => {
    let byHost: Peer
    const at = async (host: string | undefined, path: string): Promise<string> => {
      const line = host === undefined ? '' : `Host: ${host}\r\n`
      const version = host === undefined ? 'HTTP/1.0' : 'HTTP/1.1'
      const got = await kit.raw(
        byHost.port,
        `GET ${path} ${version}\r\n${line}Connection: close\r\n\r\n`,
      )
      const [, name] = /"url":"\/to-([^/"]*)/.exec(got) ?? []
      return name === undefined ? got.slice(9, 12) : decodeURIComponent(name)
    }

    beforeAll(async () => {
      byHost = await kit.start(program, ['--host-routing'])
      await byHost.addRoute('/ada.hub.test', targetFor('ada'))
      await byHost.addRoute('/ada.hub.test/user/ada', targetFor('server'))
    })

    test('the host without its port comes first, then the path', async () => {
      expect(await at('ada.hub.test', '/some/path')).toBe('ada')
      expect(await at('ada.hub.test:8000', '/user/ada/x')).toBe('server')
      expect(await at('bob.hub.test', '/user/ada/x')).toBe('404')
      expect(await at('hub.test', '/ada.hub.test')).toBe('404')
      const listed = (await byHost.routes())['/ada.hub.test/user/ada']
      expect(listed).toMatchObject({ host: 'ada.hub.test' })
    })

    test('the root route is for every host', async () => {
      await byHost.addRoute('/', targetFor('root'))
      expect(await at('bob.hub.test', '/user/ada/x')).toBe('root')
      expect(await at('ada.hub.test', '/x')).toBe('ada')
      expect((await byHost.routes())['/']).not.toHaveProperty('host')
      await byHost.api('/', { method: 'DELETE' })
    })

    test('a prefix that is cut is that of the path', async () => {
      const cutting = await kit.start(program, ['--host-routing', '--no-include-prefix'])
      await cutting.addRoute('/ada.hub.test', url)
      await cutting.addRoute('/ada.hub.test/user/ada', url)
      const seen = async (path: string): Promise<string | undefined> => {
        const text = `GET ${path} HTTP/1.1\r\nHost: ada.hub.test\r\nConnection: close\r\n\r\n`
        return /"url":"([^"]*)"/.exec(await kit.raw(cutting.port, text))?.[1]
      }
      // configurable-http-proxy counts the host along, and cuts too much.
      const [whole, below] = [await seen('/some/long/path'), await seen('/user/ada/lab/tree/x')]
      if (program.isOurs) expect([whole, below]).toEqual(['/some/long/path', '/lab/tree/x'])
      else expect(below).not.toBe('/lab/tree/x')
    })

    test('hosts have no case, brackets mean nothing, none is no match', async ({ skip }) => {
      if (!program.isOurs) return skip('configurable-http-proxy takes hosts as they are written')
      await byHost.addRoute('/%5B::1%5D'.replaceAll(/%5[BD]/g, ''), targetFor('six'))
      expect(await at('ADA.Hub.Test', '/x')).toBe('ada')
      expect(await at('[::1]:8000', '/x')).toBe('six')
      expect(await at(undefined, '/x')).toBe('404')
    })
  })
})
