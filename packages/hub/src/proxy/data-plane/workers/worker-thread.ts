import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { RouteChange } from '../../routing-table.ts'
import type { Listen } from '../listen.ts'
import { EdgeCounts } from '../metrics/counts.ts'
import type { FrontSettings } from '../front.ts'
import type { Drain } from '../public-server.ts'
import type { FromWorker, ToWorker, WorkerData } from './messages.ts'

export interface WorkerEvents {
  readonly onActivity: (touched: readonly (readonly [path: string, ms: number])[]) => void
  readonly onLog: (message: Extract<FromWorker, { kind: 'log' }>) => void
  /** It ended; the error is what it did not catch. */
  readonly onExit: (error: Error | undefined) => void
}

interface Waiter {
  isOver(message: FromWorker | undefined): boolean
}

/** So many are applied in one turn of a worker. */
const maxChanges = 5000
/** For its code and certificates to be read, on a machine that is busy with other things too. */
const readyTimeoutMs = 30_000
/** For the drain's end to be told. */
const closeTimeoutMs = 1000

/** The main thread's side of one worker. */
export class WorkerThread {
  readonly counts = new EdgeCounts()
  readonly #thread: Worker
  readonly #waiters = new Set<Waiter>()
  #lastSeq = 0
  #appliedSeq = 0
  #lastAsk = 0
  #isGone = false
  /** Counted up by the thread's event loop. */
  readonly #beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  #lastBeat = 0
  #missedLooks = 0

  /** @param heapMb - of its JavaScript objects; more ends it. */
  constructor(settings: FrontSettings, events: WorkerEvents, heapMb?: number) {
    const data: WorkerData = { settings, counts: this.counts.memory, beats: this.#beats }
    this.#thread = new Worker(new URL('./worker-main.ts', import.meta.url), {
      workerData: data,
      name: 'edge worker',
      execArgv: ['--disable-warning=ExperimentalWarning'],
      ...(heapMb !== undefined && { resourceLimits: { maxOldGenerationSizeMb: heapMb } }),
    })
    let uncaught: Error | undefined
    this.#thread.on('error', (error) => (uncaught = error as Error))
    this.#thread.on('message', (message: FromWorker) => {
      if (message.kind === 'activity') events.onActivity(message.touched)
      if (message.kind === 'log') events.onLog(message)
      if (message.kind === 'applied') this.#appliedSeq = message.seq
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

  send(changes: readonly RouteChange[]): void {
    for (let at = 0; at < changes.length; at += maxChanges) {
      this.#lastSeq += 1
      const part = changes.slice(at, at + maxChanges)
      this.#post({ kind: 'changes', seq: this.#lastSeq, changes: part })
    }
  }

  /**
   * Resolves once all that was sent is applied, with true, or with false when nothing was for
   * `silenceMs`. One that ended has nothing to apply.
   */
  async applied(silenceMs: number): Promise<boolean> {
    const wanted = this.#lastSeq
    if (this.#appliedSeq >= wanted) return true
    return this.#until(() => this.#appliedSeq >= wanted, silenceMs)
  }

  /** Asks for activity; resolves when it came, or after `waitMs`. */
  async freshen(waitMs: number): Promise<void> {
    this.#lastAsk += 1
    const id = this.#lastAsk
    this.#post({ kind: 'ask', id })
    await this.#until((message) => message?.kind === 'activity' && message.id === id, waitMs)
  }

  reloadCertificates(): void {
    this.#post({ kind: 'reloadCertificates' })
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
    const exited = once(this.#thread, 'exit')
    void this.#thread.terminate()
    await exited
  }

  #post(message: ToWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    this.#thread.postMessage(message)
  }

  #wake(message: FromWorker | undefined): void {
    for (const waiter of this.#waiters) if (waiter.isOver(message)) this.#waiters.delete(waiter)
  }

  /** Every message of progress starts the wait anew; the end of the thread counts as fulfilled. */
  #until(
    isFulfilled: (message: FromWorker | undefined) => boolean,
    silenceMs: number,
  ): Promise<boolean> {
    if (this.#isGone) return Promise.resolve(true)
    return new Promise((resolve) => {
      const waiter: Waiter = {
        isOver: (message) => {
          const isOver = message === undefined || isFulfilled(message)
          if (isOver) {
            clearTimeout(timer)
            resolve(true)
          } else if (message.kind === 'applied') timer.refresh()
          return isOver
        },
      }
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter)
        resolve(false)
      }, silenceMs)
      this.#waiters.add(waiter)
    })
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
