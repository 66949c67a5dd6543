import { setImmediate as turn } from 'node:timers/promises'

/** Milliseconds of work that others may have to wait for: a request some times, in each of its turns. */
const sliceMs = 0.25

/**
 * Cuts long work into slices: others have their turn once one has taken its time. Time in which
 * the work itself waited counts as well; then it gives way once more than it had to.
 */
export class Slices {
  #beganAtMs = performance.now()

  /** To be asked before {@link next}, which costs a promise. */
  get isOver(): boolean {
    return performance.now() - this.#beganAtMs >= sliceMs
  }

  /** Lets others have their turn, and begins a slice. */
  async next(): Promise<void> {
    await turn()
    this.#beganAtMs = performance.now()
  }
}
