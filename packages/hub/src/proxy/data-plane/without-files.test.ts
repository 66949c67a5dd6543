import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import threads from 'node:worker_threads'
import { expect, test, vi } from 'vitest'
import { addRoute, cleanups, edge } from './edge-test-kit.ts'
import { canLimitFiles, openFiles } from './open-files-test-kit.ts'
import { connections, edgeOfTwo, patience, statuses, statusOn } from './workers/worker-test-kit.ts'

/** A target whose sockets are not this process's. @returns its address */
async function serveElsewhere(): Promise<string> {
  const code = `const server = require('node:http').createServer((req, res) => res.end('yes'))
    server.listen(0, '127.0.0.1', () => console.log(server.address().port))`
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  cleanups.push(() => child.kill())
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return `http://127.0.0.1:${port.toString().trim()}`
}

test('without a file left, idle connections to targets go for one that is needed', async ({
  skip,
}) => {
  if (!canLimitFiles()) return skip('no prlimit on this machine')
  const target = await serveElsewhere()
  const e = await edge()
  await addRoute(e, '/idle', target)
  await addRoute(e, '/wanted', target)
  const limit = await openFiles()
  const clients = await connections(e, 2)
  expect(await statuses(clients.slice(1), '/idle')).toEqual([200])
  await limit.none()
  expect(await statuses(clients.slice(0, 1), '/wanted')).toEqual([200])
})

test('where no thread can be had, one that ended is replaced once there can', async () => {
  const said: string[] = []
  const log = (_level: string, message: string): void => void said.push(message)
  const { e, threads: running } = await edgeOfTwo({ log, workerLimits: { firstPauseMs: 10 } })
  const { Worker } = threads
  const setWorker = (to: unknown): void => {
    Object.assign(threads, { Worker: to })
    syncBuiltinESMExports()
  }
  cleanups.push(() => setWorker(Worker))
  // As Node does when the system refuses it a thread.
  setWorker(function refuse() {
    throw new Error('Worker initialization failure: EAGAIN')
  })
  void running[0]?.terminate()
  await vi.waitUntil(() => said.some((line) => /cannot be started.*EAGAIN/.test(line)), patience)
  setWorker(Worker)
  await e.complete()
  expect(running).toHaveLength(3)
  const [client] = await connections(e, 1)
  expect(client && (await statusOn(client, '/_chp_healthz'))).toBe(200)
}, 40_000)
