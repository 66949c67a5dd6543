import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { Worker } from 'node:worker_threads'
import type { LoadPlan, LoadResult } from '../load-plan.ts'

// The client of the bench: a process of its own that gets plans over its channel and sends results.
// It makes next to no garbage while it measures, so that pauses are those of the server.

const shared = Buffer.allocUnsafe(256 * 1024)
const endOfHead = Buffer.from('\r\n\r\n')
const tickMs = 0.25
/** Without an answer for so long a request has failed. */
const giveUpMs = 3000
const opensAtOnce = 100
/** At a constant rate, what is asked before does not count. */
const warmUpMs = 250
/** Of two readings of one clock. */
const clockErrorMs = 0.02

interface Events {
  /** It can take the next request. */
  readonly onFree: (connection: Connection) => void
  readonly onAnswer: (dueMs: number, isGood: boolean) => void
}

/** A connection with one request at a time. */
class Connection {
  readonly #plan: LoadPlan
  readonly #events: Events
  readonly #socket: Socket
  #opened: ((error?: Error) => void) | undefined
  #isBusy = false
  #isGone = false
  #dueMs = 0
  /** Bytes of the answer that are to come; -1 while its head has not. */
  #left = -1
  #isGood = false
  #head = ''

  constructor(plan: LoadPlan, events: Events) {
    this.#plan = plan
    this.#events = events
    this.#socket = connect({
      port: plan.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: shared,
        callback: (count, bytes) => {
          this.#read(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes), count)
          return true
        },
      },
    })
    this.#socket.on('error', () => undefined).on('close', () => this.#end())
  }

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#opened = (error) => (error === undefined ? resolve() : reject(error))
      this.#socket.once('connect', () => {
        if (this.#plan.upgrade === undefined) this.#opened?.()
        else this.#socket.write(this.#plan.upgrade, 'latin1')
      })
    })
  }

  /** @returns false when it is gone */
  ask(request: Buffer, dueMs: number): boolean {
    if (this.#isGone) return false
    this.#isBusy = true
    this.#dueMs = dueMs
    this.#left = this.#plan.upgrade === undefined ? -1 : this.#plan.answerBytes
    this.#isGood = this.#plan.upgrade !== undefined
    this.#socket.write(request)
    return true
  }

  close(): void {
    this.#isBusy = false
    this.#socket.destroy()
  }

  #read(bytes: Buffer, count: number): void {
    if (!this.#isBusy) {
      if (this.#plan.upgrade !== undefined) this.#readUpgrade(bytes.toString('latin1', 0, count))
      return
    }
    if (this.#left !== -1) this.#left -= count
    else if (this.#head === '' && this.#readHead(bytes, count)) {
      // The usual case: the whole head in one read.
    } else {
      this.#head += bytes.toString('latin1', 0, count)
      const all = Buffer.from(this.#head, 'latin1')
      if (!this.#readHead(all, all.length)) return
      this.#head = ''
    }
    if (this.#left > 0) return
    if (this.#left < 0) this.#isGood = false
    this.#isBusy = false
    this.#events.onAnswer(this.#dueMs, this.#isGood)
    this.#events.onFree(this)
  }

  #readHead(bytes: Buffer, count: number): boolean {
    const end = bytes.indexOf(endOfHead)
    if (end === -1 || end + 4 > count) return false
    // " 200"
    this.#isGood = bytes[9] === 0x32 && bytes[10] === 0x30 && bytes[11] === 0x30
    this.#left = this.#plan.answerBytes - (count - end - 4)
    return true
  }

  #readUpgrade(text: string): void {
    this.#head += text
    if (!this.#head.includes('\r\n\r\n')) return
    if (this.#head.startsWith('HTTP/1.1 101 ')) this.#opened?.()
    else this.#opened?.(new Error(`an upgrade was answered by ${this.#head.slice(0, 40)}`))
    this.#head = ''
  }

  #end(): void {
    this.#isGone = true
    this.#opened?.(new Error('a connection was closed before it was used'))
    if (this.#isBusy) this.#events.onAnswer(this.#dueMs, false)
    this.#isBusy = false
  }
}

/** Times and counts of answers, in memory that is there from the start. */
class Tally {
  readonly #latenciesMs: Float64Array
  completed = 0
  failed = 0

  constructor(capacity: number) {
    this.#latenciesMs = new Float64Array(capacity)
  }

  add(latencyMs: number, isGood: boolean): void {
    if (!isGood) this.failed += 1
    else if (this.completed < this.#latenciesMs.length)
      this.#latenciesMs[this.completed++] = latencyMs
  }

  result(seconds: number): LoadResult {
    const sorted = this.#latenciesMs.subarray(0, this.completed).toSorted()
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
    const { completed, failed } = this
    return {
      completed,
      failed,
      seconds,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      p999Ms: at(0.999),
      maxMs: at(1),
    }
  }
}

async function run(plan: LoadPlan): Promise<LoadResult> {
  const request = Buffer.alloc(plan.request.length + (plan.fillBytes ?? 0), 'x')
  request.write(plan.request, 'latin1')
  globalThis.gc?.()
  return plan.ratePerSecond === undefined ? closedLoop(plan, request) : openLoop(plan, request)
}

async function closedLoop(plan: LoadPlan, request: Buffer): Promise<LoadResult> {
  const tally = new Tally(2_000_000)
  let running = plan.connections
  let isOver = (): void => undefined
  const over = new Promise<void>((resolve) => (isOver = resolve))
  let endsAt = 0
  const askAgain = (connection: Connection): void => {
    const now = performance.now()
    if (now < endsAt && connection.ask(request, now)) return
    running -= 1
    if (running === 0) isOver()
  }
  const connections = await openAll(plan, {
    onAnswer: (dueMs, isGood) => tally.add(performance.now() - dueMs, isGood),
    onFree: askAgain,
  })
  const beganAt = performance.now()
  endsAt = beganAt + plan.durationMs
  for (const connection of connections) askAgain(connection)
  const tooLate = setTimeout(isOver, plan.durationMs + giveUpMs)
  await over
  clearTimeout(tooLate)
  for (const connection of connections) connection.close()
  return tally.result((performance.now() - beganAt) / 1000)
}

async function openLoop(plan: LoadPlan, request: Buffer): Promise<LoadResult> {
  const spacingMs = 1000 / (plan.ratePerSecond ?? 1)
  const total = Math.floor((plan.durationMs + warmUpMs) / spacingMs)
  const tally = new Tally(total)
  const free: Connection[] = []
  let sent = 0
  let answered = 0
  let beganAt = Number.POSITIVE_INFINITY
  let isOver = (): void => undefined
  const over = new Promise<void>((resolve) => (isOver = resolve))
  /** Sends what is due; what finds no free connection goes later and counts from when it was due. */
  const sendDue = (): void => {
    const due = Math.min(
      total,
      Math.floor((performance.now() - beganAt + clockErrorMs) / spacingMs) + 1,
    )
    while (sent < due) {
      const connection = free.pop()
      if (connection === undefined) return
      if (connection.ask(request, beganAt + sent * spacingMs)) sent += 1
    }
  }
  const connections = await openAll(plan, {
    onAnswer: (dueMs, isGood) => {
      if (dueMs - beganAt >= warmUpMs) tally.add(performance.now() - dueMs, isGood)
      answered += 1
      if (answered === total) isOver()
    },
    onFree: (connection) => {
      free.push(connection)
      sendDue()
    },
  })
  free.push(...connections)
  const ticker = new Worker(new URL('ticker.ts', import.meta.url), {
    workerData: {
      durationMs: plan.durationMs + warmUpMs + giveUpMs,
      intervalMs: Math.max(tickMs, spacingMs),
    },
  })
  const [beginsAt] = (await once(ticker, 'message')) as [number]
  beganAt = performance.now() + beginsAt - Number(process.hrtime.bigint()) / 1e6
  ticker.on('message', sendDue)
  const tooLate = setTimeout(isOver, plan.durationMs + warmUpMs + giveUpMs)
  await over
  clearTimeout(tooLate)
  const seconds = (performance.now() - beganAt - warmUpMs) / 1000
  await ticker.terminate()
  for (const connection of connections) connection.close()
  tally.failed += total - answered
  return tally.result(seconds)
}

async function openAll(plan: LoadPlan, events: Events): Promise<Connection[]> {
  const all = Array.from({ length: plan.connections }, () => new Connection(plan, events))
  for (let at = 0; at < all.length; at += opensAtOnce) {
    await Promise.all(all.slice(at, at + opensAtOnce).map((connection) => connection.open()))
  }
  return all
}

process.on('message', (plan: LoadPlan) => {
  run(plan).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
