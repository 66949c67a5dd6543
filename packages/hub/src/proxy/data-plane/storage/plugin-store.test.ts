import { writeFile } from 'node:fs/promises'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import * as kit from '../edge-test-kit.ts'
import { wire } from '../http1/wire-test-kit.ts'
import { EdgeCounts } from '../metrics/counts.ts'
import { scrape } from '../metrics/metrics-test-kit.ts'
import { hasOpenssl, makeCertificate } from '../tls/certificates-for-tests.ts'
import { loadPlugin } from './plugin.ts'
import type { StoragePlugin } from './plugin.ts'
import { PluginStore } from './plugin-store.ts'

const { addRoute, api, ask, cleanups, edge, patience, serve, temporaryFolder } = kit

/** Routes in a `Map`; tests replace methods. */
function memory(): StoragePlugin & { readonly routes: Map<string, object> } {
  const routes = new Map<string, object>()
  return {
    routes,
    getTarget: (path) => {
      const data = routes.get(path)
      return data && { prefix: path, data }
    },
    getAll: () => Object.fromEntries(routes),
    add: (path, data) => void routes.set(path, data),
    update: (path, data) => void Object.assign(routes.get(path) ?? {}, data),
    remove: (path) => void routes.delete(path),
  }
}

function storeOf(plugin: StoragePlugin, log: string[] = []): PluginStore {
  const options = { hostRouting: false, counts: new EdgeCounts(), limitMs: 50 }
  return new PluginStore(plugin, { ...options, log: (_level, text) => void log.push(text) })
}

test('values do as well as promises, and methods that may be left out are made up for', async () => {
  const plugin = memory()
  const store = storeOf(plugin)
  await store.add('/a/', { target: 'http://x' })
  const { last_activity: at, ...data } = plugin.routes.get('/a') as { last_activity: unknown }
  expect([data, at]).toEqual([{ target: 'http://x' }, expect.any(Date)])
  expect(await store.find('/a')).toMatchObject({ target: 'http://x' })
  expect(await store.find('/none')).toBeUndefined()
  expect(await store.match('/none')).toBeUndefined()
  expect([await store.count(), await store.remove('/a'), await store.remove('/a')]).toEqual([
    1,
    true,
    false,
  ])
})

test.each([
  [
    'throws',
    () => {
      throw new Error('broken')
    },
    'getTarget: broken',
  ],
  ['rejects with no error', () => Promise.reject('odd'), 'getTarget: odd'],
  ['never answers', () => new Promise(() => undefined), 'getTarget: no result within 50 ms'],
  ['gives a word', () => 'word', 'no {prefix, data: {target}}'],
  ['gives no target', () => ({ prefix: '/', data: {} }), 'no {prefix, data: {target}}'],
  ['gives no prefix', () => ({ data: { target: 'http://x' } }), 'no {prefix, data: {target}}'],
])('a plug-in that %s is an error with a line of the log', async (_title, getTarget, why) => {
  const log: string[] = []
  await expect(storeOf({ ...memory(), getTarget }, log).match('/')).rejects.toThrow(why)
  expect(log).toEqual([expect.stringContaining(why)])
})

test.each([undefined, null, 'word', 7, []])('a list that is %j is an error', async (all) => {
  await expect(storeOf({ ...memory(), getAll: () => all }).list()).rejects.toThrow('getAll')
})

test('activity that comes while it is told is told once more, and not more often', async () => {
  const tellings: (() => void)[] = []
  const update = (): Promise<void> => new Promise((resolve) => tellings.push(resolve))
  const plugin = { ...memory(), update }
  plugin.routes.set('/a', { target: 'http://x' })
  const store = storeOf(plugin)
  const route = await store.match('/a')
  if (route === undefined) throw new Error('no route')
  for (let i = 0; i < 100; i += 1) store.touch(route)
  await vi.waitUntil(() => tellings.length === 1, patience)
  tellings[0]?.()
  await vi.waitUntil(() => tellings.length === 2, patience)
  tellings[1]?.()
  store.touch(route)
  await vi.waitUntil(() => tellings.length === 3, patience)
})

async function pluginFile(code: string): Promise<string> {
  const file = join(await temporaryFolder(), `plugin-${Math.random()}.mjs`)
  await writeFile(file, code)
  return file
}

test.each([
  ['export default 7', 'its export is no class'],
  ['export const other = 1', 'its export is no class'],
  ['export default class { getTarget() {} getAll() {} }', 'its class has no add, update, remove'],
  ['export default class { constructor() { throw new Error("no database") } }', 'no database'],
  ['syntax error', '(?:un)?expected'],
])('a module with %j is refused', async (code, why) => {
  const file = await pluginFile(code)
  const loading = loadPlugin({ file, options: {} }, () => undefined)
  await expect(loading).rejects.toThrow(new RegExp(`--storage-backend .*${why}`, 'is'))
})

