import { expect, it } from 'vitest'
import { createScopeRules } from '../../src/access/rbac-rules.ts'
import { noCustomScopes } from '../../src/rbac/custom-scopes.ts'
import { mergeRoles, type RoleEntry } from '../../src/startup/configured-roles.ts'
import { type InitialContent, loadInitialContent } from '../../src/startup/initial-content.ts'
import { findRole } from '../../src/storage/access.ts'
import { setGroupsOfUser } from '../../src/storage/groups.ts'
import { setRolesOfUser } from '../../src/storage/managed-roles.ts'
import { putService } from '../../src/storage/services.ts'
import type { Store } from '../../src/storage/store.ts'
import { createUser, findUser, grantUserRole } from '../../src/storage/users.ts'
import { describeStores } from '../support/stores.ts'

interface Settings extends Partial<Omit<InitialContent, 'roles'>> {
  readonly roles?: readonly RoleEntry[]
  readonly extraUserScopes?: readonly string[]
  /** Roles that the authenticator loads. */
  readonly managed?: readonly RoleEntry[]
}

const rules = createScopeRules(noCustomScopes)
const adminService: Parameters<typeof putService>[1] = {
  name: 's1',
  admin: true,
  url: '',
  command: [],
  info: {},
  display: true,
  oauthNoConfirm: false,
  fromConfig: false,
}

function contentOf(settings: Settings): InitialContent {
  const { roles = [], extraUserScopes = [], managed = [], ...others } = settings
  const isScope = (text: string) => rules.isScope(text)
  return {
    roles: mergeRoles({ entries: roles, extraUserScopes, isScope, isManaged: false, managed }),
    users: [],
    adminUsers: [],
    blockedUsers: new Set(),
    resetManagedRoles: false,
    groups: [],
    services: [],
    serviceTokens: {},
    apiTokens: {},
    usernameRules: {},
    trustTokens: true,
    baseUrl: '/',
    subdomains: undefined,
    ...others,
  }
}

/** What a start with this configuration does. */
const start = (store: Store, settings: Settings = {}) =>
  loadInitialContent(store, contentOf(settings), new Date())

/** `u:ada g:g1`: who has a role. */
async function holders(store: Store, role: string): Promise<string> {
  const id = (await findRole(store.db, role))?.id ?? 0
  const users = await store.db
    .selectFrom('user_roles')
    .innerJoin('users', 'users.id', 'user_roles.user_id')
    .select('users.name')
    .where('role_id', '=', id)
    .execute()
  const groups = await store.db
    .selectFrom('group_roles')
    .innerJoin('groups', 'groups.id', 'group_roles.group_id')
    .select('groups.name')
    .where('role_id', '=', id)
    .execute()
  const services = await store.db
    .selectFrom('service_roles')
    .innerJoin('services', 'services.id', 'service_roles.service_id')
    .select('services.name')
    .where('role_id', '=', id)
    .execute()
  const all = { u: users, g: groups, s: services }
  const names = Object.entries(all).flatMap(([kind, rows]) =>
    rows.map(({ name }) => `${kind}:${name}`),
  )
  return names.toSorted().join(' ')
}

