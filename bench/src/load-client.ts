import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { LoadPlan, LoadResult } from './load-plan.ts'
import { endProgram, startProgram } from './processes.ts'

const graceMs = 40_000

/** The process that asks: it stays, so that its code is compiled when it matters. */
export class LoadClient {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static start(): LoadClient {
    const program = fileURLToPath(new URL('programs/load-client.ts', import.meta.url))
    const args = ['--expose-gc', '--max-semi-space-size=64', program]
    return new LoadClient(
      startProgram(process.execPath, args, { place: 'client', hasChannel: true }),
    )
  }

  async run(plan: LoadPlan): Promise<LoadResult> {
    const done = new AbortController()
    const signal = AbortSignal.any([done.signal, AbortSignal.timeout(plan.durationMs + graceMs)])
    const answered = once(this.#child, 'message', { signal })
    const ended = once(this.#child, 'exit', { signal }).then(() => {
      throw new Error('the load client has ended')
    })
    this.#child.send(plan)
    const [answer] = (await Promise.race([answered, ended])) as [
      { readonly result?: LoadResult; readonly error?: string },
    ]
    ended.catch(() => undefined)
    done.abort()
    if (answer.result === undefined) throw new Error(answer.error)
    return answer.result
  }

  stop(): Promise<void> {
    return endProgram(this.#child)
  }
}
