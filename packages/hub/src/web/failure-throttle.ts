import { isIPv6 } from 'node:net'
import {
  clearLoginFailures,
  findLoginFailures,
  forgiveLoginFailure,
  type LoginFailures,
  lockLoginFailures,
  purgeLoginFailures,
  putLoginFailures,
} from '../storage/login-failures.ts'
import type { Store, WriteTransaction } from '../storage/store.ts'

export interface ThrottleRule {
  /** Failures before tries are refused for a while. */
  readonly freeFailures: number
  /** First block; each further failure doubles it. */
  readonly firstBlockMs: number
  readonly maxBlockMs: number
}

/** Quiet time after which failures are forgotten. */
const windowMs = 15 * 60_000
const maxRows = 100_000
const triesPerPurge = 100

/**
 * Counts failed tries in the store: the counts hold across restarts and hubs. A try is counted as
 * failed before it is judged, so that concurrent tries and crashes cannot get around the limit, and
 * forgiven when it succeeds. A key is `<rule>:<whatever it counts>`, hashed where it is secret.
 */
export class FailureThrottle {
  readonly #store: Store
  readonly #now: () => Date
  readonly #rules: Readonly<Record<string, ThrottleRule>>
  #triesUntilPurge = triesPerPurge

  constructor(store: Store, now: () => Date, rules: Readonly<Record<string, ThrottleRule>>) {
    this.#store = store
    this.#now = now
    this.#rules = rules
  }

  /** Counts the try. @returns whole seconds to wait while any of its keys is blocked, else 0 */
  async begin(keys: readonly string[]): Promise<number> {
    const now = this.#now()
    // Most tries of an attacker end here, without a write.
    const waitSeconds = this.#waitSeconds(await findLoginFailures(this.#store.db, keys), now)
    if (waitSeconds > 0) return waitSeconds
    const blocked = await this.#store.write(async (transaction) => {
      await lockLoginFailures(transaction, keys, now)
      const known = await findLoginFailures(transaction.db, keys)
      if (this.#waitSeconds(known, now) > 0) return known
      await this.#count(transaction, { keys, known, now })
      return new Map<string, LoginFailures>()
    })
    await this.#purgeSometimes()
    return this.#waitSeconds(blocked, now)
  }

  /** Takes the count of a try back: it has succeeded, or was never judged. */
  async forgive(
    keys: readonly string[],
    options: { clear?: readonly string[] } = {},
  ): Promise<void> {
    await this.#store.write(async (transaction) => {
      for (const key of keys) await forgiveLoginFailure(transaction, key)
      for (const key of options.clear ?? []) await clearLoginFailures(transaction, key)
    })
  }

  async #count(
    transaction: WriteTransaction,
    input: { keys: readonly string[]; known: ReadonlyMap<string, LoginFailures>; now: Date },
  ): Promise<void> {
    const { keys, known, now } = input
    for (const key of keys) {
      await putLoginFailures(transaction, key, afterFailure(this.#ruleOf(key), known.get(key), now))
    }
  }

  /**
   * Until none of the keys is blocked any more. A block counts only while its failures do: forgiven
   * tries of a busy address must not keep it closed.
   */
  #waitSeconds(known: ReadonlyMap<string, LoginFailures>, now: Date): number {
    let end = now.getTime()
    for (const [key, state] of known) {
      if (state.failures >= this.#ruleOf(key).freeFailures) {
        end = Math.max(end, state.blockedUntil.getTime())
      }
    }
    return Math.ceil((end - now.getTime()) / 1000)
  }

  #ruleOf(key: string): ThrottleRule {
    const rule = this.#rules[key.slice(0, key.indexOf(':'))]
    if (rule === undefined) throw new TypeError('a key of no rule')
    return rule
  }

  async #purgeSometimes(): Promise<void> {
    this.#triesUntilPurge -= 1
    if (this.#triesUntilPurge > 0) return
    this.#triesUntilPurge = triesPerPurge
    const now = this.#now()
    const quietSince = new Date(now.getTime() - windowMs)
    await this.#store.write((transaction) =>
      purgeLoginFailures(transaction, { quietSince, now, maxRows }),
    )
  }
}

/** The count after one more failure; failures before a quiet window are forgotten. */
function afterFailure(
  rule: ThrottleRule,
  before: LoginFailures | undefined,
  now: Date,
): LoginFailures {
  const lastEvent =
    before === undefined
      ? Number.NEGATIVE_INFINITY
      : Math.max(before.lastAt.getTime(), before.blockedUntil.getTime())
  const isRecent = now.getTime() - lastEvent < windowMs
  const failures = (isRecent ? (before?.failures ?? 0) : 0) + 1
  const over = failures - rule.freeFailures
  const blockMs =
    over < 0 ? 0 : Math.min(rule.firstBlockMs * 2 ** Math.min(over, 30), rule.maxBlockMs)
  return { failures, lastAt: now, blockedUntil: new Date(over < 0 ? 0 : now.getTime() + blockMs) }
}

/** An IPv6 client owns a /64. */
export function networkOf(ip: string): string {
  if (!isIPv6(ip)) return ip
  const [head = '', tail = ''] = ip.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0')
  const groups = ip.includes('::') ? [...left, ...zeros, ...right] : left
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}
