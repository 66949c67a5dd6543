import { HubError } from '../domain/errors.ts'

/** Characters of tokens to stretch, of all callers together: a quarter of a core, not a whole one. */
const charactersPerSecond = 8_192

/**
 * Bounds what guesses at tokens that people chose may cost: each is hashed thousands of times, at
 * a cost that grows with its length, and nothing but the first four characters has to be right.
 * Tokens that proved right are remembered and need none of it.
 */
export class StretchBudget {
  readonly #now: () => Date
  #left = charactersPerSecond
  #filledAt = 0

  constructor(now: () => Date) {
    this.#now = now
  }

  /** @throws HubError `too_many_requests` when this second's budget is spent */
  take(token: string): void {
    const now = this.#now().getTime()
    const gained = (Math.max(0, now - this.#filledAt) * charactersPerSecond) / 1000
    this.#left = Math.min(charactersPerSecond, this.#left + gained)
    this.#filledAt = now
    if (this.#left < token.length) {
      throw new HubError('too_many_requests', { headers: { 'retry-after': '1' } })
    }
    this.#left -= token.length
  }
}
