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

/** A look that comes later than this finds that the process stood still. */
const stoodStillMs = 1000

/**
 * Looks at all deadlines at intervals: setting one costs an assignment, where a timer for each
 * request would cost more than the request's head. They strike up to one interval late. Time in which the process stood still (stopped,
 * starved) counts for nobody: what came meanwhile waits to be read, and is read before the next look.
 */
export class Deadlines {
  readonly #waiting = new Set<Waiting>()
  readonly #timer: NodeJS.Timeout
  readonly #intervalMs: number
  #lookedAtMs = nowMs()

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
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
    const lateMs = now - this.#lookedAtMs - this.#intervalMs
    this.#lookedAtMs = now
    if (lateMs > stoodStillMs) {
      this.#putOff(lateMs)
      return
    }
    for (const waiting of this.#waiting) {
      if (waiting.deadlineMs === 0 || waiting.deadlineMs > now) continue
      waiting.deadlineMs = 0
      waiting.onDeadline()
    }
  }
  #putOff(ms: number): void {
    for (const waiting of this.#waiting) if (waiting.deadlineMs !== 0) waiting.deadlineMs += ms
  }
}
