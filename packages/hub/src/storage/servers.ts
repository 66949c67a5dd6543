import type { Selectable } from 'kysely'
import { HubError } from '../domain/errors.ts'
import type { Server } from '../domain/records.ts'
import { isServerTransition, type ServerState, type SpawnFailure } from '../domain/server-state.ts'
import { type JsonObject, parseStoredObject } from '../util/json.ts'
import type { Executor } from './dialects/dialect.ts'
import { inIds, inNames } from './lists.ts'
import { toDate, toDateOrNull } from './rows.ts'
import type { Schema } from './schema.ts'
import type { WriteTransaction } from './store.ts'

type ServerRow = Selectable<Schema['servers']> & { username: string }

function selectServers(db: Executor) {
  return db
    .selectFrom('servers')
    .innerJoin('users', 'users.id', 'servers.user_id')
    .selectAll('servers')
    .select('users.name as username')
}

export async function findServer(
  db: Executor,
  username: string,
  serverName: string,
): Promise<Server | undefined> {
  const row = await selectServers(db)
    .where('users.name', '=', username)
    .where('servers.name', '=', serverName)
    .executeTakeFirst()
  return row && toServer(row)
}

export async function findServerById(db: Executor, id: number): Promise<Server | undefined> {
  const row = await selectServers(db).where('servers.id', '=', id).executeTakeFirst()
  return row && toServer(row)
}

/** All servers of the given users, in one query, by user id and name. */
export async function listServersOf(
  db: Executor,
  userIds: readonly number[],
): Promise<Map<number, Server[]>> {
  const byUser = new Map<number, Server[]>()
  if (userIds.length === 0) return byUser
  const rows = await selectServers(db)
    .where('servers.user_id', 'in', inIds(db, userIds))
    .orderBy('servers.name')
    .execute()
  for (const row of rows) {
    const list = byUser.get(row.user_id)
    if (list === undefined) byUser.set(row.user_id, [toServer(row)])
    else list.push(toServer(row))
  }
  return byUser
}

/** Every server in one of the given states. */
export async function listServersIn(
  db: Executor,
  states: readonly ServerState['kind'][],
): Promise<Server[]> {
  const rows = await selectServers(db)
    .where('servers.state', 'in', [...states])
    .execute()
  return rows.map(toServer)
}

/** Every server but the default ones. */
export async function listNamedServers(db: Executor): Promise<Server[]> {
  const rows = await selectServers(db).where('servers.name', '!=', '').execute()
  return rows.map(toServer)
}

/** Servers by state, for the limits. */
export async function countServersIn(
  db: Executor,
  states: readonly ServerState['kind'][],
): Promise<number> {
  const row = await db
    .selectFrom('servers')
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .where('state', 'in', [...states])
    .executeTakeFirstOrThrow()
  return row.total
}

/** Named servers of a user, running or not. */
export async function countNamedServers(db: Executor, userId: number): Promise<number> {
  const row = await db
    .selectFrom('servers')
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .where('user_id', '=', userId)
    .where('name', '!=', '')
    .executeTakeFirstOrThrow()
  return row.total
}

export interface NewServer {
  readonly userId: number
  readonly name: string
  readonly displayName: string | null
  readonly userOptions?: JsonObject | null
}

/** @throws HubError `server_exists` */
export async function createServer(
  transaction: WriteTransaction,
  server: NewServer,
  now: Date,
): Promise<Server> {
  const row = await transaction.db
    .insertInto('servers')
    .values({
      user_id: server.userId,
      name: server.name,
      display_name: server.displayName,
      state: 'stopped',
      state_since: now.getTime(),
      version: 0,
      created_at: now.getTime(),
      user_options: toJsonOrNull(server.userOptions ?? null),
    })
    .onConflict((conflict) => conflict.columns(['user_id', 'name']).doNothing())
    .returning('id')
    .executeTakeFirst()
  if (row === undefined) throw new HubError('server_exists')
  transaction.changed('server', row.id)
  return getServerById(transaction.db, row.id)
}

export async function ensureServer(
  transaction: WriteTransaction,
  server: NewServer,
  now: Date,
): Promise<Server> {
  const found = await selectServers(transaction.db)
    .where('servers.user_id', '=', server.userId)
    .where('servers.name', '=', server.name)
    .executeTakeFirst()
  return found === undefined ? createServer(transaction, server, now) : toServer(found)
}

/** Columns that change together with, or without, the state. */
export interface ServerChanges {
  readonly state?: ServerState
  readonly name?: string
  readonly displayName?: string
  readonly userOptions?: JsonObject | null
  readonly runId?: string | null
  readonly startedAt?: Date | null
  readonly lastActivityAt?: Date
  readonly spawnerId?: string | null
  readonly spawnerState?: JsonObject | null
  readonly jupyterhubVersion?: string | null
}

/**
 * Changes a server, guarded by its version: exactly one of two concurrent writers wins.
 * @returns the new row, or `undefined` when somebody else changed the server meanwhile
 */
