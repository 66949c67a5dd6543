import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import * as kit from './peer-kit.ts'
import type { Peer, Seen } from './peer-kit.ts'

/** Source: contract proxy §7. */

describe.each(kit.programs)('$name', (program) => {
  const answerAt = async (
    peer: Peer,
    path: string,
    init: RequestInit = {},
  ): Promise<[status: number, type: string | null, body: string]> => {
    const answer = await peer.ask(path, init)
    return [answer.status, answer.headers.get('content-type'), await answer.text()]
  }
  const withDeadRoute = async (...flags: string[]): Promise<Peer> => {
    const peer = await kit.start(program, flags)
    await peer.addRoute('/dead', kit.deadTarget)
    await peer.addRoute('/tls', 'https://127.0.0.1:9')
    return peer
  }

  test('without anything configured a page tells the status', async () => {
    const peer = await withDeadRoute()
    for (const [path, status] of [
      ['/nope', 404],
      ['/dead/x', 503],
      ['/tls/x', 503],
      ['/%', 500],
    ] as const) {
      const [got, type, body] = await answerAt(peer, path)
      expect([got, type]).toEqual([status, expect.stringMatching(/^text\/html/)])
      expect(body).toMatch(/<html/i)
    }
  })

  test('a folder has a page for a status, or one for all', async () => {
    const folder = await kit.temporaryFolder()
    const peer = await withDeadRoute('--error-path', folder)
    await writeFile(join(folder, '404.html'), 'it is not here')
    await writeFile(join(folder, 'error.html'), 'something else')
    expect(await answerAt(peer, '/nope')).toEqual([404, 'text/html', 'it is not here'])
    expect(await answerAt(peer, '/dead/x')).toEqual([503, 'text/html', 'something else'])
  })

  describe('with an error target', () => {
    const asked: Seen[] = []
    let peer: Peer
    beforeAll(async () => {
      const pages = await kit.serve((req, res) => {
        const { method = '', url = '', headers } = req
        asked.push({ method, url, headers: headers as Seen['headers'] })
        res.writeHead(418, { 'Content-Type': 'text/plain', 'X-Own': 'no', 'Set-Cookie': 'a=b' })
        res.end(new URL(url, 'http://x').searchParams.get('url'))
      })
      peer = await withDeadRoute('--error-target', `${pages.url}/hub/error`)
    })

    test.each([
      ['/foo/bar', 404],
      ['/dead/lab?x=1&y=%20', 503],
      ['/%', 500],
    ])('%s is its page with the status %d', async (path, status) => {
      asked.length = 0
      const cookie = { headers: { Cookie: 'secret=1', 'X-Secret': '1' } }
      expect(await answerAt(peer, path, cookie)).toEqual([status, 'text/plain', path])
      expect(asked.map(({ method, url }) => [method, url])).toEqual([
        ['GET', expect.stringMatching(new RegExp(`^/hub/error/${status}\\?url=`))],
      ])
      expect(Object.keys(asked[0]?.headers ?? {})).not.toContain('cookie')
      expect(Object.keys(asked[0]?.headers ?? {})).not.toContain('x-secret')
    })

    test('of its headers type and coding count', async () => {
      const { headers } = await peer.ask('/foo')
      expect([headers.get('x-own'), headers.get('set-cookie')]).toEqual([null, null])
    })

    test('a POST is a GET there, and its body stays here', async () => {
      asked.length = 0
      expect((await peer.ask('/dead/x', { method: 'POST', body: 'secret' })).status).toBe(503)
      expect(asked.map(({ method }) => method)).toEqual(['GET'])
    })

    test('a WebSocket gets the bare status', async () => {
      asked.length = 0
      const got = await kit.raw(peer.port, kit.upgrade('/dead/ws'), /^HTTP\/1\.1 503 ?[^]*\r\n\r\n/)
      expect(got).toMatch(/\r\nContent-Length: 0\r\n\r\n$/)
      expect(asked).toEqual([])
    })
  })

  test('an error target that is away is passed over', async () => {
    const peer = await withDeadRoute('--error-target', kit.deadTarget)
    expect((await answerAt(peer, '/nope'))[0]).toBe(404)
    expect((await answerAt(peer, '/dead/x'))[0]).toBe(503)
  })

  test('an error target can be a Unix socket', async () => {
    const folder = await kit.temporaryFolder()
    const pages = await kit.serve(
      (req, res) => {
        res.writeHead(200, { 'Content-Type': 'text/plain' }).end(req.url)
      },
      join(folder, 'pages.sock'),
    )
    const peer = await withDeadRoute('--error-target', pages.url)
    expect(await answerAt(peer, '/foo/bar')).toEqual([404, 'text/plain', '/404?url=%2Ffoo%2Fbar'])
  })
})
