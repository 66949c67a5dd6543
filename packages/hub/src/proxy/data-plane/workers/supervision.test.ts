import { once } from 'node:events'
import { tmpdir } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { expect, test, vi } from 'vitest'
import { addRoute, cleanups, openTunnel, raw, serveEcho, startProcess } from '../edge-test-kit.ts'
import type { Edge } from '../edge.ts'
import { edgeOfTwo, patience, runIn } from './worker-test-kit.ts'

// What befalls one worker, and what the log says of it.
test.each([
  [
    'an error that it does not catch',
    "setTimeout(() => { throw new Error('surprise') })",
    /surprise/,
  ],
  [
    'a promise that nobody handles',
    "setTimeout(() => void Promise.reject(new Error('unhandled')))",
    /unhandled/,
  ],
  [
    'more memory than it may have',
    // Bit by bit: V8 ends the whole process when memory is taken faster than it can stop a thread.
    'globalThis.hoard = []; setInterval(() => { hoard.push(Array(9999).fill(0).map(() => ({}))) }, 1)',
    /memory limit/,
  ],
  ['a loop without an end', 'setTimeout(() => { for (;;); })', /does nothing any more/],
])(
  '%s: the worker is replaced, what others hold lives on',
  async (_name, code, told) => {
    const target = await serveEcho()
    const log: string[] = []
    const { e, threads } = await edgeOfTwo({
      log: (_level, message) => void log.push(message),
      workerLimits: { stallMs: 1000, heapMb: 64 },
    })
    await addRoute(e, '/', target.url)
    const tunnels = await Promise.all(Array.from({ length: 24 }, () => openTunnel(e, '/')))
    await runIn(threads[0] as Worker, code)
    await vi.waitUntil(() => threads.length === 3, patience)
    expect(log.join('\n')).toMatch(told)
    const living = tunnels.filter(({ socket }) => !socket.destroyed)
    expect([0, 24]).not.toContain(living.length)
    for (const { socket } of living) socket.write('still here')
    await vi.waitUntil(() => living.every(({ got }) => got.includes('echo:still here')), patience)
    await e.complete()
    // The successor serves, alone when the other is gone too.
    void threads[1]?.terminate()
    await vi.waitUntil(async () => (await freshStatus(e)) === 200, patience)
  },
  40_000,
)

async function freshStatus(e: Edge): Promise<number> {
  return Number((await raw(e.port, 'GET / HTTP/1.0\r\nHost: x\r\n\r\n')).slice(9, 12))
}

test('a process that stood still does not take its workers for stalled', async () => {
  const { threads } = await edgeOfTwo({ workerLimits: { stallMs: 1000 } })
  // The main thread looks after all that time at once, as one does that was stopped.
  const until = performance.now() + 1500
  while (performance.now() < until) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
  await new Promise(setImmediate)
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(threads).toHaveLength(2)
})

test('workers that end one after the other are started ever more rarely, then given up', async () => {
  const log: string[] = []
  const startedAt: number[] = []
  let failure: Error | undefined
  const { e, threads } = await edgeOfTwo({
    workerLimits: { firstPauseMs: 4 },
    log: (_level, message) => void log.push(message),
    onDead: (error) => (failure = error),
  })
  const onWorker = (thread: Worker): void => {
    startedAt.push(performance.now())
    thread.once('message', () => void thread.terminate())
  }
  process.on('worker', onWorker)
  cleanups.push(() => process.off('worker', onWorker))
  for (const thread of threads) void thread.terminate()
  await vi.waitUntil(() => failure !== undefined, patience)
  expect(failure?.message).toMatch(/^\d+ workers have ended one after the other; the last: /)
  const count = startedAt.length
  expect(count).toBeLessThan(16)
  expect(log.length).toBeLessThan(40)
  const gaps = startedAt.slice(1).map((at, index) => at - (startedAt[index] ?? 0))
  expect(Math.max(...gaps)).toBeGreaterThan(64)
  await e.complete()
  expect(startedAt).toHaveLength(count)
}, 40_000)

test('an edge that can keep no worker says so and ends with exit code 1', async () => {
  const before = `process.on('worker', (thread) => {
    thread.on('message', ({ kind }) => kind === 'listening' && setTimeout(() => thread.terminate(), 50))
  })`
  const { child, log } = await startProcess(tmpdir(), ['--workers', '2'], before)
  if (child.exitCode === null) await once(child, 'exit')
  expect([child.exitCode, log()]).toEqual([1, expect.stringContaining('the edge ends: ')])
}, 60_000)