export async function updateServer(
  transaction: WriteTransaction,
  server: Server,
  changes: ServerChanges,
): Promise<Server | undefined> {
  const { state } = changes
  if (
    state !== undefined &&
    state.kind !== server.state.kind &&
    !isServerTransition(server.state.kind, state.kind)
  ) {
    throw new TypeError(`a server cannot go from ${server.state.kind} to ${state.kind}`)
  }
  const result = await transaction.db
    .updateTable('servers')
    .set({
      version: server.version + 1,
      ...(state !== undefined && stateColumns(state)),
      ...(changes.name !== undefined && { name: changes.name }),
      ...(changes.displayName !== undefined && { display_name: changes.displayName }),
      ...(changes.userOptions !== undefined && { user_options: toJsonOrNull(changes.userOptions) }),
      ...(changes.runId !== undefined && { run_id: changes.runId }),
      ...(changes.startedAt !== undefined && { started_at: changes.startedAt?.getTime() ?? null }),
      ...(changes.lastActivityAt !== undefined && {
        last_activity_at: changes.lastActivityAt.getTime(),
      }),
      ...(changes.spawnerId !== undefined && { spawner_id: changes.spawnerId }),
      ...(changes.spawnerState !== undefined && {
        spawner_state: toJsonOrNull(changes.spawnerState),
      }),
      ...(changes.jupyterhubVersion !== undefined && {
        jupyterhub_version: changes.jupyterhubVersion,
      }),
    })
    .where('id', '=', server.id)
    .where('version', '=', server.version)
    .executeTakeFirst()
  if (result.numUpdatedRows === 0n) return undefined
  transaction.changed('server', server.id)
  return getServerById(transaction.db, server.id)
}

/** Moves `last_activity` forward; leaves the version alone, for it is not part of the life. */
export async function touchServer(
  transaction: WriteTransaction,
  id: number,
  at: Date,
): Promise<void> {
  await transaction.db
    .updateTable('servers')
    .set({ last_activity_at: at.getTime() })
    .where('id', '=', id)
    .where((eb) =>
      eb.or([eb('last_activity_at', 'is', null), eb('last_activity_at', '<', at.getTime())]),
    )
    .execute()
}

/** When the servers of these users were last active, by `user/server`. */
export async function listLastActivity(
  db: Executor,
  usernames: readonly string[],
): Promise<Map<string, Date>> {
  if (usernames.length === 0) return new Map()
  const rows = await db
    .selectFrom('servers')
    .innerJoin('users', 'users.id', 'servers.user_id')
    .select(['users.name as user', 'servers.name as server', 'servers.last_activity_at as at'])
    .where('users.name', 'in', inNames(db, usernames))
    .where('servers.last_activity_at', 'is not', null)
    .execute()
  return new Map(rows.map(({ user, server, at }) => [`${user}/${server}`, toDate(at ?? 0)]))
}

/** Deletes the row with its operations, tokens, client and shares. */
export async function deleteServer(transaction: WriteTransaction, id: number): Promise<void> {
  await transaction.db.deleteFrom('servers').where('id', '=', id).execute()
  transaction.changed('server', id)
}

/** @throws HubError `server_not_found` */
export async function getServerById(db: Executor, id: number): Promise<Server> {
  const server = await findServerById(db, id)
  if (server === undefined) throw new HubError('server_not_found')
  return server
}

function stateColumns(state: ServerState) {
  switch (state.kind) {
    case 'stopped':
      return {
        state: state.kind,
        state_since: Date.now(),
        target: null,
        started_at: null,
        failure: state.lastFailure === undefined ? null : failureToText(state.lastFailure),
      }
    case 'spawning':
      return {
        state: state.kind,
        state_since: state.since.getTime(),
        target: null,
        failure: null,
      }
    case 'ready':
      return {
        state: state.kind,
        state_since: state.startedAt.getTime(),
        started_at: state.startedAt.getTime(),
        target: state.target.origin,
      }
    case 'stopping':
      return { state: state.kind, state_since: state.since.getTime() }
  }
}

function toServer(row: ServerRow): Server {
  return {
    id: row.id,
    userId: row.user_id,
    username: row.username,
    name: row.name,
    displayName: row.display_name,
    state: toState(row),
    version: row.version,
    runId: row.run_id,
    startedAt: toDateOrNull(row.started_at),
    lastActivityAt: toDateOrNull(row.last_activity_at),
    createdAt: toDate(row.created_at),
    userOptions: parseStoredObject(row.user_options) ?? null,
    spawnerId: row.spawner_id,
    spawnerState: parseStoredObject(row.spawner_state) ?? null,
    jupyterhubVersion: row.jupyterhub_version,
  }
}

function toState(row: ServerRow): ServerState {
  switch (row.state) {
    case 'spawning':
      return { kind: 'spawning', since: toDate(row.state_since) }
    case 'stopping':
      return { kind: 'stopping', since: toDate(row.state_since) }
    case 'ready':
      return {
        kind: 'ready',
        startedAt: toDate(row.started_at ?? row.state_since),
        target: new URL(row.target ?? 'http://127.0.0.1:1'),
      }
    case 'stopped': {
      const lastFailure = failureFromText(row.failure)
      return lastFailure === undefined ? { kind: 'stopped' } : { kind: 'stopped', lastFailure }
    }
    default:
      throw new TypeError(`server ${row.id} is stored with the unknown state '${row.state}'`)
  }
}

function failureToText(failure: SpawnFailure): string {
  return JSON.stringify({ ...failure, at: failure.at.getTime() })
}

function failureFromText(text: string | null): SpawnFailure | undefined {
  const stored = parseStoredObject(text)
  if (stored === undefined) return undefined
  const { code, status, message, htmlMessage, at } = stored
  return {
    code: code === 'spawn_timeout' ? 'spawn_timeout' : 'spawn_failed',
    status: typeof status === 'number' ? status : 500,
    message: typeof message === 'string' ? message : 'The server failed to start',
    ...(typeof htmlMessage === 'string' && { htmlMessage }),
    at: new Date(typeof at === 'number' ? at : 0),
  }
}

function toJsonOrNull(value: JsonObject | null): string | null {
  return value === null ? null : JSON.stringify(value)
}
