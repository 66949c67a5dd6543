import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../domain/errors.ts'
import { servicePath } from '../domain/service-definition.ts'
import { untilResponding } from '../lifecycle/readiness.ts'
import { logPath } from '../spawners/local-process/server-log.ts'
import { findServiceRun } from '../storage/service-runs.ts'
import { BackOff } from './back-off.ts'
import type { ServiceLeases } from './service-leases.ts'
import { followOutput } from './service-output.ts'
import { adoptOrStart, endRun, type RunningService, type ServiceContext } from './service-run.ts'
import type { ManagedService } from './settings.ts'

const pollEveryMs = 1_000

/**
 * Keeps one service running until `ending` aborts, then ends it: takes its lease, adopts or starts
 * its process, and starts it again when it ends, with growing pauses. Never rejects.
 */
export async function keepService(
  context: ServiceContext,
  parts: { service: ManagedService; leases: ServiceLeases; ending: AbortSignal },
): Promise<void> {
  const { service, leases, ending } = parts
  const backOff = new BackOff()
  const details = { service: service.name }
  while (!ending.aborted) {
    const startedAt = Date.now()
    try {
      const mine = await leases.take(service.name, ending)
      await runOnce(context, { service, mine })
      if (mine.aborted) continue
    } catch (error) {
      if (ending.aborted) break
      context.logger.error({ ...details, cause: messageOf(error) }, 'a service could not be run')
    }
    const pauseMs = backOff.next(Date.now() - startedAt)
    context.logger.info({ ...details, seconds: pauseMs / 1000 }, 'a service starts again soon')
    await delay(pauseMs, undefined, { signal: ending }).catch(() => undefined)
  }
  await finish(context, { service, leases })
}

/** Resolves when the process has ended or `mine` aborts. */
async function runOnce(
  context: ServiceContext,
  parts: { service: ManagedService; mine: AbortSignal },
): Promise<void> {
  const { service, mine } = parts
  const { logger, processes } = context
  const running = await adoptOrStart(context, service, mine)
  const details = { service: service.name, pid: running.state.pid }
  logger.info(details, running.isAdopted ? 'taking over a running service' : 'service started')
  const stopOutput = passOutputOn(context, service, running)
  const watching = new AbortController()
  const signal = AbortSignal.any([mine, watching.signal])
  const answering = reportAnswer(context, service, signal)
  try {
    const status = await untilEnded(context, running, mine)
    if (status !== undefined) logger.error({ ...details, status }, 'a service has ended')
  } finally {
    watching.abort()
    await answering
    await stopOutput()
  }
  if (!mine.aborted) return clear(context, running, service.name)
  // Another hub has it. On this machine it goes on with this process; on another one it has its own.
  const stored = await findServiceRun(context.store.db, service.name).catch(() => undefined)
  if (stored !== undefined && stored.runId !== running.runId) {
    await processes.stop(running.state, AbortSignal.timeout(60_000))
  }
}

/** Its exit status, or `undefined` when `signal` aborts. What cannot be told is asked again. */
async function untilEnded(
  context: ServiceContext,
  running: RunningService,
  signal: AbortSignal,
): Promise<number | undefined> {
  while (!signal.aborted) {
    await delay(pollEveryMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) break
    const status = await context.processes.poll(running.state, signal).catch(() => null)
    if (status !== null) return status
  }
  return undefined
}

/** Ends what the process may have left, and forgets its run. */
async function clear(
  context: ServiceContext,
  running: RunningService,
  name: string,
): Promise<void> {
  const stored = await findServiceRun(context.store.db, name)
  if (stored?.runId === running.runId) await endRun(context, stored)
}

/** A service that does not answer is reported and left alone: it may be busy with its own start. */
async function reportAnswer(
  context: ServiceContext,
  service: ManagedService,
  signal: AbortSignal,
): Promise<void> {
  if (service.url === '') return
  const { name, url, timeoutMs } = service
  const target = new URL(servicePath(context.settings.baseUrl, name), url)
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  try {
    await untilResponding(target, limit, context.tls?.dispatcher())
    context.logger.info({ service: name, url }, 'service answers')
  } catch {
    if (signal.aborted) return
    context.logger.warn(
      { service: name, url, seconds: timeoutMs / 1000 },
      'service does not answer',
    )
  }
}

function passOutputOn(
  context: ServiceContext,
  service: ManagedService,
  running: RunningService,
): () => Promise<void> {
  const { apiToken, state, isAdopted } = running
  return followOutput({
    path: logPath(state.runDir),
    from: isAdopted ? 'end' : 'start',
    onLine: (line) =>
      context.logger.info({}, `[${service.name}] ${line.replaceAll(apiToken, '[secret]')}`),
  })
}

/** The hub ends, and its service with it, unless another hub has taken it over. */
async function finish(
  context: ServiceContext,
  parts: { service: ManagedService; leases: ServiceLeases },
): Promise<void> {
  const { service, leases } = parts
  const { name } = service
  try {
    if (!(await leases.isMine(name))) return
    const stored = await findServiceRun(context.store.db, name)
    if (stored !== undefined) await endRun(context, stored)
    await leases.drop(name)
  } catch (error) {
    context.logger.error(
      { service: name, cause: messageOf(error) },
      'a service could not be ended; the next hub takes it over or ends it',
    )
  }
}
