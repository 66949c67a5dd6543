import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export interface Target {
  readonly host: string
  readonly port: number
  /** The whole request, as it goes over the wire; answers are framed by `Content-Length`. */
  readonly request: string
}

export interface LoadResult {
  readonly completed: number
  readonly failed: number
  /** Milliseconds from when a request was due to its answer, sorted. */
  readonly latenciesMs: readonly number[]
}

/** One keep-alive connection that asks one request at a time. */
class Connection {
  readonly #socket: Socket
  readonly #target: Target
  #received = ''
  #waiting: ((status: number) => void) | undefined

  private constructor(socket: Socket, target: Target) {
    this.#socket = socket
    this.#target = target
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#read(text))
    socket.on('error', () => this.#finish(0))
    socket.on('close', () => this.#finish(0))
  }

  static open(target: Target): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(target.port, target.host)
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new Connection(socket, target))
      })
    })
  }

  /** @returns the status; 0 when the connection broke */
  ask(): Promise<number> {
    return new Promise((resolve) => {
      this.#waiting = resolve
      this.#socket.write(this.#target.request, 'latin1')
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #read(text: string): void {
    this.#received += text
    const end = this.#received.indexOf('\r\n\r\n')
    if (end === -1) return
    const head = this.#received.slice(0, end)
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
    if (this.#received.length < end + 4 + length) return
    this.#received = this.#received.slice(end + 4 + length)
    this.#finish(Number(head.slice(9, 12)))
  }

  #finish(status: number): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.(status)
  }
}

/** As many requests as `connections` can get through in `durationMs`, one after the other each. */
export async function closedLoop(
  target: Target,
  options: { connections: number; durationMs: number },
): Promise<LoadResult> {
  const end = performance.now() + options.durationMs
  const latenciesMs: number[] = []
  let failed = 0
  await Promise.all(
    Array.from({ length: options.connections }, async () => {
      const connection = await Connection.open(target)
      while (performance.now() < end) {
        const began = performance.now()
        const status = await connection.ask()
        if (status === 200) latenciesMs.push(performance.now() - began)
        else failed++
        if (status === 0) break
      }
      connection.close()
    }),
  )
  return { completed: latenciesMs.length, failed, latenciesMs: sorted(latenciesMs) }
}

/**
 * Requests at a constant rate, whatever the server does: an answer's latency counts from when its
 * request was due, so a server that stalls cannot hide it.
 */
export async function openLoop(
  target: Target,
  options: { ratePerSecond: number; durationMs: number; connections: number },
): Promise<LoadResult> {
  const { ratePerSecond, durationMs } = options
  const idle = await Promise.all(
    Array.from({ length: options.connections }, () => Connection.open(target)),
  )
  const all = [...idle]
  const latenciesMs: number[] = []
  let failed = 0
  let due: number[] = []
  let pending = 0
  const began = performance.now()
  const total = Math.floor((ratePerSecond * durationMs) / 1000)

  const serve = (connection: Connection) => {
    const at = due.shift()
    if (at === undefined) {
      idle.push(connection)
      return
    }
    pending++
    void connection.ask().then((status) => {
      pending--
      if (status === 200) latenciesMs.push(performance.now() - at)
      else failed++
      if (status !== 0) serve(connection)
    })
  }
  for (let sent = 0; sent < total; ) {
    const now = performance.now()
    const wanted = Math.min(total, Math.floor(((now - began) * ratePerSecond) / 1000))
    for (; sent < wanted; sent++) due.push(began + (sent * 1000) / ratePerSecond)
    while (due.length > 0 && idle.length > 0) {
      const connection = idle.pop()
      if (connection !== undefined) serve(connection)
    }
    await delay(1)
  }
  const giveUpAt = performance.now() + 5_000
  while ((pending > 0 || due.length > 0) && performance.now() < giveUpAt) await delay(5)
  failed += pending + due.length
  due = []
  for (const connection of all) connection.close()
  return { completed: latenciesMs.length, failed, latenciesMs: sorted(latenciesMs) }
}

export function percentile(sortedValues: readonly number[], fraction: number): number {
  const index = Math.min(sortedValues.length - 1, Math.floor(sortedValues.length * fraction))
  return sortedValues[index] ?? Number.NaN
}

function sorted(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b)
}
