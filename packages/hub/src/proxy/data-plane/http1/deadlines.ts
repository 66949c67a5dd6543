/** Something that must not wait for ever. */
export interface Waiting {
  /** By the clock of {@link nowMs}; 0 waits without a limit. */
  deadlineMs: number
  /** Called once; `deadlineMs` is 0 then. */
  onDeadline(): void
}

/** Monotonic clock of deadlines, in whole milliseconds. */
export function nowMs(): number {
  return Math.trunc(performance.now())
}

/**
 * Looks at all deadlines at intervals: setting one costs an assignment, where a timer for each
 * request would cost more than the request's head. They strike up to one interval late.
 */
export class Deadlines {
  readonly #waiting = new Set<Waiting>()
  readonly #timer: NodeJS.Timeout

  constructor(intervalMs: number) {
    this.#timer = setInterval(() => this.#sweep(), intervalMs)
    this.#timer.unref()
  }

  add(waiting: Waiting): void {
    this.#waiting.add(waiting)
  }

  delete(waiting: Waiting): void {
    this.#waiting.delete(waiting)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #sweep(): void {
    const now = nowMs()
    for (const waiting of this.#waiting) {
      if (waiting.deadlineMs === 0 || waiting.deadlineMs > now) continue
      waiting.deadlineMs = 0
      waiting.onDeadline()
    }
  }
}
