import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createSecureServer } from 'node:http2'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { describe, expect, test, vi } from 'vitest'
import {
  addRoute,
  api,
  ask,
  baseForward,
  cleanups,
  deadTarget,
  edge,
  patience,
  raw,
  serve,
  serveEcho,
  temporaryFolder,
  upgrade,
} from './edge-test-kit.ts'
import type { Edge, EdgeOptions } from './edge.ts'
import { createPeerTrust } from './peer-trust.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

async function activityOf(e: Edge, path: string): Promise<string> {
  const list = (await (await api(e, '')).json()) as Record<string, { last_activity: string }>
  return list[path]?.last_activity ?? ''
}

describe('REST API', () => {
  test('adds, lists, reads and deletes routes, with every key kept', async () => {
    const e = await edge()
    await addRoute(e, '/user/a%40b%20c', 'http://127.0.0.1:1', { jupyterhub: true, user: 'a' })
    const list = await api(e, '')
    expect(list.headers.get('content-type')).toBe('application/json')
    expect(await list.json()).toMatchObject({
      '/user/a@b c': { jupyterhub: true, user: 'a', target: 'http://127.0.0.1:1' },
    })
    expect((await api(e, '/user/a@b%20c')).status).toBe(200)
    expect((await api(e, '/user/a@b%20c/', { method: 'DELETE' })).status).toBe(204)
    expect((await api(e, '/user/a@b%20c', { method: 'DELETE' })).status).toBe(404)
  })

  test('refuses a wrong token, bad bodies and other paths', async () => {
    const e = await edge()
    const url = `http://127.0.0.1:${e.apiPort}/api/routes`
    expect((await fetch(url)).status).toBe(403)
    expect((await fetch(url, { headers: { Authorization: 'Bearer secret' } })).status).toBe(403)
    expect((await api(e, '/x', { method: 'POST', body: '{' })).status).toBe(400)
    expect((await api(e, '/x', { method: 'POST', body: '{"target":1}' })).status).toBe(400)
    expect((await api(e, '/x', { method: 'PUT' })).status).toBe(405)
    expect((await api(e, '?inactiveSince=zzz')).status).toBe(400)
    expect((await fetch(`http://127.0.0.1:${e.apiPort}/other`)).status).toBe(404)
  })

  test('lists only what was inactive since', async () => {
    const e = await edge()
    await addRoute(e, '/x', deadTarget)
    const future = new Date(Date.now() + 60_000).toISOString()
    const idle: unknown = await (await api(e, `?inactiveSince=${future}`)).json()
    expect(idle).toMatchObject({ '/x': { target: deadTarget } })
    expect(await (await api(e, '?inactive_since=2020-01-01T00:00:00Z')).json()).toEqual({})
  })
})

