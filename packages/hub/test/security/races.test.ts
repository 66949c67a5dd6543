import { afterEach, expect, test } from 'vitest'
import { createShareCode, newShareCode } from '../../src/storage/share-codes.ts'
import { findServer } from '../../src/storage/servers.ts'
import { deleteUser, findUser } from '../../src/storage/users.ts'
import { ApiHub } from '../api/api-hub.ts'
import { describeStores } from '../support/stores.ts'

describeStores('two requests at once get no more than one after the other', (open) => {
  let hub: ApiHub
  const start = async () => {
    const limit = { namedServerLimitPerUser: 2 }
    hub = await ApiHub.start(await open(), { settings: limit, lifecycle: limit })
    await hub.addPeople()
    return hub
  }
  afterEach(() => hub.close())
  const countServers = async () => {
    const rows = await hub.store.db.selectFrom('servers').select('name').execute()
    return rows.filter(({ name }) => name !== '').length
  }

  test('the limit of named servers', async () => {
    await start()
    const call = await hub.callerWith(['admin:servers', 'read:users'])
    await call('PUT /users/bob/server')
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    const answers = await Promise.all([
      ...names.map((name) => call(`PUT /users/bob/servers/${name}`, {})),
      call('PATCH /users/bob/server', { name: 'z' }),
      call('POST /users/bob/servers/y'),
    ])
    expect(answers.filter(({ statusCode }) => statusCode < 300).length).toBe(2)
    expect(await countServers()).toBe(2)
  })

  test('one name for two users, groups, servers', async () => {
    await start()
    const scopes = ['admin:users', 'admin:groups', 'admin:servers', 'admin:services']
    const call = await hub.callerWith(scopes)
    const users = ['alice', 'bob', 'carol', 'dave']
    for (let round = 0; round < 4; round += 1) {
      const x = `x${round}`
      const again = (line: string) => Array<string>(3).fill(line)
      for (const lines of [
        [...again(`POST /users/${x}`), `PATCH /users/${users[round]} {"name":"${x}"}`],
        [`PATCH /users/${x} {"name":"y${round}"}`, `POST /users/y${round}`],
        again(`POST /groups/${x}`),
        again(`POST /services/${x} {"display":false}`),
        [...again(`PUT /users/y${round}/servers/x`)],
      ]) {
        const answers = await Promise.all(
          lines.map((line) => {
            const [method, path, body = '{}'] = line.split(' ')
            return call(`${method} ${path}`, body)
          }),
        )
        const won = answers.filter(({ statusCode }) => statusCode < 300)
        const failed = answers.filter(({ statusCode }) => statusCode >= 500)
        const seen = [lines[0], won.length, failed.map(({ body }) => body)]
        expect(seen).toEqual([lines[0], 1, []])
      }
    }
  })

  test('a share to whoever is deleted, renamed or made anew meanwhile is nobody else’s', async () => {
    await start()
    const owner = await hub.callerWith(['self', 'shares!user', 'read:users:name'], 'alice')
    const admin = await hub.callerWith(['admin:users'], 'manager')
    await owner('POST /shares/alice/', { user: 'carol' })
    await Promise.all([
      owner('POST /shares/alice/', { user: 'dave' }),
      admin('PATCH /users/dave', { name: 'dave2' }),
    ])
    await admin('POST /users/dave')
    const dave = await hub.callerWith(['self'], 'dave')
    expect((await dave('GET /user')).body).not.toContain('alice')

    const server = await findServer(hub.store.db, 'alice', '')
    const now = new Date()
    const expiresAt = new Date(now.getTime() + 60_000)
    const value = newShareCode()
    const scopes = ['access:servers']
    const serverId = server?.id ?? 0
    await hub.store.write((tx) => createShareCode(tx, { value, serverId, scopes, now, expiresAt }))
    const alice = await findUser(hub.store.db, 'alice')
    await hub.store.write((tx) => deleteUser(tx, alice?.id ?? 0))
    expect(await hub.store.db.selectFrom('share_codes').selectAll().execute()).toEqual([])
    expect(await hub.store.db.selectFrom('shares').selectAll().execute()).toEqual([])
  })
})
