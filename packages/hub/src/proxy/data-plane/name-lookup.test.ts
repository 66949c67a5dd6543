import { execFileSync } from 'node:child_process'
import type { LookupAddress } from 'node:dns'
import { writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { addRoute, ask, edge, patience, serve, temporaryFolder } from './edge-test-kit.ts'
import { type AskServers, type AskSystem, NameLookup } from './name-lookup.ts'

const at = (address: string): LookupAddress[] => [{ address, family: 4 }]
const never = (): Promise<never> => new Promise(() => undefined)
const failing = (code: string) => (): Promise<never> =>
  Promise.reject(Object.assign(new Error(code), { code }))

/** A lookup whose system and servers can be changed, and whose clock can be set. */
function lookupWith(first: { system: AskSystem; servers?: AskServers }) {
  const world = { servers: failing('ENOTFOUND') as AskServers, nowMs: 0, asked: 0, ...first }
  const { lookup } = new NameLookup({
    askSystem: (name) => {
      world.asked += 1
      return world.system(name)
    },
    askServers: (name) => world.servers(name),
    now: () => world.nowMs,
  })
  const find = (name = 'ada.test'): Promise<string> =>
    new Promise((resolve) => {
      lookup(name, {}, (error, address) =>
        resolve(error === null && typeof address === 'string' ? address : `${error?.code}`),
      )
    })
  return { world, find }
}

test('a name is asked for once at a time, and again when its answer is old', async () => {
  const { world, find } = lookupWith({ system: async () => at('10.0.0.1') })
  expect(await Promise.all([find(), find(), find('ADA.test')])).toEqual(Array(3).fill('10.0.0.1'))
  expect([await find(), world.asked]).toEqual(['10.0.0.1', 1])
  world.system = async () => at('10.0.0.2')
  world.nowMs = 1001
  expect([await find(), world.asked]).toEqual(['10.0.0.2', 2])
})

// What was found before, how old it is, and what the system says now.
test.each([
  ['nothing', 'used', 2000, never, '10.0.0.1'],
  ['that it cannot tell', 'used', 2000, failing('EAI_AGAIN'), '10.0.0.1'],
  ['that it cannot tell for long', 'not used', 300_001, failing('EAI_AGAIN'), 'EAI_AGAIN'],
  ['that the name is gone', 'not used', 2000, failing('ENOTFOUND'), 'ENOTFOUND'],
] as const)('the system says %s: an earlier answer is %s', async (_n, _u, nowMs, system, found) => {
  const { world, find } = lookupWith({ system: async () => at('10.0.0.1') })
  await find()
  Object.assign(world, { system, nowMs })
  expect(await find()).toBe(found)
})

test('names that the system does not answer do not keep others from the servers', async () => {
  const { world, find } = lookupWith({ system: never, servers: async () => at('10.0.0.3') })
  expect(await find('new.test')).toBe('10.0.0.3')
  // Its question still waits: the servers alone are asked, and at once.
  world.nowMs = 1001
  world.servers = async () => at('10.0.0.4')
  expect([await find('new.test'), world.asked]).toEqual(['10.0.0.4', 1])
})

test('names of targets are found while the system answers nothing at all', async () => {
  const server = await serve((_req, res) => void res.end('target'))
  const e = await edge()
  await addRoute(e, '/', server.url.replace('127.0.0.1', 'localhost'))
  const fifo = join(await temporaryFolder(), 'fifo')
  execFileSync('mkfifo', [fifo])
  // What the system is asked for waits in line with files, and these wait for a writer.
  const readers = Array.from({ length: 4 }, () => open(fifo, 'r'))
  const signal = AbortSignal.timeout(patience.timeout)
  const answer = await ask(e, '/', { signal }).finally(() => writeFileSync(fifo, ''))
  expect([answer.status, await answer.text()]).toEqual([200, 'target'])
  for (const reader of await Promise.all(readers)) await reader.close()
})
