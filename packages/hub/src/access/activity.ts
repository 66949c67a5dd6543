import type { Store } from '../storage/store.ts'
import { touchToken } from '../storage/tokens.ts'
import { touchUser } from '../storage/users.ts'
import type { Principal } from './principal.ts'

/** Subjects remembered at once; above it, further activity waits for the next flush. */
const maxSubjects = 100_000
const flushIntervalMs = 1000

export interface ActivityRecorder {
  /**
   * Notes that a principal made a request. Cheap: nothing is written now. A server's own token
   * counts as activity of the token, not of its user.
   */
  record(principal: Principal): void
  /** Writes what has been noted, in one transaction. */
  flush(): Promise<void>
  /** Ends the timer and writes what is left. */
  close(): Promise<void>
}

export interface ActivityRecorderOptions {
  readonly store: Store
  /** `activity_resolution`: a subject is written at most once in this time. */
  readonly resolutionMs: number
  readonly now?: () => Date
  /** Told of writes that failed; they are tried again with the next flush. */
  readonly onError?: (error: unknown) => void
}

/** Coalesces `last_activity` of tokens and users: memory until a flush, once a second. */
export function createActivityRecorder(options: ActivityRecorderOptions): ActivityRecorder {
  const now = options.now ?? (() => new Date())
  const users = new SubjectTimes(options.resolutionMs)
  const tokens = new SubjectTimes(options.resolutionMs)
  let flushing = Promise.resolve()

  async function write(): Promise<void> {
    const touchedUsers = users.take()
    const touchedTokens = tokens.take()
    if (touchedUsers.size + touchedTokens.size === 0) return
    try {
      await options.store.write(async (transaction) => {
        for (const [id, at] of touchedUsers) await touchUser(transaction, id, new Date(at))
        for (const [id, at] of touchedTokens) await touchToken(transaction, id, new Date(at))
      })
    } catch (error) {
      users.putBack(touchedUsers)
      tokens.putBack(touchedTokens)
      options.onError?.(error)
    }
  }

  /** One after the other, so that a slow store meets one write at a time. */
  function flush(): Promise<void> {
    flushing = flushing.then(write)
    return flushing
  }

  let busy = false
  const timer = setInterval(() => {
    if (busy) return
    busy = true
    void flush().finally(() => (busy = false))
  }, flushIntervalMs)
  timer.unref()

  return {
    record(principal) {
      const at = now().getTime()
      const { token } = principal
      if (token !== undefined) tokens.note(token.id, at)
      if (principal.kind === 'user' && token?.isServerToken !== true) users.note(principal.id, at)
    },
    flush,
    async close() {
      clearInterval(timer)
      await flush()
    },
  }
}

/** When subjects were last written, and which are to be written next. */
class SubjectTimes {
  readonly #resolutionMs: number
  /** Instants (ms) of the last note that was taken up; oldest first. */
  readonly #noted = new Map<number, number>()
  #pending = new Map<number, number>()

  constructor(resolutionMs: number) {
    this.#resolutionMs = resolutionMs
  }

  note(id: number, at: number): void {
    const last = this.#noted.get(id)
    if (last !== undefined && at - last < this.#resolutionMs) return
    if (!this.#pending.has(id) && this.#pending.size >= maxSubjects) return
    this.#noted.delete(id)
    this.#noted.set(id, at)
    const oldest = this.#noted.keys().next().value
    if (this.#noted.size > maxSubjects && oldest !== undefined) this.#noted.delete(oldest)
    this.#pending.set(id, at)
  }

  take(): Map<number, number> {
    const taken = this.#pending
    this.#pending = new Map()
    return taken
  }

  putBack(taken: ReadonlyMap<number, number>): void {
    for (const [id, at] of taken) {
      if (!this.#pending.has(id) && this.#pending.size < maxSubjects) this.#pending.set(id, at)
    }
  }
}
