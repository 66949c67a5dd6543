import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { expect, test, vi } from 'vitest'
import {
  addRoute,
  ask,
  cleanups,
  edge,
  patience,
  raw,
  serve,
  temporaryFolder,
  baseForward,
} from './edge-test-kit.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

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
  expect(new TextDecoder().decode((await reader?.read())?.value as Uint8Array)).toBe('data: 1\n\n')
  expect(answer?.writableEnded).toBe(false)
  leave.abort()
  await vi.waitUntil(() => answer?.closed, patience)
})

test('a large body passes unchanged while a reader that stops holds the target back', async () => {
  const size = 64 * 1024 * 1024
  let written = 0
  const target = await serve(async (req, res) => {
    for await (const chunk of req) {
      written += (chunk as Buffer).length
      if (res.write(chunk)) continue
      const waiting = new AbortController()
      const either = (['drain', 'close'] as const).map((name) => once(res, name, waiting))
      await Promise.race(either)
      waiting.abort()
      await Promise.allSettled(either)
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
  expect(await raw(e.port, large)).toMatch(/^HTTP\/1.1 431 [^]*cookies/)
  expect(await raw(e.port, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
  const both =
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n'
  expect(await raw(e.port, both)).toMatch(/^HTTP\/1.1 400/)
  expect((await ask(e, '/%zz')).status).toBe(500)
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
