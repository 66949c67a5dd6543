import type { Principal } from '../../access/principal.ts'
import { HubError } from '../../domain/errors.ts'
import { isValidUsername, normalizeUsername, shorten } from '../../domain/names.ts'
import type { User } from '../../domain/records.ts'
import { canServer } from '../../domain/server-state.ts'
import { recordAudit } from '../../storage/audit.ts'
import { createUsersAtOnce, recordAudits } from '../../storage/bulk-users.ts'
import type { Executor } from '../../storage/dialects/dialect.ts'
import { setUserDisabled } from '../../storage/disabled-users.ts'
import { listServersOf } from '../../storage/servers.ts'
import {
  deleteUser,
  findUser,
  findUserIds,
  findUserById,
  getUser,
  updateUser,
} from '../../storage/users.ts'
import type { JsonObject } from '../../util/json.ts'
import { actorOf, type ApiDeps } from '../context.ts'
import type { BulkBody, CreateBody, EditBody } from './schemas.ts'

/** Creates the users of a list that do not exist yet. Source: contract rest-api §7.4. */
export async function createUsers(
  deps: ApiDeps,
  principal: Principal,
  body: BulkBody,
): Promise<User[]> {
  requireAdminToMakeAdmin(principal, body)
  const { usernameRules } = deps.settings
  const names = [...new Set(body.usernames.map((name) => normalizeUsername(name, usernameRules)))]
  requireAdminForNames(deps, principal, names)
  const invalid = names.filter((name) => !isValidUsername(name, usernameRules))
  if (invalid.length > 0) {
    const label = invalid.length === 1 ? 'Invalid username' : 'Invalid usernames'
    const list = invalid.map((name) => shorten(name, 100)).join(', ')
    throw new HubError('username_invalid', { message: shorten(`${label}: ${list}`) })
  }
  const existing = await findUserIds(deps.store.db, names)
  const fresh = names.filter((name) => !existing.has(name))
  if (fresh.length === 0) throw allExist(names)
  const { accepted, refused } = await askAuthenticator(deps, fresh)
  const created = await addUsers(deps, principal, { names: accepted, admin: body.admin === true })
  if (refused !== undefined) throw refused
  // Somebody else was faster.
  if (created.length === 0) throw allExist(names)
  return created
}

function allExist(names: readonly string[]): HubError {
  return new HubError('user_exists', { message: `All ${names.length} users already exist` })
}

/** The names before the first one that the authenticator refuses. */
async function askAuthenticator(
  deps: ApiDeps,
  names: readonly string[],
): Promise<{ accepted: readonly string[]; refused?: HubError }> {
  const { beforeUserCreated } = deps
  if (beforeUserCreated === undefined) return { accepted: names }
  for (const [index, name] of names.entries()) {
    try {
      await beforeUserCreated(name)
    } catch (cause) {
      return { accepted: names.slice(0, index), refused: refusedBy(name, cause) }
    }
  }
  return { accepted: names }
}

function refusedBy(name: string, cause: unknown): HubError {
  const message = `The authenticator refused the user ${shorten(name, 100)}`
  return new HubError('bad_request', { message, cause })
}

/** In one transaction, however many. */
async function addUsers(
  deps: ApiDeps,
  principal: Principal,
  users: { names: readonly string[]; admin: boolean },
): Promise<User[]> {
  const now = deps.now()
  const actor = actorOf(principal)
  const data = { admin: users.admin }
  return deps.store.write(async (tx) => {
    const created = await createUsersAtOnce(tx, users, now)
    const events = created.map(({ name }) => {
      return { actor, action: 'user.create', subject: name, data }
    })
    await recordAudits(tx, events, now)
    return created
  })
}

/** Creates a user of exactly this name. Source: contract rest-api §7.5. */
export async function createOneUser(
  deps: ApiDeps,
  principal: Principal,
  request: { name: string; body: CreateBody },
): Promise<User> {
  requireAdminToMakeAdmin(principal, request.body)
  if (!isValidUsername(request.name, deps.settings.usernameRules)) {
    throw new HubError('username_invalid', {
      message: `Invalid username: ${shorten(request.name, 100)}`,
    })
  }
  requireAdminForNames(deps, principal, [request.name])
  const { accepted, refused } = await askAuthenticator(deps, [request.name])
  if (refused !== undefined) throw refused
  const admin = request.body.admin === true
  const [created] = await addUsers(deps, principal, { names: accepted, admin })
  if (created === undefined) {
    throw new HubError('user_exists', { message: `User ${request.name} already exists` })
  }
  return created
}

