import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Listen } from '../listen.ts'
import { EdgeCounts } from '../metrics/counts.ts'
import type { Drain } from '../public-server.ts'
import type { FromWorker, ToWorker, WorkerData } from './messages.ts'

export interface WorkerEvents {
  readonly onLog: (message: Extract<FromWorker, { kind: 'log' }>) => void
  /** It ended; the error is what it did not catch. */
  readonly onExit: (error: Error | undefined) => void
}

interface Waiter {
  isOver(message: FromWorker | undefined): boolean
}

/** For its code and certificates to be read, on a machine that is busy with other things too. */
const readyTimeoutMs = 30_000
/** For the drain's end to be told. */
const closeTimeoutMs = 1000

/** The main thread's side of one worker. */
export class WorkerThread {
  readonly counts = new EdgeCounts()
  readonly #thread: Worker
  readonly #waiters = new Set<Waiter>()
  #isGone = false
  #ending: Promise<unknown> | undefined
  /** Counted up by the thread's event loop. */
  readonly #beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  #lastBeat = 0
  #missedLooks = 0

  /** @param heapMb - of its JavaScript objects; more ends it. */
  constructor(
    parts: Pick<WorkerData, 'settings' | 'table'>,
    events: WorkerEvents,
    heapMb?: number,
  ) {
    const data: WorkerData = { ...parts, counts: this.counts.memory, beats: this.#beats }
    this.#thread = new Worker(new URL('./worker-main.ts', import.meta.url), {
      workerData: data,
      name: 'edge worker',
      execArgv: ['--disable-warning=ExperimentalWarning'],
      ...(heapMb !== undefined && { resourceLimits: { maxOldGenerationSizeMb: heapMb } }),
    })
    let uncaught: Error | undefined
    this.#thread.on('error', (error) => (uncaught = error as Error))
    this.#thread.on('message', (message: FromWorker) => {
      if (message.kind === 'log') events.onLog(message)
      this.#wake(message)
    })
    this.#thread.on('exit', () => {
      this.#isGone = true
      this.#wake(undefined)
      events.onExit(uncaught)
    })
  }

  /** Rejects when it cannot serve, or is not ready in time. */
  async ready(): Promise<void> {
    const timer = setTimeout(() => void this.#thread.terminate(), readyTimeoutMs)
    await this.#expect('ready').finally(() => clearTimeout(timer))
  }

  /** @returns how often in a row its event loop had done nothing since the look before */
  missedLooks(): number {
    if (this.#ending !== undefined) return 0
    const beat = Atomics.load(this.#beats, 0)
    this.#missedLooks = beat === this.#lastBeat ? this.#missedLooks + 1 : 0
    this.#lastBeat = beat
    return this.#missedLooks
  }

  /** @returns the port */
  async listen(at: Listen): Promise<number> {
    const listening = this.#expect('listening')
    this.#post({ kind: 'listen', at })
    return (await listening).port
  }

  /** Resolves once its counts tell how much is open now, or after `waitMs`. */
  async measure(waitMs: number): Promise<void> {
    const waited = new AbortController()
    const told = this.#expect('measured').catch(() => undefined)
    this.#post({ kind: 'measure' })
    await Promise.race([
      told,
      sleep(waitMs, undefined, { signal: waited.signal }).catch(() => undefined),
    ])
    waited.abort()
  }

  reloadCertificates(): void {
    this.#post({ kind: 'reloadCertificates' })
  }

  useTicketKeys(keys: Uint8Array): void {
    this.#post({ kind: 'useTicketKeys', keys })
  }

  /** Ends it once what is open has ended, or the drain's time has. */
  async close(drain: Drain): Promise<void> {
    const limitMs = Math.max(drain.requestsMs, drain.webSocketsMs) + closeTimeoutMs
    this.#post({ kind: 'drain', drain })
    const closed = new AbortController()
    const ended = this.#expect('closed').catch(() => undefined)
    await Promise.race([
      ended,
      sleep(limitMs, undefined, { signal: closed.signal }).catch(() => undefined),
    ])
    closed.abort()
    await this.terminate()
  }

  async terminate(): Promise<void> {
    if (this.#isGone) return
    // Not `once(thread, 'exit')`: an error that comes first would reject it.
    this.#ending ??= this.#thread.terminate()
    await this.#ending
  }

  #post(message: ToWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    this.#thread.postMessage(message)
  }

  #wake(message: FromWorker | undefined): void {
    for (const waiter of this.#waiters) if (waiter.isOver(message)) this.#waiters.delete(waiter)
  }

  #expect<K extends FromWorker['kind']>(kind: K): Promise<Extract<FromWorker, { kind: K }>> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        isOver: (message) => {
          if (message === undefined) reject(new Error('the worker has ended'))
          else if (message.kind === 'failed') {
            const { code, port } = message
            reject(Object.assign(new Error(message.message), { code, port }))
          } else if (message.kind === kind) {
            resolve(message as Extract<FromWorker, { kind: K }>) // its kind says so
          } else return false
          return true
        },
      }
      if (this.#isGone) waiter.isOver(undefined)
      else this.#waiters.add(waiter)
    })
  }
}
