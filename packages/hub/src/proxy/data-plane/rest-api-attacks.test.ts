import { expect, test } from 'vitest'
import { addRoute, api, ask, edge, raw, serve } from './edge-test-kit.ts'

const post = (body: string): RequestInit => ({ method: 'POST', body })
const nested = (depth: number): string =>
  `{"target":"http://127.0.0.1:1","data":${'['.repeat(depth)}${']'.repeat(depth)}}`

test('a body that is nested too deep to be listed is refused', async () => {
  const e = await edge({ workers: 2 })
  expect((await api(e, '/a', post(nested(99)))).status).toBe(201)
  for (const depth of [101, 200_000]) {
    const answer = await api(e, '/b', post(nested(depth)))
    expect([answer.status, await answer.text()]).toEqual([400, 'Body is nested too deep'])
  }
  expect(Object.keys((await (await api(e, '')).json()) as object)).toEqual(['/a'])
})

test('names that objects have are ordinary paths and keys', async () => {
  const e = await edge()
  const target = await serve((req, res) => void res.end(req.url))
  const body = `{"target":"${target.url}","__proto__":{"a":1},"constructor":"c"}`
  for (const path of ['/__proto__', '/constructor', '/__proto__/toString']) {
    expect((await api(e, path, post(body))).status).toBe(201)
    expect(await (await ask(e, `${path}/x`)).text()).toBe(`${path}/x`)
  }
  const text = await (await api(e, '')).text()
  expect(text).toContain('"/__proto__":{')
  expect(text).toContain('"__proto__":{"a":1}')
  expect((await api(e, '/__proto__', { method: 'DELETE' })).status).toBe(204)
  expect((await api(e, '/__proto__')).status).toBe(404)
})

test('a body without an end is refused, not kept', async () => {
  const e = await edge()
  const head =
    'POST /api/routes/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: token secret\r\nTransfer-Encoding: chunked\r\n\r\n'
  const chunk = `80000\r\n${'x'.repeat(0x80000)}\r\n`
  expect(await raw(e.apiPort, head + chunk.repeat(4), '413')).toMatch(/^HTTP\/1\.1 413 /)
})

/** Without a token. */
test.each([
  ['a program', 'Host: 127.0.0.1', 200],
  ['a program that names a port', 'Host: localhost:8001', 200],
  ['a program that uses IPv6', 'Host: [::1]:8001', 200],
  ['a page of another site', 'Host: 127.0.0.1\r\nOrigin: https://evil.example', 403],
  ['a page in a frame', 'Host: 127.0.0.1\r\nOrigin: null', 403],
  ['an image of a page', 'Host: 127.0.0.1\r\nSec-Fetch-Site: cross-site', 403],
  ['a page whose name leads here', 'Host: rebound.example:8001', 403],
])('an open API and %s', async (_name, lines, status) => {
  const e = await edge({ token: '' })
  const text = `GET /api/routes HTTP/1.1\r\n${lines}\r\nConnection: close\r\n\r\n`
  expect(await raw(e.apiPort, text)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
})

test('a page cannot add a route to an open API, whatever its form says', async () => {
  const e = await edge({ token: '' })
  const body = '{"target":"http://127.0.0.1:1","x":"="}'
  const head = `POST /api/routes/x HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`
  expect(await raw(e.apiPort, head + body)).toMatch(/^HTTP\/1\.1 403 /)
  expect((await api(e, '/x')).status).toBe(404)
  await addRoute(e, '/x', 'http://127.0.0.1:1')
})
