import { Session } from 'node:inspector/promises'
import { getHeapStatistics } from 'node:v8'
import type { Worker } from 'node:worker_threads'
import type { HeapReport } from '../soak/watched-edge.ts'

// Loaded before an edge that is soaked: tells what its heaps hold once garbage is gone, and ends its
// youngest worker when asked to. The eldest lives as long as the edge, so what it keeps can be seen.
const threads: Worker[] = []
const sessionIds = new Map<number, string>()
const answers = new Map<string, (result: { readonly usedSize?: number }) => void>()
let lastId = 0
/** Whoever asks for heaps after a kill wants to see its effect. */
let killing: Promise<unknown> | undefined

const session = new Session()
session.connect()
session.on('NodeWorker.attachedToWorker', ({ params }) => {
  sessionIds.set(Number(params.workerInfo.workerId), params.sessionId)
})
session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
  const { id, result } = JSON.parse(params.message) as { id?: number; result?: object }
  const key = `${params.sessionId} ${id}`
  answers.get(key)?.(result ?? {})
  answers.delete(key)
})
const enabled = session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })

process.on('worker', (thread) => {
  const { threadId } = thread
  threads.push(thread)
  thread.once('exit', () => {
    threads.splice(threads.indexOf(thread), 1)
    sessionIds.delete(threadId)
  })
})

process.on('message', (what: 'heap' | 'kill') => {
  if (what === 'kill') killing = threads.at(-1)?.terminate()
  else void reportHeap()
})
process.channel?.unref()

async function reportHeap(): Promise<void> {
  await enabled
  await killing
  await session.post('HeapProfiler.collectGarbage')
  const { used_heap_size: usedSize } = getHeapStatistics()
  const workerHeapBytes: number[] = []
  for (const thread of threads) workerHeapBytes.push(await heapOf(thread.threadId))
  const { external, arrayBuffers } = process.memoryUsage()
  const report: HeapReport = {
    mainHeapBytes: usedSize,
    workerHeapBytes,
    externalBytes: external + arrayBuffers,
  }
  process.send?.(report)
}

async function heapOf(threadId: number): Promise<number> {
  const sessionId = sessionIds.get(threadId)
  if (sessionId === undefined) return Number.NaN
  await ask(sessionId, 'HeapProfiler.collectGarbage')
  return (await ask(sessionId, 'Runtime.getHeapUsage')).usedSize ?? Number.NaN
}

function ask(sessionId: string, method: string): Promise<{ readonly usedSize?: number }> {
  lastId += 1
  const message = JSON.stringify({ id: lastId, method })
  return new Promise((resolve, reject) => {
    answers.set(`${sessionId} ${lastId}`, resolve)
    // A thread may end before it answers.
    setTimeout(() => resolve({}), 5000).unref()
    session.post('NodeWorker.sendMessageToWorker', { message, sessionId }).catch(reject)
  })
}
