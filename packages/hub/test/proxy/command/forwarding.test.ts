import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import * as kit from './peer-kit.ts'
import type { Peer, Seen } from './peer-kit.ts'

/** Source: contract proxy §4. */

const targetUrl = kit.serveMirror().then(({ url }) => url)

/** Flags, target below the mirror, what is asked below `/bar`, what the target is asked. */
const paths: readonly (readonly [flags: string, target: string, asked: string, seen: string])[] = [
  ['', '', '/bar/rest/of/it', '/bar/rest/of/it'],
  ['', '/foo', '/bar/rest/of/it', '/foo/bar/rest/of/it'],
  ['', '/foo', '/bar?query=foo', '/foo/bar?query=foo'],
  ['', '/foo/', '/bar/%40b%20r/', '/foo/bar/%40b%20r/'],
  ['', '/foo', '/bar/@b%20r', '/foo/bar/@b%20r'],
  ['', '', '/bar//twice//', '/bar//twice//'],
  ['', '', '/bar/x?a=1&a=%26+', '/bar/x?a=1&a=%26+'],
  ['', '', '/bar/./a/../b', '/bar/b'],
  ['--no-prepend-path', '/foo', '/bar/rest/of/it', '/bar/rest/of/it'],
  ['--no-include-prefix', '/foo', '/bar/rest/of/it', '/foo/rest/of/it'],
  ['--no-include-prefix --no-prepend-path', '/foo', '/bar/rest/of/it', '/rest/of/it'],
]