describeStores('roles at start', (open) => {
  const isAdmin = async (store: Store, name: string) => (await findUser(store.db, name))?.admin
  const addUser = (store: Store, name: string, admin = false) =>
    store.write((tx) => createUser(tx, { name, admin }, new Date()))

  it('86, 88: a redefined role user keeps its members and goes back when it is left out', async () => {
    const store = await open()
    await start(store)
    await addUser(store, 'ada')
    await start(store, { roles: [{ name: 'user', scopes: ['self', 'read:hub'] }] })
    expect((await findRole(store.db, 'user'))?.scopes).toEqual(['self', 'read:hub'])
    expect(await holders(store, 'user')).toBe('u:ada')
    await start(store)
    expect((await findRole(store.db, 'user'))?.scopes).toEqual(['self'])
  })

  it('87: an empty list of users takes the role user from everybody', async () => {
    const store = await open()
    await start(store)
    await addUser(store, 'ada')
    await start(store, { roles: [{ name: 'user', users: [] }] })
    expect(await holders(store, 'user')).toBe('')
    await start(store, { roles: [{ name: 'user', users: [] }], users: ['ada', 'bob'] })
    expect(await holders(store, 'user')).toBe('u:ada u:bob')
  })

  it('89: what is left out is deleted, what stays has exactly the members it lists', async () => {
    const store = await open()
    const role = { name: 'tutor', description: 'Helps', scopes: ['read:hub'] }
    await start(store, { roles: [{ ...role, users: ['Ada', 'bob'], groups: ['g1'] }] })
    expect(await holders(store, 'tutor')).toBe('g:g1 u:ada u:bob')
    await start(store, { roles: [{ ...role, users: ['ada'] }] })
    expect(await holders(store, 'tutor')).toBe('u:ada')
    await start(store, { roles: [role] })
    expect(await holders(store, 'tutor')).toBe('')
    await start(store)
    expect(await findRole(store.db, 'tutor')).toBeUndefined()
    expect(await findRole(store.db, 'server')).toBeDefined()
  })

  it('90: members of the role admin have the flag, and lose both', async () => {
    const store = await open()
    await start(store, { roles: [{ name: 'admin', users: ['eddy'] }] })
    expect([await holders(store, 'admin'), await isAdmin(store, 'eddy')]).toEqual(['u:eddy', true])
    await start(store, { roles: [{ name: 'admin', users: [] }] })
    expect([await holders(store, 'admin'), await isAdmin(store, 'eddy')]).toEqual(['', false])
  })

  it('91: admin_users join the users of a configured role admin', async () => {
    const store = await open()
    await start(store, { adminUsers: ['old'] })
    await start(store)
    expect([await holders(store, 'admin'), await isAdmin(store, 'old')]).toEqual(['u:old', true])
    await start(store, { roles: [{ name: 'admin' }] })
    expect([await holders(store, 'admin'), await isAdmin(store, 'old')]).toEqual(['u:old', true])
    // Observed in JupyterHub 6.1: together they are the whole list.
    await start(store, { roles: [{ name: 'admin' }], adminUsers: ['eddy'] })
    expect([await holders(store, 'admin'), await isAdmin(store, 'old')]).toEqual(['u:eddy', false])
  })

  it('gives the flag to those with the role, and the role to those with the flag', async () => {
    const store = await open()
    await start(store)
    const [ada, bob] = [await addUser(store, 'ada'), await addUser(store, 'bob')]
    await store.write(async (tx) => {
      await grantUserRole(tx, ada.id, 'admin')
      await tx.db.updateTable('users').set({ admin: 1 }).where('id', '=', bob.id).execute()
    })
    await start(store)
    expect(await isAdmin(store, 'ada')).toBe(true)
    expect(await holders(store, 'admin')).toBe('u:ada u:bob')
  })

  it('93: an unknown service is an error, unknown groups and users are created', async () => {
    const store = await open()
    const role = { name: 'tutor', scopes: [] }
    await expect(start(store, { roles: [{ ...role, services: ['s1'] }] })).rejects.toThrow(
      /JupyterHub.load_roles gives role 'tutor' to the service 's1'/,
    )
    expect(await findRole(store.db, 'tutor')).toBeUndefined()
    await start(store, { roles: [{ ...role, users: ['new'], groups: ['gnew'] }] })
    expect(await holders(store, 'tutor')).toBe('g:gnew u:new')
    expect(await holders(store, 'user')).toBe('u:new')
    await expect(start(store, { roles: [{ ...role, users: ['a/b'] }] })).rejects.toThrow(/'a\/b'/)
  })

  it('lets the role admin of services follow their flag, or the flag the list', async () => {
    const store = await open()
    await start(store)
    await store.write((tx) => putService(tx, adminService))
    await start(store)
    expect(await holders(store, 'admin')).toBe('s:s1')
    await start(store, { roles: [{ name: 'admin', services: [] }] })
    expect(await holders(store, 'admin')).toBe('')
  })

  it('adds to groups and replaces properties that are given', async () => {
    const store = await open()
    await start(store, {
      groups: [{ name: 'g1', users: ['ada'], properties: { seats: 1 } }],
    })
    await start(store, { groups: [{ name: 'g1', users: ['bob'] }] })
    const group = async () => {
      const row = await store.db.selectFrom('groups').selectAll().executeTakeFirstOrThrow()
      const members = await store.db.selectFrom('group_members').select('user_id').execute()
      return [row.name, row.properties, members.length]
    }
    expect(await group()).toEqual(['g1', '{"seats":1}', 2])
    await start(store, { groups: [{ name: 'g1', users: [], properties: {} }] })
    expect(await group()).toEqual(['g1', '{}', 2])
    await start(store)
    expect(await group()).toEqual(['g1', '{}', 2])
  })

  it('takes everything from blocked users, also what the configuration just gave', async () => {
    const store = await open()
    await start(store)
    const eve = await addUser(store, 'eve', true)
    await store.write((tx) => setGroupsOfUser(tx, eve.id, ['g1']))
    const roles = [{ name: 'tutor', scopes: ['read:hub'], users: ['eve', 'ada'] }]
    await start(store, { roles, blockedUsers: new Set(['eve', 'ghost']) })
    expect(await isAdmin(store, 'eve')).toBe(false)
    expect(await holders(store, 'tutor')).toBe('u:ada')
    expect(await holders(store, 'user')).toBe('u:ada')
    expect(await store.db.selectFrom('group_members').selectAll().execute()).toEqual([])
    expect(await findUser(store.db, 'ghost')).toBeUndefined()
  })

  it('keeps what the authenticator said, until it is told to forget', async () => {
    const store = await open()
    await start(store)
    const ada = await addUser(store, 'ada')
    const login = (names: readonly string[]) =>
      store.write((tx) => setRolesOfUser(tx, ada.id, { names, configured: new Set(['user']) }))
    await start(store, { managed: [{ name: 'tutor', scopes: ['read:hub'], users: ['bob'] }] })
    expect(await holders(store, 'tutor')).toBe('u:bob')
    await login(['tutor', 'user'])
    await start(store)
    expect(await holders(store, 'tutor')).toBe('u:ada u:bob')
    await start(store, { managed: [{ name: 'tutor', scopes: [] }], resetManagedRoles: true })
    expect(await holders(store, 'tutor')).toBe('u:ada u:bob')
    const other = { name: 'other', scopes: [] }
    await start(store, { managed: [other], resetManagedRoles: true })
    expect([await findRole(store.db, 'tutor'), await holders(store, 'user')]).toEqual([
      undefined,
      'u:ada u:bob',
    ])
  })

  it('brings extra_user_scopes to the role user unless load_roles sets its scopes', async () => {
    const store = await open()
    const scopes = async () => (await findRole(store.db, 'user'))?.scopes
    await start(store, { extraUserScopes: ['read:hub'] })
    expect(await scopes()).toEqual(['self', 'read:hub'])
    await start(store, { extraUserScopes: ['read:hub'], roles: [{ name: 'user', users: [] }] })
    expect(await scopes()).toEqual(['self', 'read:hub'])
    const own = [{ name: 'user', scopes: ['self', 'proxy'] }]
    await start(store, { extraUserScopes: ['read:hub'], roles: own })
    expect(await scopes()).toEqual(['self', 'proxy'])
  })
})