/** Source: contract rest-api §7.5 (PATCH). */
export async function editUser(
  deps: ApiDeps,
  principal: Principal,
  request: { user: User; body: EditBody },
): Promise<User> {
  const { body } = request
  const now = deps.now()
  return deps.store.write(async (tx) => {
    const user = (await findUserById(tx.db, request.user.id)) ?? request.user
    const name = body.name ?? user.name
    if (name !== user.name) {
      requireAdminForNames(deps, principal, [name])
      if ((await findUser(tx.db, name)) !== undefined) {
        throw new HubError('bad_request', {
          message: `User ${shorten(name, 100)} already exists, username must be unique`,
        })
      }
      if (!isValidUsername(name, deps.settings.usernameRules)) {
        throw new HubError('username_invalid', {
          message: `Invalid username: ${shorten(name, 100)}`,
        })
      }
      await requireNoActiveServer(tx.db, user)
    }
    if (user.admin && !principal.admin) {
      throw new HubError('forbidden', { message: 'Only administrators may change administrators' })
    }
    requireAdminToMakeAdmin(principal, body)
    if (body.disabled === true && principal.kind === 'user' && principal.id === user.id) {
      throw new HubError('bad_request', { message: 'Cannot disable yourself!' })
    }
    if (body.auth_state !== undefined) {
      await deps.authStates.save(tx, user.id, body.auth_state as JsonObject) // parsed JSON
    }
    const changed = await updateUser(tx, user, {
      ...(name !== user.name && { name }),
      ...(body.admin !== undefined && body.admin !== user.admin && { admin: body.admin }),
    })
    const { disabled } = body
    // Again for one who is disabled already: what slipped in ends as well.
    if (disabled !== undefined) await setUserDisabled(tx, user.id, disabled)
    const data = {
      ...(name !== user.name && { name }),
      admin: changed.admin,
      ...(disabled !== undefined && { disabled }),
    }
    await recordAudit(
      tx,
      { actor: actorOf(principal), action: 'user.update', subject: user.name, data },
      now,
    )
    return disabled === undefined ? changed : { ...changed, disabled }
  })
}

/**
 * Differs from JupyterHub: its running servers, which are started under the old name, would answer
 * at paths that no longer exist; the rename waits until they are stopped.
 */
async function requireNoActiveServer(db: Executor, user: User): Promise<void> {
  const servers = (await listServersOf(db, [user.id])).get(user.id) ?? []
  if (servers.some((server) => server.state.kind !== 'stopped')) {
    throw new HubError('server_active', {
      message: `${user.name} has active servers; stop them before renaming`,
    })
  }
}

/**
 * Stops every server of the user, then deletes the user.
 * Differs from JupyterHub: active named and starting servers are stopped too, not a 500.
 */
export async function removeUser(deps: ApiDeps, principal: Principal, user: User): Promise<void> {
  if (user.name === principal.name) {
    throw new HubError('bad_request', { message: 'Cannot delete yourself!' })
  }
  await stopServersOf(deps, principal, user)
  const now = deps.now()
  await deps.store.write(async (tx) => {
    const servers = (await listServersOf(tx.db, [user.id])).get(user.id) ?? []
    // A start that slipped in between would be left running without an owner.
    if (servers.some((server) => server.state.kind !== 'stopped')) throw stillActive(user)
    await deleteUser(tx, user.id)
    await recordAudit(
      tx,
      { actor: actorOf(principal), action: 'user.delete', subject: user.name },
      now,
    )
  })
}

async function stopServersOf(deps: ApiDeps, principal: Principal, user: User): Promise<void> {
  const { lifecycle, settings, store } = deps
  const servers = (await listServersOf(store.db, [user.id])).get(user.id) ?? []
  const actor = actorOf(principal)
  for (const server of servers) {
    if (canServer('stop', server.state.kind)) await lifecycle.stop({ server, actor })
  }
  const active = servers.filter((server) => server.state.kind !== 'stopped')
  const settled = await Promise.all(
    active.map((server) => lifecycle.settled(server.id, settings.slowStopTimeoutMs)),
  )
  if (settled.some((server) => server !== undefined && server.state.kind !== 'stopped')) {
    throw stillActive(user)
  }
}

function stillActive(user: User): HubError {
  return new HubError('server_pending', {
    message: `Servers of ${user.name} are still stopping; try again when they have stopped`,
  })
}

/** Source: contract rest-api §7.4 step 3. */
function requireAdminToMakeAdmin(principal: Principal, body: { readonly admin?: boolean }): void {
  if (body.admin === true && !principal.admin) {
    throw new HubError('forbidden', { message: 'Only administrators may make administrators' })
  }
}

/**
 * A name of `admin_users` is as good as the flag: whoever has it is an administrator from the next
 * sign-in or start on. Differs from JupyterHub, where `admin:users` is enough to take one.
 */
function requireAdminForNames(deps: ApiDeps, principal: Principal, names: readonly string[]): void {
  const { adminUsers, usernameRules } = deps.settings
  const isAdminName = (name: string) => adminUsers.has(normalizeUsername(name, usernameRules))
  if (principal.admin || !names.some(isAdminName)) return
  throw new HubError('forbidden', {
    message: 'Only administrators may use a name of Authenticator.admin_users',
  })
}

/** The user, for a caller who may know that it is absent. @throws HubError `user_not_found` */
export function loadUser(deps: Pick<ApiDeps, 'store'>, name: string): Promise<User> {
  return getUser(deps.store.db, name)
}
