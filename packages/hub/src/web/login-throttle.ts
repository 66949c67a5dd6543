import { isIPv6 } from 'node:net'
import { HubError } from '../domain/errors.ts'
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
import { sha256Hex } from '../storage/token-hash.ts'

interface ThrottleRule {
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
 * `pair` stops guessing at one account from one place, `address` trying many accounts from one
 * place (a class behind one address must get through), `user` guessing from many places; its block
 * stays short, for it also keeps the owner out.
 */
const rules = {
  pair: { freeFailures: 5, firstBlockMs: 30_000, maxBlockMs: 15 * 60_000 },
  address: { freeFailures: 150, firstBlockMs: 60_000, maxBlockMs: 60 * 60_000 },
  user: { freeFailures: 50, firstBlockMs: 30_000, maxBlockMs: 5 * 60_000 },
} as const satisfies Record<string, ThrottleRule>

type RuleName = keyof typeof rules

/** One try to sign in; names are counted whether or not such a user exists. */
export interface LoginTry {
  /** Normalised. */
  readonly username: string
  readonly ip: string
}

/**
 * Limits failed sign-ins. Counts live in the store: they hold across restarts and hubs. A try is
 * counted as failed before the password is looked at, so that concurrent tries and crashes
 * cannot get around the limit, and forgiven when it succeeds.
 */
export class LoginThrottle {
  readonly #store: Store
  readonly #now: () => Date
  #triesUntilPurge = triesPerPurge

  constructor(store: Store, now: () => Date) {
    this.#store = store
    this.#now = now
  }

  /** Counts the try. Fails with `login_throttled` and `Retry-After` while any of its keys is blocked. */
  async begin(attempt: LoginTry): Promise<void> {
    const now = this.#now()
    const keys = keysOf(attempt)
    // Most tries of an attacker end here, without a write.
    this.#refuse(await findLoginFailures(this.#store.db, Object.values(keys)), now)
    const blocked = await this.#store.write(async (transaction) => {
      await lockLoginFailures(transaction, Object.values(keys), now)
      const known = await findLoginFailures(transaction.db, Object.values(keys))
      if (blockEnd(known, now) > now.getTime()) return known
      await count(transaction, { keys, known, now })
      return undefined
    })
    if (blocked !== undefined) this.#refuse(blocked, now)
    await this.#purgeSometimes()
  }

  /** Takes the count of a try back: it has succeeded, or was never judged. */
  async forgive(attempt: LoginTry, options: { succeeded: boolean }): Promise<void> {
    const keys = keysOf(attempt)
    await this.#store.write(async (transaction) => {
      if (options.succeeded) await clearLoginFailures(transaction, keys.pair)
      else await forgiveLoginFailure(transaction, keys.pair)
      await forgiveLoginFailure(transaction, keys.address)
      await forgiveLoginFailure(transaction, keys.user)
    })
  }

  #refuse(known: ReadonlyMap<string, LoginFailures>, now: Date): void {
    const waitMs = blockEnd(known, now) - now.getTime()
    if (waitMs <= 0) return
    const seconds = Math.ceil(waitMs / 1000)
    throw new HubError('login_throttled', {
      message: `Too many failed sign-in attempts. Try again in ${describeSeconds(seconds)}.`,
      headers: { 'retry-after': String(seconds) },
    })
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

async function count(
  transaction: WriteTransaction,
  input: {
    keys: Record<RuleName, string>
    known: ReadonlyMap<string, LoginFailures>
    now: Date
  },
): Promise<void> {
  for (const name of Object.keys(rules) as RuleName[]) {
    const key = input.keys[name]
    await putLoginFailures(
      transaction,
      key,
      afterFailure(rules[name], input.known.get(key), input.now),
    )
  }
}

/** The count after one more failure; failures before a quiet window are forgotten. */
export function afterFailure(
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

/**
 * The instant at which none of the keys is blocked any more. A block counts only while its failures
 * do: forgiven tries of a busy address must not keep it closed.
 */
function blockEnd(known: ReadonlyMap<string, LoginFailures>, now: Date): number {
  let end = now.getTime()
  for (const [key, state] of known) {
    const rule = rules[key.slice(0, key.indexOf(':')) as RuleName] // keys are made by keysOf
    if (state.failures >= rule.freeFailures) end = Math.max(end, state.blockedUntil.getTime())
  }
  return end
}

/** Names are hashed: what people type into a user name field may be a password. */
function keysOf(attempt: LoginTry): Record<RuleName, string> {
  const network = networkOf(attempt.ip)
  const user = sha256Hex(attempt.username).slice(0, 32)
  return { pair: `pair:${user}:${network}`, address: `address:${network}`, user: `user:${user}` }
}

/** An IPv6 client owns a /64. */
function networkOf(ip: string): string {
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

function describeSeconds(seconds: number): string {
  return seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`
}
