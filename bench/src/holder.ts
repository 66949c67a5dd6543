import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { endProgram, startProgram } from './processes.ts'
import { upgradeRequest } from './rows/websockets.ts'

/** Seconds in which all have to be open. */
const openingMs = 60_000

/** A process that holds WebSockets open without a word. */
export class Holder {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Resolves once all are open. */
  static async open(port: number, count: number): Promise<Holder> {
    const program = fileURLToPath(new URL('programs/holder.ts', import.meta.url))
    const args = [program, String(port), String(count)]
    const child = startProgram(process.execPath, args, { place: 'client', hasChannel: true })
    const holder = new Holder(child)
    child.send(upgradeRequest)
    try {
      const signal = AbortSignal.timeout(openingMs)
      const [answer] = (await once(child, 'message', { signal })) as [{ readonly error?: string }]
      if (answer.error !== undefined) throw new Error(answer.error)
      return holder
    } catch (error) {
      await holder.close()
      throw error
    }
  }

  /** From now on nobody answers, and nobody says goodbye. */
  vanish(): void {
    this.#child.kill('SIGSTOP')
  }

  async close(): Promise<void> {
    this.#child.kill('SIGCONT')
    await endProgram(this.#child)
  }
}
