import type { Principal } from '../../access/principal.ts'
import { HubError } from '../../domain/errors.ts'
import { parseDisplayName, shorten } from '../../domain/names.ts'
import type { Server, User } from '../../domain/records.ts'
import { canServer } from '../../domain/server-state.ts'
import { checkNamedServer, requireNamedServers } from '../../lifecycle/named-servers.ts'
import { recordAudit } from '../../storage/audit.ts'
import { createServer, findServer, updateServer } from '../../storage/servers.ts'
import { lockUser } from '../../storage/users.ts'
import type { JsonObject } from '../../util/json.ts'
import { actorOf, type ApiDeps } from '../context.ts'
import type { EditBody, StartBody, StopBody } from './schemas.ts'

/** Which server a request is about, and who asks. */
export interface ServerAddress {
  readonly principal: Principal
  readonly user: User
  /** `''` is the default server. */
  readonly serverName: string
}

interface StartChoices {
  readonly displayName?: string
  /** `undefined` re-uses those of the last start. */
  readonly userOptions?: JsonObject
}

/** Creates a stopped named server. Source: contract rest-api §8.3. */
export async function createStoppedServer(
  deps: ApiDeps,
  address: ServerAddress,
  body: StartBody,
): Promise<Server> {
  const { user, serverName: name } = address
  const { displayName = '', userOptions } = readChoices(body)
  const now = deps.now()
  return deps.store.write(async (tx) => {
    // Of several that are added at once each has to count the others.
    await lockUser(tx, user.id)
    const checked = { user, name, displayName, exists: false, addsOne: true }
    await checkNamedServer(tx.db, deps.settings, checked)
    const hasOptions = userOptions !== undefined && Object.keys(userOptions).length > 0
    const server = await createServer(
      tx,
      {
        userId: user.id,
        name,
        displayName: displayName === '' ? name : displayName,
        ...(hasOptions && { userOptions }),
      },
      now,
    )
    await recordAudit(tx, auditOf(address, 'server.create'), now)
    return server
  })
}

/**
 * Starts a server and waits a little. Fails as the start did, when that is known in time.
 * Source: contract rest-api §8.5.
 * @returns whether it is ready, or still on its way
 */
export async function startServer(
  deps: ApiDeps,
  address: ServerAddress,
  body: StartBody,
): Promise<'ready' | 'pending'> {
  const { lifecycle, settings, store } = deps
  const { user, serverName } = address
  const choices = readChoices(body)
  const found = await findServer(store.db, user.name, serverName)
  if (serverName !== '') {
    await checkNamedServer(store.db, settings, {
      user,
      name: serverName,
      displayName: choices.displayName,
      exists: found !== undefined,
      addsOne: true,
    })
  }
  if (found?.state.kind === 'spawning') return 'pending'
  if (found?.state.kind === 'ready') await lifecycle.verify(found)
  const { server } = await lifecycle.start({
    user,
    serverName,
    actor: actorOf(address.principal),
    ...choices,
  })
  if (settings.slowSpawnTimeoutMs <= 0) return 'pending'
  return outcomeOf(await lifecycle.settled(server.id, settings.slowSpawnTimeoutMs))
}

function defaultServerOf(user: User) {
  return { userId: user.id, name: '', displayName: '' }
}

function outcomeOf(server: Server | undefined): 'ready' | 'pending' {
  if (server?.state.kind === 'ready') return 'ready'
  if (server?.state.kind === 'spawning') return 'pending'
  if (server?.state.kind === 'stopped' && server.state.lastFailure !== undefined) {
    const { code, status, message } = server.state.lastFailure
    throw new HubError(code, { status, message })
  }
  throw new HubError('spawn_failed', { status: 400, message: 'Spawn cancelled' })
}

