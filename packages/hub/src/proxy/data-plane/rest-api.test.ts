import { once } from 'node:events'
import { expect, test } from 'vitest'
import { addRoute, api, deadTarget, edge, raw, serve } from './edge-test-kit.ts'

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

test.each(['*', 'http://elsewhere/api/routes'])('%s leads nowhere', async (target) => {
  const e = await edge()
  const text = `OPTIONS ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
  expect(await raw(e.apiPort, text)).toMatch(/^HTTP\/1\.1 404 /)
})
