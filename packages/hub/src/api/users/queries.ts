import type { User } from '../../domain/records.ts'
import { listGroupNamesOf, listRoleNamesOf } from '../../storage/access.ts'
import { listServersOf } from '../../storage/servers.ts'
import type { Store } from '../../storage/store.ts'
import type { UserRecord } from './views.ts'

/** Servers, groups and roles of a page of users: three queries, however many users. */
export async function loadUserRecords(store: Store, users: readonly User[]): Promise<UserRecord[]> {
  const ids = users.map((user) => user.id)
  const [servers, groups, roles] = await Promise.all([
    listServersOf(store.db, ids),
    listGroupNamesOf(store.db, ids),
    listRoleNamesOf(store.db, ids),
  ])
  return users.map((user) => ({
    user,
    servers: servers.get(user.id) ?? [],
    groups: groups.get(user.id) ?? [],
    roles: roles.get(user.id) ?? [],
  }))
}

/** Users just created have roles and nothing else yet. */
export async function loadNewUserRecords(
  store: Store,
  users: readonly User[],
): Promise<UserRecord[]> {
  const roles = await listRoleNamesOf(
    store.db,
    users.map((user) => user.id),
  )
  return users.map((user) => {
    return { user, servers: [], groups: [], roles: roles.get(user.id) ?? [] }
  })
}

export async function loadUserRecord(store: Store, user: User): Promise<UserRecord> {
  const [record] = await loadUserRecords(store, [user])
  if (record === undefined) throw new TypeError('one user gives one record')
  return record
}
