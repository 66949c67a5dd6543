import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import * as kit from './peer-kit.ts'
import type { Peer, RouteData } from './peer-kit.ts'

/** The same plug-in in both programs. Source: contract proxy §11. */

const plugin = fileURLToPath(new URL('./file-store.cjs', import.meta.url))

describe.each(kit.programs)('$name', (program) => {
  let peer: Peer
  let file: string
  let target: Awaited<ReturnType<typeof kit.serveMirror>>
  const start = (...flags: string[]): Promise<Peer> =>
    kit.start(program, ['--storage-backend', plugin, ...flags], {
      CONFIGPROXY_AUTH_TOKEN: kit.token,
      STORE_FILE: file,
    })
  const stored = (): Record<string, RouteData> =>
    JSON.parse(readFileSync(file, 'utf8')) as Record<string, RouteData>

  beforeAll(async () => {
    file = join(await kit.temporaryFolder(), 'routes.json')
    target = await kit.serveEcho()
    peer = await start('--default-target', target.url, '--custom-header', 'X-Site: a')
  })

  test('it gets the options by their names, and a log', () => {
    const options = JSON.parse(readFileSync(`${file}.options`, 'utf8')) as object
    expect(options).toMatchObject({
      storageBackend: plugin,
      defaultTarget: target.url,
      headers: { 'X-Site': 'a' },
      hasToken: true,
      prependPath: true,
      includePrefix: true,
      xfwd: true,
      enableMetrics: false,
    })
    expect(peer.output()).toContain(`info`)
    expect(peer.output()).toContain(`storing routes in ${file}`)
  })

  test('the default target is stored, and requests go where the plug-in says', async () => {
    await vi.waitUntil(() => stored()['/']?.last_activity !== undefined, kit.patience)
    await peer.addRoute('/user/a%40b', target.url, { user: 'a@b' })
    expect(stored()['/user/a@b']).toMatchObject({ user: 'a@b', target: target.url })
    const answer = await peer.ask('/user/a%40b/x?q=1')
    expect(await answer.json()).toMatchObject({ url: '/user/a%40b/x?q=1' })
  })

  test('the API lists, reads and deletes what the plug-in has', async () => {
    await peer.addRoute('/a', 'http://127.0.0.1:1', { key: 'kept' })
    expect(await peer.routes()).toMatchObject({
      '/a': { key: 'kept' },
      '/': { target: target.url },
    })
    expect(await (await peer.api('/a/')).json()).toMatchObject({ target: 'http://127.0.0.1:1' })
    expect((await peer.api('/a', { method: 'DELETE' })).status).toBe(204)
    expect((await peer.api('/a', { method: 'DELETE' })).status).toBe(404)
    expect((await peer.api('/a')).status).toBe(404)
    const future = new Date(Date.now() + 60_000).toISOString()
    expect(await (await peer.api(`?inactiveSince=${future}`)).json()).toHaveProperty('/')
    expect(await (await peer.api('?inactiveSince=2020-01-01')).json()).toEqual({})
  })

  test('activity is told to it', async () => {
    await peer.addRoute('/active', target.url)
    const before = Date.now()
    await vi.waitUntil(async () => {
      await (await peer.ask('/active/x')).text()
      return Date.parse(stored()['/active']?.last_activity ?? '') > before
    }, kit.patience)
  })

  test('requests that come at once, with bodies, keep their order and their bytes', async () => {
    const one = 'POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody'
    const two =
      'POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
    const three = 'GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    const got = await kit.raw(peer.port, one + two + three)
    const urls = [...got.matchAll(/"url":"(\/\d)"/g)].map(([, url]) => url)
    expect(urls).toEqual(['/1', '/2', '/3'])
  })

  test('a WebSocket goes where it says', async () => {
    const one = kit.wire(peer.port)
    one.send(kit.upgrade('/ws'))
    await one.until(/^HTTP\/1\.1 101 [^]*\r\n\r\n/)
    one.send('hello')
    expect(await one.until('echo:hello')).toMatch(/echo:hello$/)
    one.close()
  })

  test('what it fails in is a 500 of that request and a line of the log', async () => {
    expect((await peer.ask('/faulty/reject')).status).toBe(500)
    expect((await peer.ask('/faulty/timer')).status).toBe(200)
    await vi.waitUntil(() => peer.output().includes('nobody listens'), kit.patience)
    expect(peer.output()).toContain('the file is on fire')
    expect((await peer.ask('/after')).status).toBe(200)
  })

  test('what it stored is there after a restart', async () => {
    await peer.addRoute('/kept', target.url)
    peer.child.kill('SIGTERM')
    await peer.exited()
    peer = await start()
    expect(Object.keys(await peer.routes())).toContain('/kept')
    expect((await peer.ask('/kept/x')).status).toBe(200)
  })
})
