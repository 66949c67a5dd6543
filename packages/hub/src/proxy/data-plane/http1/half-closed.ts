import type { Socket } from 'node:net'
import type { ClientAnswer } from './client-answer.ts'

const waitMs = {
  /** Most answers come meanwhile, and simple clients do not expect two. */
  first: 250,
  second: 250,
  further: 5000,
  /** A client of HTTP/1.0 knows no interim answers. */
  http10: 5000,
  /** Between bytes of an answer, whose client was there after it ended its side, or may not. */
  whileThere: 60_000,
  otherwise: 2000,
} as const

/**
 * A client that ended its side may wait for its answer, or be gone. Only writes tell: the first is
 * answered by a reset, the second fails. So it is told to go on, which means nothing to one that
 * waits: after a moment, soon after, then now and then. nginx and Node give up at once.
 */
export class HalfClosed {
  readonly #socket: Partial<Pick<Socket, 'timeout'>>
  readonly #answer: ClientAnswer
  #hasWaited = false
  #probes = 0

  constructor(socket: object, answer: ClientAnswer) {
    this.#socket = socket
    this.#answer = answer
  }

  /** Whether {@link look} will tell more once its time is over. */
  get goesOn(): boolean {
    return !this.#answer.hasBegun && !this.#answer.isHttp10
  }

  /** @returns milliseconds until the next look, or until the client is given up; 0 for never */
  look(): number {
    const answer = this.#answer
    if (answer.hasBegun) return this.#probes > 1 ? waitMs.whileThere : waitMs.otherwise
    // A limit of silence must not be held off by what is said here.
    if (this.#probes > 1 && (this.#socket.timeout ?? 0) > 0) return 0
    if (answer.isHttp10) return waitMs.http10
    if (!this.#hasWaited) {
      this.#hasWaited = true
      return waitMs.first
    }
    answer.goOn()
    this.#probes += 1
    return this.#probes === 1 ? waitMs.second : waitMs.further
  }
}
