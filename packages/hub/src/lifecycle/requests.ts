import { randomBytes } from 'node:crypto'
import { HubError } from '../domain/errors.ts'
import type { Server } from '../domain/records.ts'
import type { SpawnFailure } from '../domain/server-state.ts'
import { recordAudit } from '../storage/audit.ts'
import {
  appendProgress,
  cancelSpawns,
  countOperations,
  createOperation,
  listOpenOperations,
} from '../storage/operations.ts'
import {
  countServersIn,
  createServer,
  deleteServer,
  findServer,
  getServerById,
  updateServer,
} from '../storage/servers.ts'
import type { Store, WriteTransaction } from '../storage/store.ts'
import { findUserById, lockUser } from '../storage/users.ts'
import type { StartRequest, StopRequest } from './lifecycle.ts'
import { checkNamedServer } from './named-servers.ts'
import { requestedEvent } from './progress.ts'
import type { LifecycleSettings } from './settings.ts'

export interface RequestContext {
  readonly store: Store
  readonly settings: LifecycleSettings
  readonly now: () => Date
}

/** Commits that a server shall start: state, operation, first progress event and audit in one. */
export async function requestStart(
  context: RequestContext,
  request: StartRequest,
): Promise<{ server: Server; operationId: number }> {
  const { store, settings, now } = context
  return store.write(async (tx) => {
    await lockUser(tx, request.user.id)
    await requireEnabled(tx, request.user.id)
    const found = await findServer(tx.db, request.user.name, request.serverName)
    if (request.serverName !== '') {
      const { user, serverName: name, displayName } = request
      const exists = found !== undefined
      await checkNamedServer(tx.db, settings, { user, name, displayName, exists, addsOne: true })
    }
    const server = found ?? (await createRow(tx, request, now()))
    if (server.state.kind === 'spawning') {
      const open = await listOpenOperations(tx.db, server.id)
      const spawn = open.find((operation) => operation.kind === 'spawn')
      return { server, operationId: spawn?.id ?? 0 }
    }
    if (server.state.kind === 'ready') {
      throw new HubError('server_already_running', {
        message: `${describe(server)} is already running`,
      })
    }
    if (server.state.kind === 'stopping') {
      throw new HubError('server_pending', { message: `${describe(server)} is pending stop` })
    }
    await checkLimits(tx, settings)
    const at = now()
    const spawning = await updateServer(tx, server, {
      state: { kind: 'spawning', since: at },
      runId: randomBytes(16).toString('hex'),
      startedAt: at,
      lastActivityAt: at,
      spawnerId: null,
      spawnerState: null,
      ...(request.userOptions !== undefined && { userOptions: request.userOptions }),
      ...(request.displayName !== undefined &&
        request.displayName !== '' &&
        server.name !== '' && { displayName: request.displayName }),
    })
    if (spawning === undefined) throw new HubError('server_pending')
    const operationId = await createOperation(
      tx,
      {
        serverId: server.id,
        userId: server.userId,
        kind: 'spawn',
        request: { actor: request.actor },
      },
      at,
    )
    await appendProgress(tx, { operationId, at, data: { ...requestedEvent } })
    await recordAudit(
      tx,
      { actor: request.actor, action: 'server.start', subject: fullName(server) },
      at,
    )
    return { server: spawning, operationId }
  })
}

/** After the lock: whoever disables the user next finds this start. */
async function requireEnabled(tx: WriteTransaction, userId: number): Promise<void> {
  const user = await findUserById(tx.db, userId)
  if (user === undefined) throw new HubError('user_not_found')
  if (user.disabled) throw new HubError('user_disabled')
}

/** Why a server is stopped, as far as the stop operation needs to know. */
export interface StopReason {
  readonly remove?: boolean
  /** Set when the stop cleans up after a failed start. */
  readonly failure?: SpawnFailure
}

/** Commits that a server shall stop; a pending start is cancelled. */
export async function requestStop(
  context: RequestContext,
  request: StopRequest,
): Promise<{ server: Server; operationId: number | undefined }> {
  const { store, now } = context
  return store.write(async (tx) => {
    await lockUser(tx, request.server.userId)
    const at = now()
    const server = await getServerById(tx.db, request.server.id)
    const remove = request.remove === true
    const audit = { actor: request.actor, subject: fullName(server) }
    switch (server.state.kind) {
      case 'stopped':
        if (remove) {
          await deleteServer(tx, server.id)
          await recordAudit(tx, { ...audit, action: 'server.remove' }, at)
        }
        return { server, operationId: undefined }
      case 'stopping': {
        const open = await listOpenOperations(tx.db, server.id)
        const stop = open.find((operation) => operation.kind === 'stop')
        // The running stop cannot be told any more; a second one, which finds nothing, removes.
        const operationId = remove ? await queueStop(tx, server, { remove }, at) : stop?.id
        return { server, operationId }
      }
      case 'spawning':
        await cancelSpawns(tx, server.id)
        break
      case 'ready':
        break
    }
    const operationId = await queueStop(tx, server, { remove }, at)
    const stopping = await updateServer(tx, server, {
      state: { kind: 'stopping', since: at },
      lastActivityAt: at,
    })
    if (stopping === undefined) throw new HubError('server_pending')
    await recordAudit(tx, { ...audit, action: 'server.stop' }, at)
    return { server: stopping, operationId }
  })
}

export function queueStop(
  tx: WriteTransaction,
  server: Server,
  reason: StopReason,
  now: Date,
): Promise<number> {
  const { remove, failure } = reason
  return createOperation(
    tx,
    {
      serverId: server.id,
      userId: server.userId,
      kind: 'stop',
      request: {
        ...(remove === true && { remove }),
        ...(failure !== undefined && {
          failure: {
            code: failure.code,
            status: failure.status,
            message: failure.message,
            ...(failure.htmlMessage !== undefined && { htmlMessage: failure.htmlMessage }),
            at: failure.at.getTime(),
          },
        }),
      },
    },
    now,
  )
}

async function checkLimits(tx: WriteTransaction, settings: LifecycleSettings): Promise<void> {
  const { activeServerLimit, concurrentSpawnLimit, queueSpawns } = settings
  if (activeServerLimit > 0) {
    const active = await countServersIn(tx.db, ['spawning', 'ready', 'stopping'])
    if (active >= activeServerLimit) throw new HubError('active_server_limit')
  }
  if (queueSpawns || concurrentSpawnLimit === 0) return
  const pending = await countOperations(tx.db, 'spawn', ['queued', 'running'])
  if (pending >= concurrentSpawnLimit) {
    const [low, high] = settings.throttleRetryRange
    const seconds = Math.floor(low + Math.random() * (high - low))
    throw new HubError('spawn_throttled', { headers: { 'Retry-After': String(seconds) } })
  }
}

function createRow(tx: WriteTransaction, request: StartRequest, now: Date): Promise<Server> {
  const { user, serverName, displayName } = request
  const shown = displayName === undefined || displayName === '' ? serverName : displayName
  return createServer(
    tx,
    { userId: user.id, name: serverName, displayName: serverName === '' ? '' : shown },
    now,
  )
}

export function fullName(server: Pick<Server, 'username' | 'name'>): string {
  return `${server.username}/${server.name}`
}

function describe(server: Server): string {
  return server.name === '' ? `${server.username}'s server` : fullName(server)
}
