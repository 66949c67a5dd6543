import { messageOf } from '../domain/errors.ts'
import type { Operation, Server } from '../domain/records.ts'
import type { SpawnFailure } from '../domain/server-state.ts'
import { serverRoutespec } from '../domain/urls.ts'
import { deleteClientsOfServer } from '../storage/oauth.ts'
import { listOpenOperations, retryOperation, updateOperation } from '../storage/operations.ts'
import { removeRoute } from '../storage/routes.ts'
import { deleteServer, findServerById, updateServer } from '../storage/servers.ts'
import { deleteTokens } from '../storage/tokens.ts'
import { isJsonObject } from '../util/json.ts'
import { withDeadline } from './deadline.ts'
import { secondsSince } from './observer.ts'
import { fullName } from './requests.ts'
import { HubEnding, LeaseLost, type Work, type WorkContext } from './work-context.ts'

/** Longest pause between two tries to stop a server that will not. */
const maxRetryMs = 30_000

/**
 * Brings a server from `stopping` to `stopped`. It does not give up: as long as the spawner cannot
 * say that nothing runs, the server stays `stopping`, for unknown is never stopped.
 */
export async function runStop(context: WorkContext, work: Work): Promise<void> {
  const { store, logger } = context
  const server = await findServerById(store.db, work.operation.serverId)
  if (server === undefined) return
  context.passed?.('stop claimed', server.name)
  try {
    await unroute(context, work, server)
    context.passed?.('stop unrouted', server.name)
    await stopRun(context, work, server)
    context.passed?.('stop ended', server.name)
  } catch (error) {
    if (error instanceof LeaseLost || error instanceof HubEnding) throw error
    const waitMs = Math.min(1_000 * 2 ** Math.min(work.operation.attempt - 1, 5), maxRetryMs)
    logger.error(
      { server: fullName(server), cause: messageOf(error), retryInMs: waitMs },
      'the server could not be stopped; it is tried again',
    )
    observeStop(context, work, 'failure')
    await store.write((tx) =>
      retryOperation(tx, work.hold, new Date(context.now().getTime() + waitMs)),
    )
    return
  }
  await commitStopped(context, work, server)
  observeStop(context, work, 'success')
  context.passed?.('stop committed', server.name)
  logger.info({ server: fullName(server) }, 'server is stopped')
}

function observeStop(context: WorkContext, work: Work, status: 'success' | 'failure'): void {
  const seconds = secondsSince(work.operation.createdAt, context.now())
  context.observe?.('server_stop_seconds', { status }, seconds)
}

async function unroute(context: WorkContext, work: Work, server: Server): Promise<void> {
  const since = context.now()
  await context.store.write(async (tx) => {
    if (!(await updateOperation(tx, work.hold, { step: 'unrouted' }))) {
      throw new LeaseLost(work.operation.id)
    }
    await removeRoute(tx, serverRoutespec(context.settings, server.username, server.name))
  })
  const seconds = secondsSince(since, context.now())
  context.observe?.('proxy_delete_duration_seconds', { status: 'success' }, seconds)
}

async function stopRun(context: WorkContext, work: Work, server: Server): Promise<void> {
  const state = server.spawnerState
  if (state === null) return // nothing was ever prepared, so nothing can run
  const spawner = context.spawnerOf(server.spawnerId ?? context.spawnerId)
  const { stopTimeoutMs } = context.settings
  await withDeadline(
    { what: 'Stopping the server', timeoutMs: stopTimeoutMs, parent: work.signal },
    (signal) => spawner.stop(state, signal),
  )
  const status = await withDeadline(
    { what: 'Asking whether the server still runs', timeoutMs: stopTimeoutMs, parent: work.signal },
    (signal) => spawner.poll(state, signal),
  )
  if (status === null) throw new Error('the spawner says it stopped the server, yet it runs')
  await spawner.forget?.(state)
}

/** The server's token and client go with it, and every browser token issued to that client. */
async function commitStopped(context: WorkContext, work: Work, server: Server): Promise<void> {
  const now = context.now()
  await context.store.write(async (tx) => {
    const done = await updateOperation(tx, work.hold, {
      step: 'ended',
      state: 'succeeded',
      finishedAt: now,
    })
    if (!done) throw new LeaseLost(work.operation.id)
    const current = await findServerById(tx.db, server.id)
    if (current === undefined) return
    await deleteTokens(tx, { serverId: server.id })
    await deleteClientsOfServer(tx, server.id)
    if (work.operation.request['remove'] === true) {
      await deleteServer(tx, server.id)
      return
    }
    const open = await listOpenOperations(tx.db, server.id)
    if (current.state.kind !== 'stopping' || open.length > 0) return
    const lastFailure = failureOf(work.operation)
    await updateServer(tx, current, {
      state: { kind: 'stopped', ...(lastFailure !== undefined && { lastFailure }) },
      spawnerState: null,
      spawnerId: null,
      ...(lastFailure === undefined && { lastActivityAt: now }),
    })
  })
}

function failureOf(operation: Operation): SpawnFailure | undefined {
  const stored = operation.request['failure']
  if (!isJsonObject(stored)) return undefined
  const { code, status, message, htmlMessage, at } = stored
  return {
    code: code === 'spawn_timeout' ? 'spawn_timeout' : 'spawn_failed',
    status: typeof status === 'number' ? status : 500,
    message: typeof message === 'string' ? message : 'The server failed to start',
    ...(typeof htmlMessage === 'string' && { htmlMessage }),
    at: new Date(typeof at === 'number' ? at : 0),
  }
}