describe('forwarding', () => {
  test('keeps path and Host, appends forwarding headers, drops those of the connection', async () => {
    const target = await serve((req, res) => void res.end(JSON.stringify([req.url, req.headers])))
    const e = await edge()
    await addRoute(e, '/', target.url)
    const text = await raw(
      e.port,
      'GET /a%20b?q=%20 HTTP/1.1\r\nHost: hub.test:81\r\nX-Forwarded-For: 1.2.3.4\r\n' +
        'X-Forwarded-Proto: https\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nTE: trailers\r\n\r\n',
    )
    const [url, headers] = JSON.parse(/\[.*\]/s.exec(text)?.[0] ?? '') as [string, object]
    expect(url).toBe('/a%20b?q=%20')
    expect(headers).toMatchObject({
      host: 'hub.test:81',
      'x-forwarded-for': '1.2.3.4,127.0.0.1',
      'x-forwarded-proto': 'https,http',
      'x-forwarded-port': '81',
      'x-forwarded-host': 'hub.test:81',
    })
    expect(headers).not.toHaveProperty('x-secret')
    expect(headers).not.toHaveProperty('te')
  })

  test('streams events as they come and aborts the target when the client leaves', async () => {
    let answer: ServerResponse | undefined
    const target = await serve((_req, res) => {
      answer = res
      res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n')
    })
    const e = await edge()
    await addRoute(e, '/', target.url)
    const leave = new AbortController()
    const reader = (await ask(e, '/', { signal: leave.signal })).body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value as Uint8Array)).toBe(
      'data: 1\n\n',
    )
    expect(answer?.writableEnded).toBe(false)
    leave.abort()
    await vi.waitUntil(() => answer?.closed, { timeout: 5000 })
  })

  test('a large body passes unchanged while a reader that stops holds the target back', async () => {
    const size = 64 * 1024 * 1024
    let written = 0
    const target = await serve(async (req, res) => {
      for await (const chunk of req) {
        written += (chunk as Buffer).length
        if (!res.write(chunk)) await Promise.race([once(res, 'drain'), once(res, 'close')])
      }
      res.end()
    })
    const e = await edge()
    await addRoute(e, '/', target.url)
    const body = new ReadableStream({
      pull: (controller) => {
        controller.enqueue(new Uint8Array(1024 * 1024))
        if ((sent += 1024 * 1024) === size) controller.close()
      },
    })
    let sent = 0
    const answer = await ask(e, '/', { method: 'POST', body, duplex: 'half' })
    let last = -1
    while (last !== written) {
      last = written
      await sleep(300)
    }
    expect(written).toBeLessThan(size)
    expect((await answer.arrayBuffer()).byteLength).toBe(size)
  })

  test('repeated headers and the status text survive', async () => {
    const target = await serve((_req, res) => {
      res.writeHead(418, 'Odd', [
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
      ])
      res.end()
    })
    const e = await edge()
    await addRoute(e, '/', target.url)
    const answer = await ask(e, '/')
    expect([answer.status, answer.statusText]).toEqual([418, 'Odd'])
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  })

  test('a dead target is a 503 from the error target, a missing route a 404', async () => {
    const asked: string[] = []
    const pages = await serve((req, res) => {
      asked.push(req.url ?? '')
      res.end('custom page')
    })
    const e = await edge()
    await addRoute(e, '/user/ada', deadTarget)
    const plain = await ask(e, '/user/ada/lab')
    expect([plain.status, (await ask(e, '/none')).status]).toEqual([503, 404])
    const forward = { ...baseForward, errorTarget: `${pages.url}/hub/error` }
    const second = await edge({ forward })
    await addRoute(second, '/user/ada', deadTarget)
    const answer = await ask(second, '/user/ada/lab?x')
    expect([answer.status, await answer.text()]).toEqual([503, 'custom page'])
    expect(asked).toEqual(['/hub/error/503?url=%2Fuser%2Fada%2Flab%3Fx'])
  })

  test('a hub that is away gives browsers a page that tries again and API clients JSON', async () => {
    const e = await edge({ defaultTarget: deadTarget })
    const page = await ask(e, '/hub/home', { headers: { Accept: 'text/html' } })
    expect([page.status, await page.text()]).toEqual([503, expect.stringContaining('refresh')])
    const json = await ask(e, '/hub/api/users')
    expect(json.headers.get('retry-after')).toBe('2')
    expect(await json.json()).toMatchObject({ status: 503 })
  })

  test('a connection that the target closed while idle is replaced for a GET', async () => {
    const target = await serve((_req, res) => void res.end('ok'))
    const e = await edge()
    await addRoute(e, '/', target.url)
    for (let i = 0; i < 5; i += 1) {
      expect(await (await ask(e, '/')).text()).toBe('ok')
      target.closeAllConnections()
    }
  })

  test('an answer that began is never asked for twice', async () => {
    let asked = 0
    const target = await serve((req) => {
      asked += 1
      req.socket.end('HTTP/1.1 2')
    })
    const e = await edge()
    await addRoute(e, '/', target.url)
    expect((await ask(e, '/')).status).toBe(503)
    expect(asked).toBe(1)
  })

  test('a head that is too large is 431, nonsense and a bad escape 400 and 500', async () => {
    const e = await edge()
    const large = `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`
    expect(await raw(e.port, large)).toMatch(/^HTTP\/1.1 431/)
    expect(await raw(e.port, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
    const both =
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n'
    expect(await raw(e.port, both)).toMatch(/^HTTP\/1.1 400/)
    expect((await ask(e, '/%zz')).status).toBe(500)
  })

  const forged = {
    'X-Forwarded-For': '1.2.3.4',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'forged.test',
    'X-Forwarded-Port': '444',
    'X-Real-Ip': '1.2.3.4',
    'X-Scheme': 'https',
    Forwarded: 'for=1.2.3.4;proto=https',
  }
  const own = (host: string) => ({
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': host,
    'x-forwarded-port': host.split(':')[1],
  })
  /** The headers with which a target gets a request, those of identity only. */
  async function identityAt(options: Partial<EdgeOptions>): Promise<[Edge, object]> {
    const target = await serve((req, res) => void res.end(JSON.stringify(req.headers)))
    const e = await edge(options)
    await addRoute(e, '/', target.url)
    const headers = (await (await ask(e, '/', { headers: forged })).json()) as object
    const names = /^(x-forwarded-.*|x-real-ip|x-scheme|forwarded)$/
    return [e, Object.fromEntries(Object.entries(headers).filter(([name]) => names.test(name)))]
  }

  test.each([[[]], [['192.0.2.0/24', '::1']]])(
    'with %j as trusted proxies, what another peer says of the client is replaced',
    async (ranges) => {
      const [e, headers] = await identityAt({ trustedProxies: ranges })
      expect(headers).toEqual(own(`127.0.0.1:${e.port}`))
    },
  )

  test('what a trusted proxy says of the client is kept', async () => {
    const [, headers] = await identityAt({ trustedProxies: ['127.0.0.1/32'] })
    expect(headers).toMatchObject({
      'x-forwarded-for': '1.2.3.4,127.0.0.1',
      'x-forwarded-proto': 'https,http',
      'x-forwarded-host': 'forged.test',
      'x-real-ip': '1.2.3.4',
      'x-scheme': 'https',
      forwarded: 'for=1.2.3.4;proto=https',
    })
  })

  test('without forwarding headers of our own, those of the client pass as they are', async () => {
    const forward = { ...baseForward, xForward: false }
    const [, headers] = await identityAt({ forward, trustedProxies: [] })
    expect(headers).toEqual(
      Object.fromEntries(
        Object.entries(forged).map(([name, value]) => [name.toLowerCase(), value]),
      ),
    )
  })

  test('a custom header replaces what the client sent under its name', async () => {
    const target = await serve((req, res) => void res.end(JSON.stringify(req.headersDistinct)))
    const customHeaders = [
      ['X-Site', 'a'],
      ['X-Other', 'b'],
    ] as const
    const e = await edge({ forward: { ...baseForward, customHeaders } })
    await addRoute(e, '/', target.url)
    const answer = await ask(e, '/', { headers: { 'x-site': 'forged' } })
    expect(await answer.json()).toMatchObject({ 'x-site': ['a'], 'x-other': ['b'] })
  })

  test('error pages come from the folder: that of the status, else the general one, else ours', async () => {
    const errorPath = await temporaryFolder()
    const e = await edge({ forward: { ...baseForward, errorPath } })
    await addRoute(e, '/dead', deadTarget)
    const texts = async (): Promise<unknown[]> => {
      const answers = await Promise.all([ask(e, '/dead'), ask(e, '/none')])
      return Promise.all(answers.map(async (answer) => [answer.status, await answer.text()]))
    }
    const [builtIn] = (await texts()) as [[number, string]]
    expect(builtIn).toEqual([503, expect.stringContaining('<!doctype html>')])
    await writeFile(join(errorPath, 'error.html'), 'general')
    await writeFile(join(errorPath, '503.html'), 'not up')
    expect(await texts()).toEqual([
      [503, 'not up'],
      [404, 'general'],
    ])
  })

  test.skipIf(!hasOpenssl)('a target that prefers HTTP/2 is spoken to in HTTP/1.1', async () => {
    const dir = await temporaryFolder()
    const [keyFile, certFile] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
    const args = `req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=x -keyout ${keyFile} -out ${certFile}`
    execFileSync('openssl', [...args.split(' '), '-addext', 'subjectAltName=IP:127.0.0.1'], {
      stdio: 'ignore',
    })
    const [key, cert] = [await readFile(keyFile, 'utf8'), await readFile(certFile, 'utf8')]
    const target = createSecureServer({ key, cert, allowHTTP1: true }, (req, res) =>
      res.writeHead(200, { 'X-Spoken': req.httpVersion }).end('ok'),
    )
    target.listen(0, '127.0.0.1')
    await once(target, 'listening')
    const usual = getCACertificates()
    setDefaultCACertificates([cert])
    cleanups.push(() => {
      setDefaultCACertificates(usual)
      target.close()
    })
    const e = await edge()
    await addRoute(e, '/', `https://127.0.0.1:${(target.address() as AddressInfo).port}`)
    const answer = await ask(e, '/')
    expect([answer.headers.get('x-spoken'), await answer.text()]).toEqual(['1.1', 'ok'])
  })

  test('success counts as activity, an error status does not', async () => {
    const target = await serve((req, res) => void res.writeHead(Number(req.url?.slice(1))).end())
    const e = await edge()
    await addRoute(e, '/', target.url)
    const before = await activityOf(e, '/')
    await sleep(5)
    await ask(e, '/403')
    expect(await activityOf(e, '/')).toBe(before)
    await ask(e, '/200')
    expect((await activityOf(e, '/')) > before).toBe(true)
  })
})

