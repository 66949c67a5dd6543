import type { Principal } from '../../access/principal.ts'
import { HubError } from '../../domain/errors.ts'
import { maxNameLength, normalizeUsername, shorten } from '../../domain/names.ts'
import type { Group } from '../../domain/records.ts'
import { recordAudit } from '../../storage/audit.ts'
import type { Executor } from '../../storage/dialects/dialect.ts'
import {
  addGroupMembers,
  createGroup,
  deleteGroup,
  findGroup,
  getGroup,
  removeGroupMembers,
  setGroupProperties,
} from '../../storage/groups.ts'
import type { WriteTransaction } from '../../storage/store.ts'
import { findUserIds } from '../../storage/users.ts'
import type { JsonObject } from '../../util/json.ts'
import { actorOf, type ApiDeps } from '../context.ts'
import type { BulkBody, MembersBody } from './schemas.ts'

/**
 * Creates groups in the order of the list, up to the first one that exists: those before it stay.
 * Source: contract rest-api §10.1.
 */
export async function createGroups(
  deps: ApiDeps,
  principal: Principal,
  body: BulkBody,
): Promise<Group[]> {
  body.groups.forEach(requireGroupName)
  const outcome = await deps.store.write(async (tx) => {
    const userIds = await requireUsers(deps, tx.db, body.users ?? [])
    const created: Group[] = []
    for (const name of body.groups) {
      if ((await findGroup(tx.db, name)) !== undefined) return { created, taken: name }
      created.push(await addGroup(tx, { deps, principal, name, userIds }))
    }
    return { created, taken: undefined }
  })
  if (outcome.taken !== undefined) throw groupExists(outcome.taken)
  return outcome.created
}

export async function createOneGroup(
  deps: ApiDeps,
  principal: Principal,
  request: { name: string; users: readonly string[] },
): Promise<Group> {
  const { name } = request
  requireGroupName(name)
  return deps.store.write(async (tx) => {
    if ((await findGroup(tx.db, name)) !== undefined) throw groupExists(name)
    const userIds = await requireUsers(deps, tx.db, request.users)
    return addGroup(tx, { deps, principal, name, userIds })
  })
}

async function addGroup(
  tx: WriteTransaction,
  input: { deps: ApiDeps; principal: Principal; name: string; userIds: readonly number[] },
): Promise<Group> {
  const { deps, principal, name, userIds } = input
  const group = await createGroup(tx, name)
  await addGroupMembers(tx, group.id, userIds)
  const data = { users: userIds.length }
  const audit = { actor: actorOf(principal), action: 'group.create', subject: name, data }
  await recordAudit(tx, audit, deps.now())
  return group
}

export async function removeGroup(
  deps: ApiDeps,
  principal: Principal,
  name: string,
): Promise<void> {
  await deps.store.write(async (tx) => {
    const group = await getGroup(tx.db, name)
    await deleteGroup(tx, group.id)
    const audit = { actor: actorOf(principal), action: 'group.delete', subject: name }
    await recordAudit(tx, audit, deps.now())
  })
}

/** Adds or removes members; a name that is no user changes nothing at all. */
export async function changeMembers(
  deps: ApiDeps,
  principal: Principal,
  request: { name: string; body: MembersBody; change: 'add' | 'remove' },
): Promise<Group> {
  const { name, body, change } = request
  return deps.store.write(async (tx) => {
    const group = await getGroup(tx.db, name)
    const userIds = await requireUsers(deps, tx.db, body.users)
    if (change === 'add') await addGroupMembers(tx, group.id, userIds)
    else await removeGroupMembers(tx, group.id, userIds)
    const audit = {
      actor: actorOf(principal),
      action: `group.${change}-users`,
      subject: name,
      data: { users: body.users.slice(0, 100) },
    }
    await recordAudit(tx, audit, deps.now())
    return group
  })
}

/** Replaces all properties. */
export async function replaceProperties(
  deps: ApiDeps,
  principal: Principal,
  request: { name: string; properties: JsonObject },
): Promise<Group> {
  const { name, properties } = request
  return deps.store.write(async (tx) => {
    const group = await getGroup(tx.db, name)
    await setGroupProperties(tx, group.id, properties)
    const data = { keys: Object.keys(properties).slice(0, 100) }
    const audit = { actor: actorOf(principal), action: 'group.properties', subject: name, data }
    await recordAudit(tx, audit, deps.now())
    return { ...group, properties }
  })
}

/** Any text is a group's name, as long as it fits and can be addressed. */
function requireGroupName(name: string): void {
  if (name !== '' && name.length <= maxNameLength) return
  throw new HubError('bad_request', {
    message: `Invalid group name: '${shorten(name, 100)}'. Use 1 to ${maxNameLength} characters.`,
  })
}

async function requireUsers(
  deps: ApiDeps,
  db: Executor,
  names: readonly string[],
): Promise<number[]> {
  const { usernameRules } = deps.settings
  const normalized = names.map((name) => normalizeUsername(name, usernameRules))
  const ids = await findUserIds(db, normalized)
  const unknown = normalized.find((name) => !ids.has(name))
  if (unknown !== undefined) {
    throw new HubError('bad_request', { message: `No such user: ${shorten(unknown, 100)}` })
  }
  return [...ids.values()]
}

function groupExists(name: string): HubError {
  return new HubError('group_exists', { message: `Group ${shorten(name, 100)} already exists` })
}
