import type { Selectable } from 'kysely'
import type { Operation, OperationKind, OperationState, OperationStep } from '../domain/records.ts'
import { type JsonObject, parseStoredObject } from '../util/json.ts'
import type { Executor } from './dialects/dialect.ts'
import { toDate, toDateOrNull } from './rows.ts'
import type { Schema } from './schema.ts'
import type { WriteTransaction } from './store.ts'

export interface NewOperation {
  readonly serverId: number
  readonly userId: number
  readonly kind: OperationKind
  readonly request: JsonObject
}

export async function createOperation(
  transaction: WriteTransaction,
  operation: NewOperation,
  now: Date,
): Promise<number> {
  const { id } = await transaction.db
    .insertInto('operations')
    .values({
      server_id: operation.serverId,
      user_id: operation.userId,
      kind: operation.kind,
      state: 'queued',
      step: 'requested',
      request: JSON.stringify(operation.request),
      attempt: 0,
      cancel_requested: 0,
      created_at: now.getTime(),
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  transaction.changed('operation', id)
  return id
}

export async function findOperation(db: Executor, id: number): Promise<Operation | undefined> {
  const row = await db.selectFrom('operations').selectAll().where('id', '=', id).executeTakeFirst()
  return row && toOperation(row)
}

/** Unfinished operations of a server, oldest first. */
export async function listOpenOperations(db: Executor, serverId: number): Promise<Operation[]> {
  const rows = await db
    .selectFrom('operations')
    .selectAll()
    .where('server_id', '=', serverId)
    .where('state', 'in', ['queued', 'running'])
    .orderBy('id')
    .execute()
  return rows.map(toOperation)
}

export async function findLastSpawn(
  db: Executor,
  serverId: number,
): Promise<Operation | undefined> {
  const row = await db
    .selectFrom('operations')
    .selectAll()
    .where('server_id', '=', serverId)
    .where('kind', '=', 'spawn')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row && toOperation(row)
}

export interface ClaimQuery {
  readonly now: Date
  readonly limit: number
  readonly kind: OperationKind
}

/** Work that nobody holds a live lease on, oldest first. */
export async function listClaimable(db: Executor, query: ClaimQuery): Promise<Operation[]> {
  const now = query.now.getTime()
  const rows = await db
    .selectFrom('operations')
    .selectAll()
    .where('kind', '=', query.kind)
    .where('state', 'in', ['queued', 'running'])
    .where((eb) => eb.or([eb('lease_expires_at', 'is', null), eb('lease_expires_at', '<', now)]))
    // One at a time per server: a stop waits for the start that it cancels.
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('operations as earlier')
            .select('earlier.id')
            .whereRef('earlier.server_id', '=', 'operations.server_id')
            .whereRef('earlier.id', '<', 'operations.id')
            .where('earlier.state', 'in', ['queued', 'running']),
        ),
      ),
    )
    .orderBy('id')
    .limit(query.limit)
    .execute()
  return rows.map(toOperation)
}

/** How many operations of a kind are in one of the states, each counted once whatever moves meanwhile. */
export async function countOperations(
  db: Executor,
  kind: OperationKind,
  states: readonly OperationState[],
): Promise<number> {
  const row = await db
    .selectFrom('operations')
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .where('kind', '=', kind)
    .where('state', 'in', states)
    .executeTakeFirstOrThrow()
  return row.total
}

/** Running starts by user, for a queue that is fair between users. */
export async function countRunningSpawnsByUser(db: Executor): Promise<Map<number, number>> {
  const rows = await db
    .selectFrom('operations')
    .select((eb) => ['user_id', eb.fn.countAll<number>().as('total')])
    .where('kind', '=', 'spawn')
    .where('state', '=', 'running')
    .groupBy('user_id')
    .execute()
  return new Map(rows.map((row) => [row.user_id, row.total]))
}

/** Queued starts in the order they were asked for, with their users. */
export async function listQueuedSpawns(
  db: Executor,
  limit: number,
): Promise<{ id: number; userId: number }[]> {
  return db
    .selectFrom('operations')
    .select(['id', 'user_id as userId'])
    .where('kind', '=', 'spawn')
    .where('state', '=', 'queued')
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** Takes the lease; exactly one of several hubs gets the operation. */
export async function claimOperation(
  transaction: WriteTransaction,
  operation: Operation,
  lease: { owner: string; now: Date; expiresAt: Date },
): Promise<Operation | undefined> {
  const row = await transaction.db
    .updateTable('operations')
    .set((eb) => ({
      state: 'running',
      owner: lease.owner,
      lease_expires_at: lease.expiresAt.getTime(),
      attempt: eb('attempt', '+', 1),
    }))
    .where('id', '=', operation.id)
    .where('attempt', '=', operation.attempt)
    .where('state', 'in', ['queued', 'running'])
    .where((eb) =>
      eb.or([eb('lease_expires_at', 'is', null), eb('lease_expires_at', '<', lease.now.getTime())]),
    )
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) return undefined
  transaction.changed('operation', operation.id)
  return toOperation(row)
}

/** Guards every later write of an operation: it must still be ours. */
export interface OperationHold {
  readonly id: number
  readonly owner: string
  readonly attempt: number
}