describe('WebSocket', () => {
  test('bytes flow both ways, early ones first, and outlive the route', async () => {
    const target = await serve((_req, res) => void res.end())
    target.on('upgrade', (_req: IncomingMessage, socket, head: Buffer) => {
      socket.write(
        'HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Y: 1\r\n\r\n',
      )
      socket.write(`echo:${head.toString()}`)
      socket.on('data', (chunk: Buffer) => socket.write(`echo:${chunk.toString()}`))
      socket.on('error', () => undefined)
    })
    const e = await edge()
    await addRoute(e, '/ws', target.url)
    const socket = connect(e.port, '127.0.0.1')
    cleanups.push(() => socket.destroy())
    let got = ''
    socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
    socket.write(`${upgrade('/ws')}early`)
    await vi.waitUntil(() => got.includes('early'), { timeout: 5000 })
    expect(got).toMatch(/^HTTP\/1.1 101 Yes\r\n[^]*X-Y: 1/)
    await api(e, '/ws', { method: 'DELETE' })
    socket.write('later')
    await vi.waitUntil(() => got.includes('later'), { timeout: 5000 })
  })

  test('a dead target is 503, no route 404, a refusal is relayed, other upgrades are cut', async () => {
    const target = await serve((_req, res) => void res.end())
    target.on('upgrade', (_req: IncomingMessage, socket) => {
      socket.end('HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno')
    })
    const e = await edge()
    await addRoute(e, '/dead', deadTarget)
    await addRoute(e, '/no', target.url)
    expect(await raw(e.port, upgrade('/dead'))).toMatch(/^HTTP\/1.1 503/)
    expect(await raw(e.port, upgrade('/none'))).toMatch(/^HTTP\/1.1 404/)
    expect(await raw(e.port, upgrade('/no'))).toMatch(/^HTTP\/1.1 403 No[^]*no$/)
    expect(await raw(e.port, upgrade('/no').replace('GET', 'POST'))).toBe('')
  })

  test('what the client sends is activity of the route, what the server sends is not', async () => {
    const target = await serveEcho()
    const sent: Duplex[] = []
    target.on('upgrade', (_req, socket) => sent.push(socket))
    const e = await edge()
    await addRoute(e, '/ws', target.url)
    const socket = connect(e.port, '127.0.0.1')
    cleanups.push(() => socket.destroy())
    let got = ''
    socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
    socket.write(upgrade('/ws'))
    await vi.waitUntil(() => got.includes('101'), patience)
    const before = await activityOf(e, '/ws')
    await sleep(5)
    sent[0]?.write('news')
    await vi.waitUntil(() => got.includes('news'), patience)
    expect(await activityOf(e, '/ws')).toBe(before)
    socket.write('typed')
    await vi.waitUntil(() => got.includes('echo:typed'), patience)
    expect((await activityOf(e, '/ws')) > before).toBe(true)
  })

  test('a WebSocket that closes while the edge stops takes no request with it', async () => {
    let answer: ServerResponse | undefined
    const target = await serveEcho()
    target.removeAllListeners('request')
    target.on('request', (_req, res) => (answer = res))
    const e = await edge()
    await addRoute(e, '/', target.url)
    const socket = connect(e.port, '127.0.0.1')
    cleanups.push(() => socket.destroy())
    let got = ''
    socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
    socket.write(upgrade('/ws'))
    await vi.waitUntil(() => got.includes('101'), patience)
    const request = ask(e, '/slow').then(async (reply) => reply.text())
    await vi.waitUntil(() => answer !== undefined, patience)
    const stopping = e.close(10_000)
    socket.destroy()
    // Several looks of the edge at what is open.
    await sleep(150)
    answer?.end('in time')
    expect(await request).toBe('in time')
    await stopping
  })
})

test('an API port that is taken leaves the public port free', async () => {
  const other = await serve((_req, res) => void res.end())
  const free = await serve((_req, res) => void res.end())
  const publicPort = Number(new URL(free.url).port)
  const closed = once(free, 'close')
  free.close()
  await closed
  const started = edge({
    publicListen: { ip: '127.0.0.1', port: publicPort },
    apiListen: { ip: '127.0.0.1', port: Number(new URL(other.url).port) },
  })
  await expect(started).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await serve((_req, res) => void res.end(), publicPort)
})

describe('ranges of trusted proxies', () => {
  test.each([
    ['10.1.2.3', true],
    ['10.2.0.1', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['fd00::5', true],
    ['fe80::1%eth0', true],
    ['2001:db8::1', false],
    ['', false],
    ['nonsense', false],
  ])('%s: %s', (address, expected) => {
    const isTrusted = createPeerTrust(['10.1.0.0/16', '192.0.2.7', 'fd00::/8', 'fe80::/10'])
    expect(isTrusted(address)).toBe(expected)
  })

  test.each(['', 'x', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '::1/129', '10.0.0/8', '1/-1'])(
    '%j is refused',
    (range) => {
      expect(() => createPeerTrust([range])).toThrow(RangeError)
    },
  )
})