const inMemory = `
  const routes = new Map()
  const sleep = () => new Promise((resolve) => setTimeout(resolve, 20))
  export default class {
    async getTarget(path) {
      await sleep()
      const prefix = [...routes.keys()].find((one) => path.startsWith(one))
      return prefix && { prefix, data: routes.get(prefix) }
    }
    async getAll() { return Object.fromEntries(routes) }
    async add(path, data) {
      if (path === '/full') throw new Error('no room')
      routes.set(path, data)
    }
    async update(path, data) { Object.assign(routes.get(path), data) }
    async remove(path) { routes.delete(path) }
  }`

test('an edge asks it for every request, by HTTP/1.1 and HTTP/2, and its faults are the API’s 500', async () => {
  if (!hasOpenssl()) return
  const pair = makeCertificate(await temporaryFolder(), { name: 'x', names: ['IP:127.0.0.1'] })
  const target = await serve((req, res) => req.pipe(res))
  const log: string[] = []
  const e = await edge({
    storage: { file: await pluginFile(inMemory), options: {} },
    metricsListen: { ip: '127.0.0.1', port: 0 },
    log: (_level, message) => void log.push(message),
  })
  await addRoute(e, '/a', target.url)
  expect(await (await ask(e, '/a/x', { method: 'POST', body: 'sent' })).text()).toBe('sent')
  expect((await ask(e, '/b')).status).toBe(404)
  const full = await api(e, '/full', { method: 'POST', body: '{"target":"http://x"}' })
  expect(full.status).toBe(500)
  expect(log).toContain('storage backend, add: no room')
  const samples = await scrape(e.metricsPort)
  expect([samples.get('find_target_for_req_count'), samples.get('orrery_edge_routes')]).toEqual([
    2, 1,
  ])

  const secure = await edge({
    storage: { file: await pluginFile(inMemory), options: {} },
    tls: {
      files: [pair],
      side: { requestCert: false, rejectUnauthorized: false },
      protocol: { settings: {} },
      hasHttp2: true,
      hstsSeconds: 0,
    },
  })
  await addRoute(secure, '/a', target.url)
  const session = connect(`https://127.0.0.1:${secure.port}`, { rejectUnauthorized: false })
  cleanups.push(() => session.destroy())
  const answers = await Promise.all(
    ['one', 'two', 'three'].map(async (body) => {
      const stream = session.request({ ':path': '/a/x', ':method': 'POST' })
      let got = ''
      stream.on('data', (chunk: Buffer) => (got += chunk.toString()))
      stream.end(body)
      await vi.waitUntil(() => stream.closed, patience)
      return got
    }),
  )
  expect(answers).toEqual(['one', 'two', 'three'])
})

test('a client that leaves while it thinks costs its target nothing', async () => {
  let asked = 0
  const target = await serve((_req, res) => {
    asked += 1
    res.end()
  })
  const e = await edge({ storage: { file: await pluginFile(inMemory), options: {} } })
  await addRoute(e, '/a', target.url)
  const gone = wire(e.port).send('GET /a HTTP/1.1\r\nHost: x\r\n\r\n')
  await vi.waitUntil(() => gone.socket.bytesWritten > 0, patience)
  gone.socket.resetAndDestroy()
  expect((await ask(e, '/a')).status).toBe(200)
  expect((await ask(e, '/a')).status).toBe(200)
  expect(asked).toBe(2)
})

test('connections to a target are used again, until its route is deleted', async () => {
  const target = await serve((_req, res) => void res.end('x'))
  let connections = 0
  target.on('connection', () => (connections += 1))
  const e = await edge({ storage: { file: await pluginFile(inMemory), options: {} } })
  await addRoute(e, '/a', target.url)
  for (let i = 0; i < 3; i += 1) await (await ask(e, '/a')).text()
  expect(connections).toBe(1)
  expect((await api(e, '/a', { method: 'DELETE' })).status).toBe(204)
  await addRoute(e, '/a', target.url)
  await (await ask(e, '/a')).text()
  expect(connections).toBe(2)
})

test('its state is no matter of the edge’s health', async () => {
  const code = `export default class {
    getTarget() { return new Promise(() => {}) }
    getAll() { throw new Error('away') }
    add() {} update() {} remove() {}
  }`
  const e = await edge({ storage: { file: await pluginFile(code), options: {} } })
  expect((await ask(e, '/_chp_healthz')).status).toBe(200)
  expect((await api(e, '')).status).toBe(500)
})

test('each of several workers has one of its own', async () => {
  const target = await serve((_req, res) => void res.end('here'))
  const code = `export default class {
    constructor(options) { this.target = options.defaultTarget }
    getTarget() { return { prefix: '/', data: { target: this.target } } }
    getAll() { return {} }
    add() {} update() {} remove() {}
  }`
  const options = { defaultTarget: target.url }
  const storage = { file: await pluginFile(code), options }
  const e = await edge({ workers: 2, storage })
  const texts = await Promise.all(
    Array.from({ length: 8 }, async () => (await ask(e, '/x')).text()),
  )
  expect(new Set(texts)).toEqual(new Set(['here']))
})
