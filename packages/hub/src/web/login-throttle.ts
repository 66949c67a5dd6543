import { HubError } from '../domain/errors.ts'
import type { Store } from '../storage/store.ts'
import { sha256Hex } from '../storage/token-hash.ts'
import { Turns } from '../util/turns.ts'
import { FailureThrottle, networkOf, type ThrottleRule } from './failure-throttle.ts'

/**
 * `pair` stops guessing at one account from one place, `address` trying many accounts from one
 * place (a class behind one address must get through), `user` guessing from many places; its block
 * stays short, for it also keeps the owner out.
 */
const rules = {
  pair: { freeFailures: 5, firstBlockMs: 30_000, maxBlockMs: 15 * 60_000 },
  address: { freeFailures: 150, firstBlockMs: 60_000, maxBlockMs: 60 * 60_000 },
  user: { freeFailures: 50, firstBlockMs: 30_000, maxBlockMs: 5 * 60_000 },
} as const satisfies Record<string, ThrottleRule>

const maxTriesAtOnce = 50

/** One try to sign in; names are counted whether or not such a user exists. */
export interface LoginTry {
  /** Normalised. */
  readonly username: string
  readonly ip: string
}

/** Limits failed sign-ins, over all hubs. */
export class LoginThrottle {
  readonly #throttle: FailureThrottle
  readonly #turns = new Turns({ maxWaiting: maxTriesAtOnce })

  constructor(store: Store, now: () => Date) {
    this.#throttle = new FailureThrottle(store, now, rules)
  }

  /** Counts the try. Fails with `login_throttled` and `Retry-After` while any of its keys is blocked. */
  async begin(attempt: LoginTry): Promise<void> {
    const seconds = await this.#throttle.begin(Object.values(keysOf(attempt)))
    if (seconds === 0) return
    throw new HubError('login_throttled', {
      message: `Too many failed sign-in attempts. Try again in ${describeSeconds(seconds)}.`,
      headers: { 'retry-after': String(seconds) },
    })
  }

  /**
   * Runs tries of one name from one place one after another: each counts as failed while it is
   * judged, and many tabs that send the right password at once must not keep each other out.
   */
  inTurn<T>(attempt: LoginTry, work: () => Promise<T>): Promise<T> {
    return this.#turns.run(keysOf(attempt).pair, work, () => new HubError('too_many_requests'))
  }

  /** Takes the count of a try back: it has succeeded, or was never judged. */
  async forgive(attempt: LoginTry, options: { succeeded: boolean }): Promise<void> {
    const { pair, address, user } = keysOf(attempt)
    if (options.succeeded) await this.#throttle.forgive([address, user], { clear: [pair] })
    else await this.#throttle.forgive([pair, address, user])
  }
}

/** Names are hashed: what people type into a user name field may be a password. */
function keysOf(attempt: LoginTry): Record<keyof typeof rules, string> {
  const network = networkOf(attempt.ip)
  const user = sha256Hex(attempt.username).slice(0, 32)
  return { pair: `pair:${user}:${network}`, address: `address:${network}`, user: `user:${user}` }
}

function describeSeconds(seconds: number): string {
  return seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`
}
