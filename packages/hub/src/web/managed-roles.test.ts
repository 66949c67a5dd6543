import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Identity } from '../plugin-api/authenticator.ts'
import { findRole, listGroupNamesOf, listRoleNamesOf, putRole } from '../storage/access.ts'
import { ensureGroup } from '../storage/groups.ts'
import { findUser, stripUserRole } from '../storage/users.ts'
import { authenticateCredentials, type LoginRules } from './authenticate.ts'
import { startTestHub, type TestHub } from './web-test-kit.ts'

let hub: TestHub
beforeEach(async () => {
  hub = await startTestHub()
})
afterEach(() => hub.close())

const managedRoles = {
  isScope: (text: string) => text.startsWith('read:'),
  configuredRoles: new Set(['user', 'admin', 'kept']),
}

/** Signs in with an authenticator that answers with this. */
async function signIn(identity: Omit<Identity, 'name'>, rules: Partial<LoginRules>) {
  const { login } = hub.deps
  const authenticator = {
    ...login.authenticator,
    identify: async () => ({ name: 'ada', ...identity }),
  }
  const credentials = { username: 'ada', password: 'x', fields: {}, remoteAddress: '127.0.0.1' }
  const deps = { ...login, authenticator, rules: { ...login.rules, allowAll: true, ...rules } }
  return authenticateCredentials(deps, credentials)
}

async function rolesOfAda(): Promise<string> {
  const id = (await findUser(hub.store.db, 'ada'))?.id ?? 0
  return ((await listRoleNamesOf(hub.store.db, [id])).get(id) ?? []).toSorted().join(' ')
}

async function groupsOfAda(): Promise<string> {
  const id = (await findUser(hub.store.db, 'ada'))?.id ?? 0
  return ((await listGroupNamesOf(hub.store.db, [id])).get(id) ?? []).toSorted().join(' ')
}

test('every sign-in brings the default roles back, and takes admin from who lost the flag', async () => {
  await signIn({ admin: true }, {})
  expect(await rolesOfAda()).toBe('admin user')
  const ada = await findUser(hub.store.db, 'ada')
  await hub.store.write(async (tx) => {
    await stripUserRole(tx, ada?.id ?? 0, 'user')
    await tx.db.updateTable('users').set({ admin: 0 }).execute()
  })
  await signIn({ admin: null }, {})
  expect(await rolesOfAda()).toBe('user')
})

test('groups are those of the authenticator, exactly; none said is a fault of it', async () => {
  await signIn({ admin: null, groups: ['g1', 'g2'] }, { manageGroups: true })
  expect(await groupsOfAda()).toBe('g1 g2')
  await signIn({ admin: null, groups: ['g9'] }, { manageGroups: false })
  expect(await groupsOfAda()).toBe('g1 g2')
  await signIn({ admin: null, groups: null }, { manageGroups: true })
  expect(await groupsOfAda()).toBe('g1 g2')
  await signIn({ admin: null, groups: [] }, { manageGroups: true })
  expect(await groupsOfAda()).toBe('')
  await expect(signIn({ admin: null }, { manageGroups: true })).rejects.toMatchObject({
    code: 'internal',
  })
})

test('roles are those of the authenticator, exactly, the default ones included', async () => {
  await hub.store.write((tx) =>
    putRole(tx, { name: 'kept', description: 'x', scopes: ['read:hub'] }),
  )
  await hub.store.write((tx) => ensureGroup(tx, 'g1'))
  const tutor = { name: 'tutor', scopes: ['read:users'], groups: ['g1', 'ghost'] }
  await signIn(
    { admin: null, roles: [{ name: 'user' }, tutor, { name: 'kept' }] },
    { managedRoles },
  )
  expect(await rolesOfAda()).toBe('kept tutor user')
  // What is not given of a role stays as it is.
  expect(await findRole(hub.store.db, 'kept')).toMatchObject({ scopes: ['read:hub'] })
  expect(await hub.store.db.selectFrom('group_roles').selectAll().execute()).toHaveLength(1)
  await signIn({ admin: null, roles: null }, { managedRoles })
  expect(await rolesOfAda()).toBe('kept tutor user')
  await signIn({ admin: null, roles: [{ ...tutor, groups: [] }] }, { managedRoles })
  expect(await rolesOfAda()).toBe('tutor')
  await signIn({ admin: null, roles: [] }, { managedRoles })
  expect(await rolesOfAda()).toBe('')
  // Nobody has it, and no configuration names it.
  expect(await findRole(hub.store.db, 'tutor')).toBeUndefined()
  expect(await findRole(hub.store.db, 'kept')).toBeDefined()
})

test.each([
  [{ name: 'X' }],
  [{ name: 'tutor', scopes: ['nope'] }],
  [{ name: 'admin', scopes: ['read:hub'] }],
])('a role that cannot be, %j, fails the sign-in with 409 and changes nothing', async (role) => {
  await signIn({ admin: null }, {})
  const roles = [{ name: 'fresh', scopes: ['read:hub'] }, role]
  await expect(signIn({ admin: null, roles }, { managedRoles })).rejects.toMatchObject({
    code: 'role_conflict',
    status: 409,
  })
  expect([await rolesOfAda(), await findRole(hub.store.db, 'fresh')]).toEqual(['user', undefined])
})
