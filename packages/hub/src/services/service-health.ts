import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../domain/errors.ts'
import type { Service } from '../domain/records.ts'
import { servicePath } from '../domain/service-definition.ts'
import { untilResponding } from '../lifecycle/readiness.ts'
import { listServices } from '../storage/services.ts'
import type { ServiceContext } from './service-run.ts'

/** For services that were added through the API, which have none of their own. */
const defaultTimeoutMs = 30_000
const maxProbesAtOnce = 16

/**
 * Looks whether services with a URL answer: external ones at once, all of them at every interval,
 * side by side. Says so when one stops answering and when it answers again; does nothing else.
 * @returns the function that ends it
 */
export function startHealthChecks(
  context: Pick<ServiceContext, 'store' | 'settings' | 'logger' | 'tls'>,
): () => void {
  const { store, settings, logger } = context
  const ending = new AbortController()
  /** Services that did not answer when last asked, by name. */
  const silent = new Set<string>()

  async function check(service: Service): Promise<void> {
    const { name, url, command } = service
    const kind = command.length > 0 ? 'managed' : 'external'
    const isAnswering = await answers(service)
    if (ending.signal.aborted) return
    if (!isAnswering && !silent.has(name)) {
      silent.add(name)
      logger.warn({ service: name, url, kind }, 'cannot connect to a service')
    } else if (isAnswering && silent.delete(name)) {
      logger.info({ service: name, url, kind }, 'a service answers again')
    }
  }

  async function answers({ name, url }: Service): Promise<boolean> {
    const configured = settings.services.find((candidate) => candidate.name === name)
    const timeout = AbortSignal.timeout(configured?.timeoutMs ?? defaultTimeoutMs)
    const target = new URL(servicePath(settings.baseUrl, name), url)
    try {
      const signal = AbortSignal.any([timeout, ending.signal])
      await untilResponding(target, signal, context.tls?.dispatcher())
      return true
    } catch {
      return false
    }
  }

  async function checkAll(which: (service: Service) => boolean): Promise<void> {
    const all = await listServices(store.db, { kind: 'all' })
    const queue = all.filter((service) => service.url !== '' && which(service))
    for (const name of silent)
      if (!all.some((service) => service.name === name)) silent.delete(name)
    const worker = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await check(next)
    }
    await Promise.all(Array.from({ length: maxProbesAtOnce }, worker))
  }

  async function run(): Promise<void> {
    // The keepers of managed services wait for their first answer themselves.
    await checkAll(({ command }) => command.length === 0)
    const { checkIntervalMs } = settings
    if (checkIntervalMs === 0) return
    for (;;) {
      await delay(checkIntervalMs, undefined, { signal: ending.signal })
      await checkAll(() => true).catch((error: unknown) => {
        logger.warn({ cause: messageOf(error) }, 'services could not be checked; tried again later')
      })
    }
  }

  run().catch((error: unknown) => {
    if (!ending.signal.aborted)
      logger.error({ cause: messageOf(error) }, 'services are not checked')
  })
  return () => ending.abort()
}
