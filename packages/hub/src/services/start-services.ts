import { messageOf } from '../domain/errors.ts'
import { listOrphanRuns } from '../spawners/local-process/orphans.ts'
import { listServiceRuns } from '../storage/service-runs.ts'
import { keepService } from './keep-service.ts'
import { startHealthChecks } from './service-health.ts'
import { createServiceLeases, type ServiceLeases } from './service-leases.ts'
import { createServiceProcesses } from './service-process.ts'
import { endRun, type ServiceContext } from './service-run.ts'
import type { ManagedService } from './settings.ts'

/** The services of a hub that listens. */
export interface Services {
  /** Ends the services that this hub runs and stops watching the others. Safe to call again. */
  stop(): Promise<void>
}

/**
 * Runs the managed services, side by side, and watches whether those with a URL answer. Whatever
 * fails is reported and tried again: no service keeps the hub from serving.
 * Differs from JupyterHub, which exits when a managed service does not start.
 */
export function startServices(
  input: Omit<ServiceContext, 'processes'> & {
    /** Folder for the files of services; exists, mode 0700. */
    readonly dataDir: string
  },
): Services {
  const { dataDir, ...rest } = input
  const { settings, logger } = rest
  const context: ServiceContext = { ...rest, processes: createServiceProcesses(input) }
  const leases = createServiceLeases(context)
  const managed = settings.services.filter(({ command }) => command.length > 0)
  const ending = new AbortController()
  const stopChecks = startHealthChecks(context)
  const work = run().catch((error: unknown) => {
    logger.error({ cause: messageOf(error) }, 'services are no longer watched')
  })

  async function run(): Promise<void> {
    await endOrphans(context, dataDir)
    await Promise.all([
      ...managed.map((service) => keepService(context, { service, leases, ending: ending.signal })),
      endStrays(context, { managed, leases, ending: ending.signal }),
    ])
  }

  return {
    async stop() {
      ending.abort()
      stopChecks()
      await work
      leases.close()
    },
  }
}

/** Processes in this hub's folder that no stored run names: another hub has replaced them. */
async function endOrphans(context: ServiceContext, dataDir: string): Promise<void> {
  const { store, processes, logger } = context
  try {
    const known = new Set((await listServiceRuns(store.db)).map((run) => run.runId))
    for (const state of await listOrphanRuns(dataDir, known)) {
      logger.warn({ run: state.runId }, 'ending a service that another hub has replaced')
      await processes.stop(state, AbortSignal.timeout(60_000))
      await processes.forget?.(state)
    }
  } catch (error) {
    logger.error({ cause: messageOf(error) }, 'left-over services could not be looked for')
  }
}

/** Runs of services that the configuration no longer has. */
async function endStrays(
  context: ServiceContext,
  parts: { managed: readonly ManagedService[]; leases: ServiceLeases; ending: AbortSignal },
): Promise<void> {
  const { managed, leases, ending } = parts
  const names = new Set(managed.map(({ name }) => name))
  const runs = await listServiceRuns(context.store.db)
  await Promise.all(
    runs.map(async (run) => {
      if (names.has(run.name)) return
      try {
        await leases.take(run.name, ending)
        context.logger.info({ service: run.name }, 'ending a service that is no longer configured')
        await endRun(context, run)
        await leases.drop(run.name)
      } catch (error) {
        if (ending.aborted) return
        context.logger.error(
          { service: run.name, cause: messageOf(error) },
          'a service that is no longer configured could not be ended',
        )
      }
    }),
  )
}
