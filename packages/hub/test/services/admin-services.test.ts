import { expect, test } from 'vitest'
import { type InitialContent, loadInitialContent } from '../../src/startup/initial-content.ts'
import { listRolesOfService } from '../../src/storage/access.ts'
import { findService } from '../../src/storage/services.ts'
import type { Store } from '../../src/storage/store.ts'
import { describeStores } from '../support/stores.ts'

const service = {
  name: 'dash',
  admin: false,
  url: '',
  command: [],
  info: {},
  display: true,
  apiToken: undefined,
  oauthClientAllowedScopes: [],
  oauthRoles: [],
  oauthNoConfirm: false,
  oauthClientId: undefined,
  oauthRedirectUri: undefined,
}

async function load(
  store: Store,
  admin: boolean,
  listed?: readonly string[],
): Promise<{ admin: boolean | undefined; roles: string[] }> {
  const isConfigured = listed !== undefined
  const adminRole = {
    name: 'admin',
    description: '',
    scopes: ['admin:users'],
    isConfigured,
    isManaged: false,
  }
  const content: InitialContent = {
    roles: [{ ...adminRole, ...(listed !== undefined && { services: listed }) }],
    users: [],
    adminUsers: [],
    blockedUsers: new Set(),
    resetManagedRoles: false,
    groups: [],
    services: [{ ...service, admin }],
    apiTokens: {},
    serviceTokens: {},
    baseUrl: '/',
    usernameRules: {},
    trustTokens: true,
  }
  await loadInitialContent(store, content, new Date())
  const found = await findService(store.db, 'dash')
  const roles = found === undefined ? [] : await listRolesOfService(store.db, found.id)
  return { admin: found?.admin, roles: roles.map((role) => role.name) }
}

describeStores('the admin flag of a service', (open) => {
  test('gives the role admin, and takes it away when it is gone', async () => {
    const store = await open()
    expect(await load(store, true)).toEqual({ admin: true, roles: ['admin'] })
    expect(await load(store, false)).toEqual({ admin: false, roles: [] })
  })

  test('follows load_roles where that lists the services of the role', async () => {
    const store = await open()
    expect(await load(store, true, [])).toEqual({ admin: false, roles: [] })
    expect(await load(store, true, ['dash'])).toEqual({ admin: true, roles: ['admin'] })
  })

  test('a role for a service that does not exist stops the start', async () => {
    const store = await open()
    await expect(load(store, false, ['dahs'])).rejects.toThrow(
      /service 'dahs', which does not exist/,
    )
  })
})
