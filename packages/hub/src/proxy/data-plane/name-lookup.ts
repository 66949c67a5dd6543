import { ADDRCONFIG, lookup as askSystem, type LookupAddress } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'

/** Asks the system, as every program does: the hosts file, search domains. */
export type AskSystem = (name: string) => Promise<readonly LookupAddress[]>
/** Asks the servers themselves. */
export type AskServers = (name: string) => Promise<readonly LookupAddress[]>

export interface NameLookupOptions {
  readonly askSystem?: AskSystem
  readonly askServers?: AskServers
  /** Monotonic, in milliseconds. */
  readonly now?: () => number
}

/** Connections that are opened together share one answer. */
const freshMs = 1000
/** An answer that does not come is not waited for longer where an earlier one is known. */
const patienceMs = 300
/** So long an earlier answer is good while nobody answers; an address may become somebody else's. */
const lastingMs = 300_000
/** The system has so long before the servers are asked as well. */
const systemAloneMs = 1000
const serverTimeoutMs = 2000
/** Names that are remembered. */
const maxNames = 4096

interface Known {
  addresses: readonly LookupAddress[]
  /** When they were told. */
  atMs: number
  /** Since when an answer is waited for; `undefined` while none is. */
  askedAtMs: number | undefined
  /** A question to the system that it has not answered. */
  system: Promise<readonly LookupAddress[]> | undefined
  readonly waiting: Set<(error: NodeJS.ErrnoException | undefined) => void>
}

/**
 * Finds the addresses of names. The system answers a few questions at a time, for the whole process:
 * one for a name without an answer keeps its place for ten seconds and more, and the names of all
 * others wait behind it. So a name is asked for once at a time, whoever wants it; one whose answer
 * is late is asked of the servers as well, which takes no place; and what was answered before is
 * good while nobody answers. That a name is gone, or has moved, is an answer and counts at once.
 */
export class NameLookup {
  readonly #known = new Map<string, Known>()
  readonly #askSystem: AskSystem
  readonly #askServers: AskServers
  readonly #now: () => number

  constructor(options: NameLookupOptions = {}) {
    this.#askSystem = options.askSystem ?? systemAddresses
    this.#askServers = options.askServers ?? serverAddresses
    this.#now = options.now ?? (() => performance.now())
  }

  /** The `lookup` option of sockets. */
  readonly lookup: LookupFunction = (name, { all = false }, callback) => {
    this.#find(name.toLowerCase(), (error, addresses) => {
      const [first] = addresses
      if (error !== undefined || first === undefined) callback(error ?? notFound(name), '')
      else if (all) callback(null, [...addresses])
      else callback(null, first.address, first.family)
    })
  }

  #find(
    name: string,
    done: (error: NodeJS.ErrnoException | undefined, addresses: readonly LookupAddress[]) => void,
  ): void {
    // Nobody needs to be asked. Source: RFC 6761 §6.3.
    if (name === 'localhost') return process.nextTick(done, undefined, loopback)
    const known = this.#known.get(name) ?? this.#remember(name)
    const now = this.#now()
    const ageMs = now - known.atMs
    const isKnown = known.addresses.length > 0
    if (isKnown && ageMs < freshMs) return process.nextTick(done, undefined, known.addresses)
    if (known.askedAtMs === undefined) void this.#ask(name, known)
    let timer: NodeJS.Timeout | undefined
    const onAnswer = (error: NodeJS.ErrnoException | undefined): void => {
      clearTimeout(timer)
      known.waiting.delete(onAnswer)
      done(error, known.addresses)
    }
    known.waiting.add(onAnswer)
    if (!isKnown || ageMs > lastingMs) return
    const waitMs = Math.max(0, (known.askedAtMs ?? now) + patienceMs - now)
    timer = setTimeout(onAnswer, waitMs, undefined)
  }

  #remember(name: string): Known {
    if (this.#known.size >= maxNames) this.#forgetOne()
    const known: Known = {
      addresses: [],
      atMs: 0,
      askedAtMs: undefined,
      system: undefined,
      waiting: new Set(),
    }
    this.#known.set(name, known)
    return known
  }

  /** The one that was remembered first and that nobody waits for. */
  #forgetOne(): void {
    for (const [name, { waiting }] of this.#known) {
      if (waiting.size > 0) continue
      this.#known.delete(name)
      return
    }
  }

  /** Never rejects. */
  async #ask(name: string, known: Known): Promise<void> {
    known.askedAtMs = this.#now()
    let failure: NodeJS.ErrnoException | undefined
    try {
      known.addresses = await this.#firstAnswer(name, known)
      known.atMs = this.#now()
    } catch (error) {
      failure = error as NodeJS.ErrnoException // of a lookup
      const isLasting = failure.code !== 'ENOTFOUND' && this.#now() - known.atMs < lastingMs
      if (!isLasting) known.addresses = []
      else if (known.addresses.length > 0) failure = undefined
    }
    known.askedAtMs = undefined
    if (known.addresses.length === 0) this.#known.delete(name)
    for (const onAnswer of known.waiting) onAnswer(failure)
  }

  /** What the system says, unless it is late and the servers find something meanwhile. */
  #firstAnswer(name: string, known: Known): Promise<readonly LookupAddress[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly LookupAddress[]>()
    const askServers = (): void => {
      this.#askServers(name).then(resolve, () => undefined)
    }
    // It was late before: its answer is waited for, but not alone.
    const late = setTimeout(askServers, known.system === undefined ? systemAloneMs : 0)
    known.system ??= this.#askSystem(name).finally(() => (known.system = undefined))
    known.system.then(resolve, reject)
    return promise.finally(() => clearTimeout(late))
  }
}

const loopback: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

function notFound(name: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${name} has no address`), { code: 'ENOTFOUND' })
}

function systemAddresses(name: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    askSystem(name, { all: true, hints: ADDRCONFIG }, (error, addresses) => {
      if (error === null) resolve(addresses)
      else reject(error)
    })
  })
}

async function serverAddresses(name: string): Promise<readonly LookupAddress[]> {
  const resolver = new Resolver({ timeout: serverTimeoutMs, tries: 2 })
  const found = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
  const addresses = found.flatMap((one, index) =>
    one.status === 'fulfilled'
      ? one.value.map((address) => ({ address, family: index === 0 ? 4 : 6 }))
      : [],
  )
  if (addresses.length === 0) throw notFound(name)
  return addresses
}

/** What is known is known to all of a thread. */
export const { lookup: lookupName } = new NameLookup()
