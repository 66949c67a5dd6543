const firstPauseMs = 1_000
const maxPauseMs = 60_000
/** A run of this length was a good one: the next failure is the first again. */
const goodRunMs = 60_000
const jitter = 0.25

/** Pauses between starts of a service that keeps ending: doubled each time, up to a minute. */
export class BackOff {
  #pauseMs = firstPauseMs
  readonly #random: () => number

  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** @param ranMs how long the last run lasted, 0 when it never came to one */
  next(ranMs: number): number {
    if (ranMs >= goodRunMs) this.#pauseMs = firstPauseMs
    const pauseMs = this.#pauseMs
    this.#pauseMs = Math.min(pauseMs * 2, maxPauseMs)
    return Math.round(pauseMs * (1 + jitter * (2 * this.#random() - 1)))
  }
}
