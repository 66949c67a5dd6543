import { canServer } from '../domain/server-state.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { setGroupsOfUser } from '../storage/groups.ts'
import { listServersOf } from '../storage/servers.ts'
import type { Store, WriteTransaction } from '../storage/store.ts'
import { findUser, stripUserRoles, updateUser } from '../storage/users.ts'

/**
 * Takes the admin flag, all roles and all groups from blocked users, so that what they hold opens
 * nothing. Source: contract scopes-and-roles §6, §10.5.
 */
export async function stripBlockedUsers(
  tx: WriteTransaction,
  names: ReadonlySet<string>,
): Promise<void> {
  for (const name of names) {
    const user = await findUser(tx.db, name)
    if (user === undefined) continue
    if (user.admin) await updateUser(tx, user, { admin: false })
    await stripUserRoles(tx, user.id)
    await setGroupsOfUser(tx, user.id, [])
  }
}

/** Requests the stop of what blocked users run. */
export async function stopServersOfBlocked(
  hub: { readonly store: Store; readonly lifecycle: Pick<Lifecycle, 'stop'> },
  names: ReadonlySet<string>,
): Promise<void> {
  const { store, lifecycle } = hub
  for (const name of names) {
    const user = await findUser(store.db, name)
    if (user === undefined) continue
    const servers = (await listServersOf(store.db, [user.id])).get(user.id) ?? []
    for (const server of servers) {
      if (canServer('stop', server.state.kind)) await lifecycle.stop({ server, actor: 'hub' })
    }
  }
}