/** Source: contract rest-api §8.6. */
export async function stopServer(
  deps: ApiDeps,
  address: ServerAddress,
  body: StopBody,
): Promise<'stopped' | 'pending'> {
  const { lifecycle, settings, store } = deps
  const { serverName } = address
  const remove = isTruthy(body.remove)
  if (serverName !== '') requireNamedServers(settings)
  const server = await findServer(store.db, address.user.name, serverName)
  if (server === undefined && serverName !== '') throw noSuchServer(address)
  if (serverName === '' && remove) {
    throw new HubError('bad_request', { message: 'The default server cannot be removed' })
  }
  if (server === undefined) return 'stopped'
  const wasStopping = server.state.kind === 'stopping'
  await lifecycle.stop({ server, remove, actor: actorOf(address.principal) })
  if (wasStopping) return 'pending'
  const settled = await lifecycle.settled(server.id, settings.slowStopTimeoutMs)
  return settled === undefined || settled.state.kind === 'stopped' ? 'stopped' : 'pending'
}

/**
 * Renames or edits a stopped server.
 * Source: contract rest-api §8.7. Differs from JupyterHub: everything is checked, the display name
 * included, before anything changes.
 */
export async function editServer(
  deps: ApiDeps,
  address: ServerAddress,
  body: EditBody,
): Promise<Server> {
  const now = deps.now()
  const { user, serverName } = address
  return deps.store.write(async (tx) => {
    await lockUser(tx, user.id)
    const name = body.name ?? undefined
    const displayName = body.display_name ?? ''
    const taken =
      name !== undefined &&
      (name === '' || (await findServer(tx.db, user.name, name)) !== undefined)
    if (name !== undefined) {
      await checkNamedServer(tx.db, deps.settings, {
        user,
        name,
        displayName,
        exists: taken,
        addsOne: serverName === '',
      })
    } else if (displayName !== '') {
      requireNamedServers(deps.settings)
    }
    if (displayName !== '') parseDisplayName(displayName)
    const found = await findServer(tx.db, user.name, serverName)
    if (found === undefined && serverName !== '') throw noSuchServer(address)
    // The default server is there for everybody, though not in the database before its first use.
    const server = found ?? (await createServer(tx, defaultServerOf(user), now))
    if (!canServer('edit', server.state.kind)) throw new HubError('server_active')
    if (taken) throw new HubError('server_exists', { message: `Server ${name} already exists` })
    const shown = displayName === '' && server.displayName === '' ? name : displayName
    const changed = await updateServer(tx, server, {
      ...(name !== undefined && { name }),
      ...(shown !== undefined && shown !== '' && { displayName: shown }),
      ...(body.user_options !== undefined && { userOptions: body.user_options as JsonObject }), // parsed JSON
    })
    if (changed === undefined) throw new HubError('server_pending')
    const data = name === undefined ? {} : { name }
    await recordAudit(tx, { ...auditOf(address, 'server.update'), data }, now)
    return changed
  })
}

/** Source: contract rest-api §8.4. */
export function readChoices(body: StartBody): StartChoices {
  const isNamed = Object.hasOwn(body, 'display_name') || Object.hasOwn(body, 'user_options')
  if (!isNamed) {
    // Older clients send the options bare; an empty object is an empty body.
    return Object.keys(body).length === 0 ? {} : { userOptions: body as JsonObject } // parsed JSON
  }
  const { display_name: displayName, user_options: userOptions } = body
  return {
    ...(displayName !== undefined && { displayName }),
    ...(userOptions !== undefined &&
      userOptions !== null && { userOptions: userOptions as JsonObject }), // parsed JSON
  }
}

export function noSuchServer(address: Pick<ServerAddress, 'user' | 'serverName'>): HubError {
  return new HubError('server_not_found', {
    message: `${address.user.name} has no server named '${shorten(address.serverName, 100)}'`,
  })
}

function auditOf(address: ServerAddress, action: string) {
  const { principal, user, serverName } = address
  return { actor: actorOf(principal), action, subject: `${user.name}/${serverName}` }
}

/** Python's idea of true, which clients rely on: `0`, `""`, `[]` and `{}` are not. */
function isTruthy(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return Boolean(value)
  return Object.keys(value).length > 0
}
