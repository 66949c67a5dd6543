import { flushCompileCache } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '../../../domain/errors.ts'
import { RouteMemory } from '../../route-memory/route-memory.ts'
import { RouteReader } from '../../route-memory/route-reader.ts'
import { openFront, type ThreadFront } from '../front.ts'
import type { EdgeLog } from '../context.ts'
import { openStorage } from '../storage/open-storage.ts'
import { EdgeCounts } from '../metrics/counts.ts'
import type { Drain } from '../public-server.ts'
import type { FromWorker, ToWorker, WorkerData } from './messages.ts'

/**
 * A thread with a listener of its own and a view of the routing table. It says `ready`, listens when
 * told to, and ends by itself for an uncaught error only.
 */

const beatMs = 250

const port = parentPort
if (port === null) throw new TypeError('this is the code of a thread')
const say = (message: FromWorker): void => port.postMessage(message)

const { settings, counts, beats, table } = workerData as WorkerData
let front: ThreadFront | undefined
port.on('message', receive)
try {
  const log: EdgeLog = (level, message) => say({ kind: 'log', level, message })
  const reader = new RouteReader(RouteMemory.attach(table))
  const parts = { table: reader, counts: new EdgeCounts(counts), log }
  front = await openFront(settings, { ...parts, ...(await openStorage(settings, parts)) })
  say({ kind: 'ready' })
} catch (error) {
  fail(error)
}
setInterval(() => Atomics.add(beats, 0, 1), beatMs).unref()

function receive(message: ToWorker): void {
  switch (message.kind) {
    case 'listen':
      front?.listen(message.at).then((at) => {
        say({ kind: 'listening', port: at })
        // Node does so at the end of a process, which a thread that is ended does not reach.
        setImmediate(flushCompileCache)
      }, fail)
      break
    case 'measure':
      front?.measure()
      say({ kind: 'measured' })
      break
    case 'reloadCertificates':
      front?.reloadCertificates()
      break
    case 'useTicketKeys':
      front?.useTicketKeys(message.keys)
      break
    case 'drain':
      void drain(message.drain)
      break
  }
}

/** One that is still starting has nothing to end. */
async function drain(limits: Drain): Promise<void> {
  try {
    await front?.close(limits)
    say({ kind: 'closed' })
  } catch (error) {
    fail(error)
  }
}

function fail(error: unknown): void {
  const { code, port: at } = error as NodeJS.ErrnoException & { port?: number }
  say({
    kind: 'failed',
    message: messageOf(error),
    ...(code !== undefined && { code }),
    ...(at !== undefined && { port: at }),
  })
}
