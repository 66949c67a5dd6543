import { createServer, type Server as HttpServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Spawner, SpawnRequest, Started } from '../../src/plugin-api/spawner.ts'
import type { JsonObject } from '../../src/util/json.ts'

/** How the next calls behave. */
export interface Behaviour {
  /** Rejects with this. */
  startError?: Error
  /** Never resolves and ignores its signal, as a bad plugin does. */
  startHangs?: boolean
  /** The server runs but never answers HTTP. */
  silent?: boolean
  /** Answers carry this as `X-JupyterHub-Version`. */
  version?: string
  startDelayMs?: number
  /** Starts wait for it. */
  startsOn?: Promise<unknown>
  pollError?: Error
  stopError?: Error | undefined
  /** Says that it stopped the server, and did not. */
  stopLies?: boolean
  messages?: readonly string[]
}

/**
 * A spawner whose "machines" are HTTP servers in this process. They outlive any hub that a test
 * makes and drops, as real servers do.
 */
export class FakeMachines {
  readonly behaviour: Behaviour = {}
  readonly running = new Map<string, HttpServer>()
  readonly starts: SpawnRequest[] = []
  /** Starts of one run beyond its first: there must never be any. */
  doubled = 0

  spawner(): Spawner {
    return {
      prepare: (request) => Promise.resolve({ runId: request.runId }),
      start: (request, state) => this.#start(request, state),
      poll: (state) => {
        const { pollError } = this.behaviour
        if (pollError !== undefined) return Promise.reject(pollError)
        return Promise.resolve(this.running.has(runIdOf(state)) ? null : 3)
      },
      stop: async (state) => {
        const { stopError, stopLies } = this.behaviour
        if (stopError !== undefined) throw stopError
        if (stopLies !== true) this.kill(runIdOf(state))
        await delay(1)
      },
      logTail: () => Promise.resolve('last line of the log'),
    }
  }

  /** Ends a "machine" as a crash would. */
  kill(runId: string): void {
    const server = this.running.get(runId)
    server?.closeAllConnections()
    server?.close()
    this.running.delete(runId)
  }

  killAll(): void {
    for (const runId of this.running.keys()) this.kill(runId)
  }

  async #start(request: SpawnRequest, state: JsonObject): Promise<Started<JsonObject>> {
    this.starts.push(request)
    const { startError, startHangs, startDelayMs, startsOn, silent, messages, version } =
      this.behaviour
    for (const message of messages ?? []) request.report({ message })
    if (startHangs === true) await new Promise(() => undefined)
    if (startDelayMs !== undefined) await delay(startDelayMs)
    await startsOn
    if (startError !== undefined) throw startError
    const existing = this.running.get(request.runId)
    const server =
      existing ??
      createServer((_incoming, answer) => {
        if (version !== undefined) answer.setHeader('X-JupyterHub-Version', version)
        if (silent !== true) answer.end('ok')
      })
    if (existing === undefined) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      if (this.running.has(request.runId)) this.doubled++
      this.running.set(request.runId, server)
    }
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    return { target: new URL(`http://127.0.0.1:${port}`), state: { ...state, port } }
  }
}

function runIdOf(state: JsonObject): string {
  const { runId } = state
  if (typeof runId !== 'string') throw new TypeError('not a state of this spawner')
  return runId
}
