import { once } from 'node:events'
import { Session } from 'node:inspector/promises'
import { connect, type Socket } from 'node:net'
import type { Worker } from 'node:worker_threads'
import { expect, vi } from 'vitest'
import { cleanups, edge, patience as basePatience } from '../edge-test-kit.ts'
import type { Edge, EdgeOptions } from '../edge.ts'

// Threads take a while to start on a busy machine.
export const patience = { timeout: basePatience.timeout * 2 }

/** An edge with two workers, and its threads as Node announces them. */
export async function edgeOfTwo(
  options: Partial<EdgeOptions> = {},
): Promise<{ e: Edge; threads: Worker[] }> {
  const threads: Worker[] = []
  const onWorker = (thread: Worker): void => void threads.push(thread)
  process.on('worker', onWorker)
  cleanups.push(() => process.off('worker', onWorker))
  const e = await edge({ workers: 2, ...options })
  await e.complete()
  expect(threads).toHaveLength(2)
  return { e, threads }
}

/** Connections that are spread over the workers by the kernel. */
export async function connections(e: Edge, count: number): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(e.port, '127.0.0.1').on('error', () => undefined)
      cleanups.push(() => socket.destroy())
      await once(socket, 'connect')
      return socket
    }),
  )
}

/** 0 when the connection is closed instead of an answer. */
export async function statusOn(socket: Socket, path: string): Promise<number> {
  if (socket.destroyed) return 0
  return new Promise((resolve) => {
    const onClose = (): void => resolve(0)
    socket.once('close', onClose).once('data', (bytes: Buffer) => {
      socket.off('close', onClose)
      resolve(Number(bytes.toString('latin1').slice(9, 12)))
    })
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  })
}

export const statuses = (sockets: readonly Socket[], path: string): Promise<number[]> =>
  Promise.all(sockets.map((socket) => statusOn(socket, path)))

let debugging: Promise<Session> | undefined
/** Of the debugger's sessions with threads, by thread. */
const sessionIds = new Map<string, string>()

/** One for all tests of a process: a second one is told of no thread. */
async function startDebugging(): Promise<Session> {
  const session = new Session()
  session.connect()
  session.on('NodeWorker.attachedToWorker', ({ params }) => {
    sessionIds.set(params.workerInfo.workerId, params.sessionId)
  })
  await session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
  return session
}

/** Runs code in a worker by its debugger, as no message of ours could. */
export async function runIn(thread: Worker, code: string): Promise<void> {
  const session = await (debugging ??= startDebugging())
  const name = String(thread.threadId)
  await vi.waitUntil(() => sessionIds.has(name), patience)
  const message = JSON.stringify({
    id: 1,
    method: 'Runtime.evaluate',
    params: { expression: code },
  })
  const sessionId = sessionIds.get(name) ?? ''
  await session.post('NodeWorker.sendMessageToWorker', { message, sessionId })
}
