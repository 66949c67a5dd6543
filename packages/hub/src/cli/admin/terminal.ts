import { createInterface } from 'node:readline/promises'
import { styleText } from 'node:util'
import { CommandFailed } from '../command-failed.ts'

/** Where a command reads and writes. */
export interface Streams {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly env: NodeJS.ProcessEnv
}

/** Results go to stdout, everything else that people read to stderr. */
export class Terminal {
  readonly #streams: Streams
  readonly #isQuiet: boolean
  #isLineOpen = false

  /** `quiet` leaves out news of what is under way. */
  constructor(streams: Streams, options: { readonly quiet: boolean }) {
    this.#streams = streams
    this.#isQuiet = options.quiet
  }

  print(text: string): void {
    this.#closeLine()
    this.#streams.stdout.write(`${text}\n`)
  }

  tell(text: string): void {
    this.#closeLine()
    this.#streams.stderr.write(`${text}\n`)
  }

  /** News of something under way: on a terminal each takes the place of the one before. */
  update(text: string): void {
    const { stderr } = this.#streams
    if (this.#isQuiet) return
    if (!stderr.isTTY) return this.tell(text)
    stderr.write(`\r\u001b[2K${text.slice(0, Math.max(1, stderr.columns - 1))}`)
    this.#isLineOpen = true
  }

  /** For headings of tables; plain where nobody looks, and with `NO_COLOR`. */
  heading(text: string): string {
    const { stdout, env } = this.#streams
    const isPlain = !stdout.isTTY || (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb'
    return isPlain ? text : styleText('bold', text, { validateStream: false })
  }

  /**
   * Asks whether to go on. Without a person to ask, that was decided by whoever wrote the script.
   * @throws CommandFailed on a no
   */
  async confirm(question: string, options: { readonly yes: boolean }): Promise<void> {
    const { stdin, stderr } = this.#streams
    if (options.yes || !stdin.isTTY || !stderr.isTTY) return
    const reader = createInterface({ input: stdin, output: stderr })
    try {
      const answer = await reader.question(`${question} [y/N] `)
      if (!/^y(?:es)?$/i.test(answer.trim())) throw new CommandFailed('Nothing was changed.')
    } finally {
      reader.close()
    }
  }

  #closeLine(): void {
    if (this.#isLineOpen) this.#streams.stderr.write('\n')
    this.#isLineOpen = false
  }
}
