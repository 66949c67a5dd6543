import { existsSync } from 'node:fs'
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { RoutingTable } from '../routing-table.ts'
import { api, addRoute, ask, edge, patience, serve, temporaryFolder } from './edge-test-kit.ts'
import { loadSnapshotFile, SnapshotWriter } from './snapshot-file.ts'

const data = { user: 'ada', nested: { __proto__: null, text: 'line\n"quote"' } }

function tableOf(count: number): RoutingTable {
  const table = new RoutingTable()
  for (let i = 0; i < count; i += 1) {
    const targetUrl = `http://127.0.0.1:${i}`
    table.set({ path: `/user/ü${i}`, owner: 'hub', targetUrl, data, lastActivityMs: i })
  }
  return table
}

/** @returns what it logged */
async function write(
  path: string,
  table: RoutingTable,
  { startedAtMs = 1, position = { epoch: 'e', seq: 7 } } = {},
): Promise<string[]> {
  const log: string[] = []
  const writer = new SnapshotWriter({
    path,
    table,
    position: () => position,
    startedAtMs,
    log: (_level, message) => void log.push(message),
  })
  writer.schedule()
  await writer.close()
  return log
}

async function load(path: string) {
  const log: string[] = []
  const stored = await loadSnapshotFile(path, (_level, message) => void log.push(message))
  return { stored, log }
}

test('what was written is read again, whole', async () => {
  const path = join(await temporaryFolder(), 'routes')
  const table = tableOf(3000)
  table.set({
    path: '/a b',
    owner: 'api',
    targetUrl: 'http://h:1',
    data: {},
    lastActivityMs: 5,
    routespec: '/a%20%62/',
  })
  table.set({ path: '/', owner: 'default', targetUrl: 'http://d:1', data: {}, lastActivityMs: 5 })
  expect(await write(path, table)).toEqual([])
  const { stored, log } = await load(path)
  expect(log).toEqual([])
  expect(stored).toMatchObject({ position: { epoch: 'e', seq: 7 }, startedAtMs: 1, count: 3001 })
  const again = new RoutingTable()
  for (const route of stored?.routes ?? []) again.set(route)
  table.delete('/', 'default')
  const byPath = (one: RoutingTable) =>
    [...one.listOwned()].flat().sort((x, y) => (x.path < y.path ? -1 : 1))
  expect(byPath(again)).toEqual(byPath(table))
})

test('a file that is cut or changed anywhere is left aside with a line in the log', async () => {
  const path = join(await temporaryFolder(), 'routes')
  await write(path, tableOf(20))
  const whole = await readFile(path)
  const step = Math.ceil(whole.length / 60)
  for (let at = 0; at < whole.length - 1; at += step) {
    const changed = Buffer.from(whole)
    changed[at] = (changed[at] ?? 0) ^ 1
    for (const bytes of [whole.subarray(0, at), changed]) {
      await writeFile(path, bytes)
      const { stored, log } = await load(path)
      expect(stored).toBeUndefined()
      expect(log).toEqual([
        expect.stringMatching(/^starts without the routing table in .*: (it|its|a line) /),
      ])
    }
  }
})

test('an edge starts with a damaged file and keeps a good one in its place', async () => {
  const path = join(await temporaryFolder(), 'routes')
  await writeFile(path, '{"version":1,"rou')
  const log: string[] = []
  const target = await serve((_req, res) => void res.end('target'))
  const e = await edge({ snapshotFile: path, log: (_level, message) => void log.push(message) })
  expect(log).toEqual([expect.stringContaining('starts without the routing table')])
  await addRoute(e, '/user/ada', target.url, { user: 'ada' })
  await vi.waitUntil(async () => (await load(path)).stored?.count === 1, patience)
  await e.close(0)
  const next = await edge({ snapshotFile: path })
  expect(await (await ask(next, '/user/ada/x')).text()).toBe('target')
  expect(await (await api(next, '/user/ada')).json()).toMatchObject({ user: 'ada' })
})

test('of two edges the later one keeps the file, and each has a draft of its own', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'routes')
  await writeFile(`${path}.${process.pid + 1}.tmp`, 'of the other edge, which is at it')
  await write(path, tableOf(3), { startedAtMs: 2 })
  await write(path, tableOf(2), { startedAtMs: 1 })
  expect((await load(path)).stored?.count).toBe(3)
  await write(path, tableOf(4), { startedAtMs: 3 })
  expect((await load(path)).stored?.count).toBe(4)
  expect((await readdir(folder)).sort()).toEqual(['routes', `routes.${process.pid + 1}.tmp`])
})

test('an edge started again is later than the one before, whatever the clock says', async () => {
  const path = join(await temporaryFolder(), 'routes')
  const startedAtMs = Date.now() + 3_600_000
  await write(path, tableOf(3), { startedAtMs })
  const e = await edge({ snapshotFile: path })
  await addRoute(e, '/more', 'http://h:1')
  await vi.waitUntil(async () => (await load(path)).stored?.count === 4, patience)
  expect((await load(path)).stored?.startedAtMs).toBe(startedAtMs + 1)
})

test('drafts that edges left behind are removed', async () => {
  const path = join(await temporaryFolder(), 'routes')
  const draft = `${path}.12345.tmp`
  await writeFile(draft, 'half')
  await utimes(draft, 1, 1)
  await writeFile(`${path}.mine.tmp`, 'of somebody else')
  await utimes(`${path}.mine.tmp`, 1, 1)
  await write(path, tableOf(1))
  expect([existsSync(draft), existsSync(`${path}.mine.tmp`)]).toEqual([false, true])
})

test('a file that cannot be written is tried again and named', async () => {
  const folder = await temporaryFolder()
  const log = await write(join(folder, 'absent', 'routes'), tableOf(1))
  expect(log).toEqual([expect.stringMatching(/cannot keep the routing table in .*: ENOENT/)])
})
