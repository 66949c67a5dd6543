import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../../packages/hub/test/support/ports.ts'
import { endProgram, memoryOf, openFilesOf, startProgram } from '../processes.ts'
import { changeRoute, token } from '../route-api.ts'

/** Garbage collected. The first worker is the eldest. */
export interface HeapReport {
  readonly mainHeapBytes: number
  readonly workerHeapBytes: readonly number[]
  readonly externalBytes: number
}

export interface EdgeState {
  readonly openFiles: number
  readonly memoryBytes: number
  readonly heap: HeapReport
}

/** Clients that vanish are found within twice that. */
export const pingIntervalMs = 1000
const workers = 2
const answerMs = 30_000
const flags = [
  ['--ip', '127.0.0.1', '--api-ip', '127.0.0.1', '--log-level', 'error'],
  ['--workers', String(workers), '--keep-alive-timeout', '1000'],
  ['--websocket-ping-interval', String(pingIntervalMs)],
].flat()

export const mb = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)

/** An edge in a process of its own that can be looked into. */
export class WatchedEdge {
  readonly name: string
  readonly port: number
  readonly apiPort: number
  readonly isTls: boolean
  readonly #child: ChildProcess

  private constructor(
    child: ChildProcess,
    at: { readonly port: number; readonly apiPort: number; readonly isTls: boolean },
  ) {
    this.#child = child
    this.name = at.isTls ? 'TLS' : 'plain'
    this.port = at.port
    this.apiPort = at.apiPort
    this.isTls = at.isTls
  }

  /** @param tlsFlags - certificate and key; without any it is a plain one */
  static async start(tlsFlags: readonly string[]): Promise<WatchedEdge> {
    const main = fileURLToPath(new URL('../../../packages/hub/src/main.ts', import.meta.url))
    const watch = new URL('../programs/edge-watch.ts', import.meta.url).href
    const at = { port: await freePort(), apiPort: await freePort(), isTls: tlsFlags.length > 0 }
    const ports = ['--port', String(at.port), '--api-port', String(at.apiPort)]
    const child = startProgram(
      process.execPath,
      [`--import=${watch}`, main, 'edge', ...ports, ...flags, ...tlsFlags],
      { place: 'anywhere', env: { CONFIGPROXY_AUTH_TOKEN: token }, hasChannel: true },
    )
    const edge = new WatchedEdge(child, at)
    await edge.#untilServing()
    return edge
  }

  addRoute(path: string, target: string): Promise<void> {
    return changeRoute(this, path, {
      method: 'POST',
      body: JSON.stringify({ target }),
      wanted: 201,
      isAlone: true,
    })
  }

  deleteRoute(path: string): Promise<void> {
    return changeRoute(this, path, { method: 'DELETE', body: '', wanted: 204, isAlone: true })
  }

  /** When each route was last used, in milliseconds. */
  async lastActivity(path: string): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.apiPort}/api/routes${path}`, {
      headers: { Authorization: `token ${token}`, Connection: 'close' },
    })
    const { last_activity: at } = (await answer.json()) as { last_activity: string }
    return Date.parse(at)
  }

  /** Ends a worker; resolves once there are as many as before. */
  async killWorker(): Promise<void> {
    this.#child.send('kill')
    const giveUpAt = performance.now() + answerMs
    do {
      await delay(1000)
    } while (!(await this.#hasAllWorkers()) && performance.now() < giveUpAt)
  }

  openFiles(): number {
    return openFilesOf(this.#child.pid ?? 0)
  }

  async state(): Promise<EdgeState> {
    const heap = await this.#heap()
    return { openFiles: this.openFiles(), memoryBytes: memoryOf(this.#child.pid ?? 0), heap }
  }

  stop(): Promise<void> {
    return endProgram(this.#child)
  }

  async #heap(): Promise<HeapReport> {
    const answer = once(this.#child, 'message', { signal: AbortSignal.timeout(answerMs) })
    this.#child.send('heap')
    const [heap] = (await answer) as [HeapReport]
    return heap
  }

  async #hasAllWorkers(): Promise<boolean> {
    const { workerHeapBytes } = await this.#heap()
    return workerHeapBytes.length === workers && workerHeapBytes.every((bytes) => bytes > 0)
  }

  async #untilServing(): Promise<void> {
    const giveUpAt = performance.now() + answerMs
    const isAnswered = (): Promise<boolean> =>
      fetch(`http://127.0.0.1:${this.apiPort}/api/routes`).then(
        async (answer) => (await answer.arrayBuffer(), true),
        () => false,
      )
    while (!(await isAnswered()) || !(await this.#hasAllWorkers())) {
      if (this.#child.exitCode !== null) throw new Error('the edge ended at its start')
      if (performance.now() > giveUpAt) throw new Error('the edge did not start within its time')
      await delay(100)
    }
  }
}
