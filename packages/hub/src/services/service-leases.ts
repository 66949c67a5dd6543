import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../domain/errors.ts'
import { dropLease, holdLease } from '../storage/leases.ts'
import type { Store } from '../storage/store.ts'
import type { ServiceLogger } from './settings.ts'

/** A hub that dies is replaced after this long. */
const leaseMs = 10_000
const renewEveryMs = 3_000

/** Says which hub runs which service, where several share a database. */
export interface ServiceLeases {
  /**
   * Resolves when the service is this hub's; rejects when `signal` aborts. The returned signal
   * aborts when another hub has it.
   */
  take(name: string, signal: AbortSignal): Promise<AbortSignal>
  /** Whether this hub has it: asks the database, for another may have taken it meanwhile. */
  isMine(name: string): Promise<boolean>
  /** Lets a service go, so that another hub need not wait for the end of the lease. */
  drop(name: string): Promise<void>
  close(): void
}

const ownLeases: ServiceLeases = {
  take: (_name, signal) => Promise.resolve(signal),
  isMine: () => Promise.resolve(true),
  drop: () => Promise.resolve(),
  close: () => undefined,
}

/** With SQLite there is one hub, which holds the data folder: everything is its own. */
export function createServiceLeases(options: {
  store: Store
  logger: ServiceLogger
  now: () => Date
}): ServiceLeases {
  const { store, logger, now } = options
  if (store.dialect === 'sqlite') return ownLeases
  const held = new Map<string, AbortController>()

  function hold(name: string): Promise<boolean> {
    const at = now()
    const expiresAt = new Date(at.getTime() + leaseMs)
    const lease = { name: leaseName(name), owner: store.hubId, now: at, expiresAt }
    return store.write((tx) => holdLease(tx, lease))
  }

  async function renew(): Promise<void> {
    for (const [name, controller] of held) {
      if (await hold(name)) continue
      held.delete(name)
      controller.abort()
    }
  }

  async function drop(name: string): Promise<void> {
    held.delete(name)
    await store.write((tx) => dropLease(tx, { name: leaseName(name), owner: store.hubId }))
  }

  const timer = setInterval(() => {
    renew().catch((error: unknown) => {
      // As long as the database cannot be written, no other hub can take a service over either.
      logger.warn({ cause: messageOf(error) }, 'leases of services could not be renewed')
    })
  }, renewEveryMs)

  return {
    async take(name, signal) {
      while (!(await hold(name))) await delay(renewEveryMs, undefined, { signal })
      signal.throwIfAborted()
      const controller = new AbortController()
      held.set(name, controller)
      return AbortSignal.any([signal, controller.signal])
    },
    isMine: async (name) => held.has(name) && (await hold(name)),
    drop,
    close: () => clearInterval(timer),
  }
}

function leaseName(name: string): string {
  return `service ${name}`
}
