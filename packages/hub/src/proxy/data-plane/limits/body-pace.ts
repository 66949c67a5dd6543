import { nowMs } from '../http1/deadlines.ts'
import type { Deadlines, Waiting } from '../http1/deadlines.ts'

export interface PaceRules {
  readonly deadlines: Deadlines
  /** Over each window; 0 for none. */
  readonly bytesPerSecond: number
  readonly windowMs: number
}

/** Watches that the body of a request comes at no less than a rate, averaged over each window. */
export class BodyPace implements Waiting {
  deadlineMs: number
  readonly #rules: PaceRules
  readonly #onSlow: () => void
  #bytes = 0
  #isPaused = false

  constructor(rules: PaceRules, onSlow: () => void) {
    this.#rules = rules
    this.#onSlow = onSlow
    this.deadlineMs = nowMs() + rules.windowMs
    rules.deadlines.add(this)
  }

  took(bytes: number): void {
    this.#bytes += bytes
  }

  /** The target takes no more: the client cannot send. */
  pause(): void {
    this.#isPaused = true
  }

  /** The window that began while it could not send does not count. */
  resume(): void {
    this.#isPaused = false
    this.#bytes = Number.POSITIVE_INFINITY
  }

  end(): void {
    this.#rules.deadlines.delete(this)
  }

  onDeadline(): void {
    const { bytesPerSecond, windowMs } = this.#rules
    if (!this.#isPaused && this.#bytes < (bytesPerSecond * windowMs) / 1000) {
      this.end()
      this.#onSlow()
      return
    }
    this.#bytes = 0
    this.deadlineMs = nowMs() + windowMs
  }
}
