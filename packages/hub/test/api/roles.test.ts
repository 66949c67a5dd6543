import { afterEach, expect, it } from 'vitest'
import { putRole, setRoleMembers } from '../../src/storage/access.ts'
import { ensureGroup } from '../../src/storage/groups.ts'
import { describeStores } from '../support/stores.ts'
import { ApiHub } from './api-hub.ts'

describeStores('roles', (openStore) => {
  let hub: ApiHub
  afterEach(() => hub.close())

  it('are listed and shown with how many hold them', async () => {
    hub = await ApiHub.start(await openStore())
    await hub.addPeople()
    await hub.store.write(async (tx) => {
      await putRole(tx, {
        name: 'teacher',
        description: 'Teaches',
        scopes: ['list:users!group=g1'],
      })
      await setRoleMembers(tx, {
        role: 'teacher',
        kind: 'group',
        ids: [await ensureGroup(tx, 'g1')],
      })
    })
    const call = await hub.callerWith(['read:roles'])
    const one = await call('GET /roles/teacher')
    expect(one.json()).toEqual({
      kind: 'role',
      name: 'teacher',
      description: 'Teaches',
      scopes: ['list:users!group=g1'],
      members: { users: 0, groups: 1, services: 0 },
    })
    const all = (await call('GET /roles')).json<{ name: string; members: { users: number } }[]>()
    expect(all.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['admin', 'user', 'teacher']),
    )
    expect(all.find(({ name }) => name === 'user')?.members.users).toBe(4)
  })

  it.each([
    ['', 'GET /roles', 403],
    ['read:roles!user=alice', 'GET /roles', 403],
    ['read:roles:users', 'GET /roles/user', 403],
    ['read:roles', 'GET /roles/nobody', 404],
    ['read:roles', 'GET /roles/%00', 404],
    ['read:roles', 'GET /roles/', 404],
    ['read:roles', 'POST /roles/user', 405],
  ])('with %j: %s is %i', async (scopes, request, status) => {
    hub = await ApiHub.start(await openStore())
    const call = await hub.callerWith(scopes === '' ? [] : [scopes])
    expect((await call(request)).statusCode).toBe(status)
  })
})