/** Extends the lease. @returns the operation as it is now, or `undefined` when it is no longer ours */
export async function renewLease(
  transaction: WriteTransaction,
  hold: OperationHold,
  expiresAt: Date,
): Promise<Operation | undefined> {
  const row = await held(transaction, hold)
    .set({ lease_expires_at: expiresAt.getTime() })
    .returningAll()
    .executeTakeFirst()
  return row && toOperation(row)
}

export interface OperationChanges {
  readonly state?: OperationState
  readonly step?: OperationStep
  readonly deadlineAt?: Date
  readonly finishedAt?: Date
}

/** @returns whether the operation was still ours */
export async function updateOperation(
  transaction: WriteTransaction,
  hold: OperationHold,
  changes: OperationChanges,
): Promise<boolean> {
  const result = await held(transaction, hold)
    .set({
      owner: hold.owner,
      ...(changes.state !== undefined && { state: changes.state }),
      ...(changes.step !== undefined && { step: changes.step }),
      ...(changes.deadlineAt !== undefined && { deadline_at: changes.deadlineAt.getTime() }),
      ...(changes.finishedAt !== undefined && {
        finished_at: changes.finishedAt.getTime(),
        lease_expires_at: null,
      }),
    })
    .executeTakeFirst()
  if (result.numUpdatedRows === 0n) return false
  transaction.changed('operation', hold.id)
  return true
}

/** Gives the operation back, to be claimed again by anybody after `notBefore`. */
export async function retryOperation(
  transaction: WriteTransaction,
  hold: OperationHold,
  notBefore: Date,
): Promise<void> {
  await held(transaction, hold)
    .set({ state: 'queued', owner: null, lease_expires_at: notBefore.getTime() })
    .execute()
}

/** Ends the server's waiting starts, and asks whoever runs one to give it up. */
export async function cancelSpawns(
  transaction: WriteTransaction,
  serverId: number,
): Promise<number[]> {
  await transaction.db
    .updateTable('operations')
    .set({ state: 'cancelled', finished_at: Date.now() })
    .where('server_id', '=', serverId)
    .where('kind', '=', 'spawn')
    .where('state', '=', 'queued')
    .execute()
  const rows = await transaction.db
    .updateTable('operations')
    .set({ cancel_requested: 1 })
    .where('server_id', '=', serverId)
    .where('kind', '=', 'spawn')
    .where('state', '=', 'running')
    .returning('id')
    .execute()
  for (const row of rows) transaction.changed('operation', row.id)
  return rows.map((row) => row.id)
}

/** Gives up the leases of one hub, or of all when the store has a single hub that has just started. */
export async function releaseLeases(transaction: WriteTransaction, owner?: string): Promise<void> {
  let query = transaction.db
    .updateTable('operations')
    .set({ lease_expires_at: null })
    .where('state', '=', 'running')
  if (owner !== undefined) query = query.where('owner', '=', owner)
  await query.execute()
}

/** Deletes finished operations, and with them their progress, but never a server's last start. */
export async function purgeOperations(
  transaction: WriteTransaction,
  finishedBefore: Date,
): Promise<void> {
  await transaction.db
    .deleteFrom('operations')
    .where('finished_at', '<', finishedBefore.getTime())
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('operations as later')
          .select('later.id')
          .whereRef('later.server_id', '=', 'operations.server_id')
          .whereRef('later.kind', '=', 'operations.kind')
          .whereRef('later.id', '>', 'operations.id'),
      ),
    )
    .execute()
}

export async function appendProgress(
  transaction: WriteTransaction,
  event: { operationId: number; at: Date; data: JsonObject },
): Promise<void> {
  await transaction.db
    .insertInto('progress_events')
    .values({
      operation_id: event.operationId,
      at: event.at.getTime(),
      data: JSON.stringify(event.data),
    })
    .execute()
  transaction.changed('progress', event.operationId)
}

/** Progress of an operation after the event with id `after`, oldest first. */
export async function listProgress(
  db: Executor,
  options: { operationId: number; after: number },
): Promise<{ id: number; data: JsonObject }[]> {
  const rows = await db
    .selectFrom('progress_events')
    .select(['id', 'data'])
    .where('operation_id', '=', options.operationId)
    .where('id', '>', options.after)
    .orderBy('id')
    .limit(200)
    .execute()
  return rows.map((row) => ({ id: row.id, data: parseStoredObject(row.data) ?? {} }))
}

function held(transaction: WriteTransaction, hold: OperationHold) {
  return transaction.db
    .updateTable('operations')
    .where('id', '=', hold.id)
    .where('owner', '=', hold.owner)
    .where('attempt', '=', hold.attempt)
    .where('state', '=', 'running')
}

function toOperation(row: Selectable<Schema['operations']>): Operation {
  return {
    id: row.id,
    serverId: row.server_id,
    userId: row.user_id,
    kind: row.kind === 'stop' ? 'stop' : 'spawn',
    state: row.state as OperationState, // written by this file only
    step: row.step as OperationStep, // written by this file only
    request: parseStoredObject(row.request) ?? {},
    owner: row.owner,
    leaseExpiresAt: toDateOrNull(row.lease_expires_at),
    deadlineAt: toDateOrNull(row.deadline_at),
    attempt: row.attempt,
    cancelRequested: row.cancel_requested === 1,
    createdAt: toDate(row.created_at),
    finishedAt: toDateOrNull(row.finished_at),
  }
}
