import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { RoutingTable } from '../routing-table.ts'
import { RouteMemory, RouteMemoryFullError } from './route-memory.ts'
import { RouteReader } from './route-reader.ts'

const routeAt = (path: string, more = {}) =>
  ({ path, owner: 'api', targetUrl: 'http://h:1', data: {}, lastActivityMs: 1, ...more }) as const

test('a reader of the same memory sees every change when it is made', () => {
  const table = new RoutingTable()
  const reader = new RouteReader(RouteMemory.attach(table.buffer))
  const names = Array.from({ length: 5000 }, (_, i) => `/user/u${i}`)
  for (const path of names) {
    table.set(routeAt(path))
    expect(reader.match(`${path}/x`)?.path).toBe(path)
  }
  table.set(routeAt('/user/u7', { targetUrl: 'http://other:2' }))
  expect(reader.match('/user/u7')?.entry.targetUrl).toBe('http://other:2')
  for (const path of names) {
    expect(reader.match(path)?.path).toBe(path)
    table.delete(path, 'api')
    expect(reader.match(path)).toBeUndefined()
  }
})

test('activity noted by a reader is seen by the table, also of a route made anew', () => {
  const table = new RoutingTable()
  const reader = new RouteReader(RouteMemory.attach(table.buffer))
  table.set(routeAt('/a'))
  const route = reader.match('/a/x')
  if (route === undefined) throw new Error('no match')
  reader.touch(route, 5)
  reader.touch(route, 3)
  expect(table.find('/a')?.lastActivityMs).toBe(5)
  table.delete('/a', 'api')
  reader.touch(route, 6)
  table.set(routeAt('/a'))
  expect(table.find('/a')?.lastActivityMs).toBe(1)
  reader.touch(route, 7)
  expect(table.find('/a')?.lastActivityMs).toBe(7)
})

test('readers in other threads see a route as it was set, or none, while it comes and goes', async () => {
  const table = new RoutingTable()
  const names = ['ada', 'bob', 'eve', 'müller', 'constructor']
  table.set(routeAt('/'))
  const readers = [1, 2].map(
    () =>
      new Worker(new URL('./concurrency-test-worker.ts', import.meta.url), {
        workerData: { buffer: table.buffer, names },
        execArgv: ['--disable-warning=ExperimentalWarning'],
      }),
  )
  await Promise.all(readers.map((reader) => once(reader, 'online')))
  const until = performance.now() + 1500
  for (let round = 0; performance.now() < until; round += 1) {
    for (const name of names) {
      const data = { user: name, pad: 'y'.repeat(round % 97) }
      const targetUrl = `http://${name}:1/${'x'.repeat(round % 61)}`
      table.set(routeAt(`/user/${name}`, { targetUrl, data }))
      if (round % 3 === 0) table.set(routeAt(`/user/${name}/lab`, { targetUrl, data }))
      if (round % 3 === 1) table.delete(`/user/${name}/lab`, 'api')
      if (round % 5 === 0) table.delete(`/user/${name}`, 'api')
      // Others fill and leave the tables of the index.
      const other = `/other/${round % 3000}`
      if (!table.delete(other, 'api')) table.set(routeAt(other))
    }
    if (round % 50 === 0) await new Promise(setImmediate)
  }
  const reports = await Promise.all(
    readers.map(async (reader) => {
      const told = once(reader, 'message')
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
      reader.postMessage('end')
      const [report] = (await told) as [{ asked: number; wrong: string[] }]
      await reader.terminate()
      return report
    }),
  )
  for (const { asked, wrong } of reports) {
    expect(wrong).toEqual([])
    expect(asked).toBeGreaterThan(1000)
  }
}, 20_000)

test('a million routes that come and go leave nothing behind', () => {
  const table = new RoutingTable()
  const cycle = (turn: number): void => {
    for (let i = 0; i < 20_000; i += 1) {
      table.set(routeAt(`/user/u${turn}-${i}`, { data: { user: `u${i}`, turn } }))
    }
    for (let i = 0; i < 20_000; i += 1) table.delete(`/user/u${turn}-${i}`, 'api')
  }
  for (let turn = 0; turn < 50; turn += 1) cycle(turn)
  expect(table.size).toBe(0)
  // The tables of the index stay as large as they were.
  expect(table.usedBytes).toBeLessThan(512 * 1024)
  // Of 130 MB that they took in turn: what is given back rests for a moment, at most 8 MiB, twice.
  expect(table.buffer.byteLength).toBeLessThan(48 * 1024 * 1024)
}, 60_000)

test('a hundred thousand routes take less than 200 bytes each', () => {
  const table = new RoutingTable()
  const empty = table.usedBytes
  for (let i = 0; i < 100_000; i += 1) {
    const data = { user: `user-${i}`, server_name: '', jupyterhub: true }
    table.set(routeAt(`/user/user-${i}`, { targetUrl: 'http://127.0.0.1:40123', data }))
  }
  expect((table.usedBytes - empty) / 100_000).toBeLessThan(200)
  expect(table.match('/user/user-99999/lab')?.entry.data).toMatchObject({ user: 'user-99999' })
})

test('a full table refuses a route and keeps those it has, then takes one for one that left', () => {
  const table = new RoutingTable({ maxBytes: 64 * 1024 })
  const made: string[] = []
  expect(() => {
    for (let i = 0; ; i += 1) {
      table.set(routeAt(`/user/u${i}`))
      made.push(`/user/u${i}`)
    }
  }).toThrow(RouteMemoryFullError)
  expect(table.size).toBe(made.length)
  for (const path of made) expect(table.match(`${path}/x`)?.path).toBe(path)
  expect(table.match(`/user/u${made.length}`)).toBeUndefined()
  expect(() => table.set(routeAt('/user/u0', { data: { more: 'x'.repeat(9000) } }))).toThrow()
  expect(table.match('/user/u0')?.entry.data).toEqual({})
})