describe.each(kit.programs)('$name', (program) => {
  const byFlags = new Map<string, Promise<Peer>>()
  /** One program for each set of flags. */
  const peerWith = (flags: string): Promise<Peer> => {
    const known = byFlags.get(flags)
    if (known !== undefined) return known
    const peer = kit.start(program, flags === '' ? [] : flags.split(' '))
    byFlags.set(flags, peer)
    return peer
  }
  const mirrored = async (peer: Peer, path: string, init?: RequestInit): Promise<Seen> =>
    (await (await peer.ask(path, init)).json()) as Seen

  beforeAll(async () => {
    await (await peerWith('')).addRoute('/', await targetUrl)
  })

  test.each(paths)('%j: below %j, %s is asked as %s', async (flags, below, asked, seen) => {
    const peer = await peerWith(flags)
    await peer.addRoute('/bar', (await targetUrl) + below)
    const text = `GET ${asked} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
    const got = await kit.raw(peer.port, text)
    expect(JSON.parse(/\{.*\}/s.exec(got)?.[0] ?? '{}')).toMatchObject({ url: seen })
  })

  test('an escaped prefix is cut in whole', async () => {
    const peer = await peerWith('--no-include-prefix')
    await peer.addRoute('/user/b%40r', await targetUrl)
    expect((await mirrored(peer, '/user/b@r/x')).url).toBe('/x')
    // configurable-http-proxy counts characters of the decoded one.
    if (program.isOurs) expect((await mirrored(peer, '/user/b%40r/x')).url).toBe('/x')
  })

  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
    '%s goes on as it is',
    async (method) => {
      expect(await mirrored(await peerWith(''), '/x', { method })).toMatchObject({ method })
    },
  )

  test('Host is that of the client, with --change-origin that of the target', async () => {
    const url = await targetUrl
    const hostAt = async (flags: string): Promise<string | undefined> => {
      const peer = await peerWith(flags)
      await peer.addRoute('/', url)
      const text = 'GET / HTTP/1.1\r\nHost: Hub.test:81\r\nConnection: close\r\n\r\n'
      return /"host":"([^"]*)"/.exec(await kit.raw(peer.port, text))?.[1]
    }
    expect(await hostAt('')).toBe('Hub.test:81')
    expect(await hostAt('--change-origin')).toBe(new URL(url).host)
  })

  test('custom headers are set, whatever the client says', async () => {
    const flags = ['--custom-header', 'k1: v1', '--custom-header', ' k2 : host:123 ']
    const peer = await kit.start(program, [...flags, '--default-target', await targetUrl])
    const { headers } = await mirrored(peer, '/', { headers: { K1: 'forged' } })
    expect(headers).toMatchObject({ k1: 'v1', k2: 'host:123' })
  })

  test('answers keep their status, their reason and every header', async () => {
    const peer = await peerWith('')
    const odd = await kit.serve((_req, res) => {
      const cookies = ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']
      res.writeHead(418, 'Odd One', [...cookies, 'X-Mixed-Case', 'Kept']).end('body')
    })
    await peer.addRoute('/odd', odd.url)
    const answer = await peer.ask('/odd')
    expect([answer.status, answer.statusText]).toEqual([418, 'Odd One'])
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    const got = await kit.raw(
      peer.port,
      'GET /odd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    )
    expect(got).toMatch(
      program.isOurs ? /\r\nX-Mixed-Case: Kept\r\n/ : /\r\nx-mixed-case: Kept\r\n/,
    )
    expect(got).toMatch(/\r\nConnection: close\r\n/i)
  })

  test('the connection of a client is kept open, and used again', async () => {
    const one = kit.wire((await peerWith('')).port)
    for (const path of ['/first', '/second']) {
      one.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
      await one.until(`"url":"${path}"`)
    }
    expect(await one.until('second')).toMatch(/\r\nConnection: keep-alive\r\n/i)
    one.close()
  })

  test('events come as they are sent, and a client that leaves is left', async () => {
    let answer: ServerResponse | undefined
    const target = await kit.serve((_req, res) => {
      answer = res
      res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n')
    })
    const peer = await peerWith('')
    await peer.addRoute('/events', target.url)
    const leave = new AbortController()
    const reply = await peer.ask('/events', { signal: leave.signal })
    const first = await reply.body?.getReader().read()
    expect(new TextDecoder().decode(first?.value as Uint8Array)).toBe('data: 1\n\n')
    leave.abort()
    await vi.waitUntil(() => answer?.closed, kit.patience)
  })

  test('Expect: 100-continue is answered, and the body goes on', async () => {
    const one = kit.wire((await peerWith('')).port)
    one.send('POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n')
    await one.until('100 Continue\r\n\r\n')
    one.send('body')
    await one.until('"method":"POST"')
    one.close()
  })

  test('an answer that breaks off is cut', async ({ skip }) => {
    if (!program.isOurs) return skip('configurable-http-proxy leaves its client waiting')
    const peer = await peerWith('')
    const target = await kit.serve((req, res) => {
      res.writeHead(200, { 'Content-Length': '100' }).write('part')
      setImmediate(() => req.socket.destroy())
    })
    await peer.addRoute('/broken', target.url)
    const socket = connect(peer.port, '127.0.0.1')
    kit.cleanups.push(() => socket.destroy())
    socket.on('error', () => undefined).resume()
    socket.write('GET /broken HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'close')
  })

  describe('Location', () => {
    /** What becomes of a redirect. */
    const locationOf = async (
      flags: string,
      to: (target: URL) => string,
      status = 301,
    ): Promise<{ location: string | null; peer: Peer; target: URL }> => {
      const target = await kit.serve((_req, res) => {
        res.writeHead(status, { Location: to(new URL(target.url)) }).end()
      })
      const peer = await peerWith(flags)
      await peer.addRoute('/external/urlpath', `${target.url}/internal/urlpath/`)
      const answer = await peer.ask('/external/urlpath/rest/of/it')
      expect(answer.status).toBe(status)
      const location = answer.headers.get('location')
      return { location, peer, target: new URL(target.url) }
    }

    test('is left alone without flags', async () => {
      for (const to of ['http://foo.com:12345/whatever', '/x', 'x?y#z']) {
        expect((await locationOf('', () => to)).location).toBe(to)
      }
    })

    const rewriting = '--auto-rewrite --protocol-rewrite https'

    test.each([201, 301, 302, 307, 308])(
      'of the target itself leads to the proxy: %d',
      async (status) => {
        const to = ({ host }: URL): string => `https://${host}/whatever?x=1#y`
        const { location, peer } = await locationOf(rewriting, to, status)
        expect(location).toBe(`https://127.0.0.1:${peer.port}/whatever?x=1#y`)
      },
    )

    test('of somebody else, or with another status, is left alone', async () => {
      const other = 'http://foo.com:12345/whatever'
      expect((await locationOf(rewriting, () => other)).location).toBe(other)
      const own = ({ host }: URL): string => `http://${host}/whatever`
      const { location, target } = await locationOf(rewriting, own, 303)
      expect(location).toBe(`http://${target.host}/whatever`)
    })

    test('--auto-rewrite alone keeps the protocol', async () => {
      const own = ({ host }: URL): string => `http://${host}/whatever`
      const { location, peer } = await locationOf('--auto-rewrite', own)
      expect(location).toBe(`http://127.0.0.1:${peer.port}/whatever`)
    })
  })

  test('--proxy-timeout: a target that says nothing is a 503', async () => {
    const silent = await kit.serve(() => undefined)
    const peer = await kit.start(program, ['--proxy-timeout', '100'])
    await peer.addRoute('/', silent.url)
    expect((await peer.ask('/')).status).toBe(503)
  })

  test('--timeout: a client that waits in silence for so long is cut', async () => {
    const silent = await kit.serve(() => undefined)
    const peer = await kit.start(program, ['--timeout', '100'])
    await peer.addRoute('/', silent.url)
    expect(await kit.raw(peer.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).toBe('')
  })

  test('--keep-alive-timeout: an idle connection is closed, and says when', async () => {
    const peer = await kit.start(program, [
      '--keep-alive-timeout',
      '1000',
      '--default-target',
      await targetUrl,
    ])
    const got = await kit.raw(peer.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    // configurable-http-proxy passes on what its target says.
    expect(got).toMatch(program.isOurs ? /\r\nKeep-Alive: timeout=1\r\n/ : /timeout=5/)
  })
})