const adminScopes = mergeRoles({
  entries: [],
  extraUserScopes: [],
  isScope: () => true,
  isManaged: false,
}).find(({ name }) => name === 'admin')?.scopes

it.each<[string, Partial<Parameters<typeof mergeRoles>[0]>, RegExp | undefined]>([
  ['92: other scopes of admin', { entries: [{ name: 'admin', scopes: ['self'] }] }, /'admin'/],
  ['another description of admin', { entries: [{ name: 'admin', description: 'x' }] }, /'admin'/],
  ['the same scopes of admin', { entries: [{ name: 'admin', scopes: adminScopes }] }, undefined],
  ['a short name', { entries: [{ name: 'ab' }] }, /load_roles: 'ab' is no name/],
  ['capitals', { entries: [{ name: 'Tutor' }] }, /'Tutor' is no name/],
  ['a name twice', { entries: [{ name: 'tut' }, { name: 'tut' }] }, /the role 'tut' twice/],
  ['an unknown scope', { entries: [{ name: 'tut', scopes: ['read:x'] }] }, /'tut'.*'read:x'/],
  ['an empty filter', { entries: [{ name: 'tut', scopes: ['users!user='] }] }, /'users!user='/],
  ["the draft's all", { entries: [{ name: 'tut', scopes: ['all'] }] }, /called 'inherit'/],
  ['no scopes', { entries: [{ name: 'tut' }] }, undefined],
  ['unknown extra scopes', { extraUserScopes: ['nope'] }, /extra_user_scopes.*'nope'/],
  [
    'users of a role while the authenticator manages roles',
    { entries: [{ name: 'tut', users: ['ada'] }], isManaged: true },
    /Authenticator.manage_roles/,
  ],
  [
    'services of a role while the authenticator manages roles',
    { entries: [{ name: 'tut', services: ['s'] }], isManaged: true },
    undefined,
  ],
])('%s', (_what, configuration, problem) => {
  const isScope = (text: string) => rules.isScope(text)
  const merge = () =>
    mergeRoles({ entries: [], extraUserScopes: [], isScope, isManaged: false, ...configuration })
  if (problem === undefined) expect(merge).not.toThrow()
  else expect(merge).toThrow(problem)
})
