import { expect, test } from 'vitest'
import { settleInvalidServerNames } from '../../src/startup/invalid-server-names.ts'
import {
  createServer,
  findServer,
  listNamedServers,
  updateServer,
} from '../../src/storage/servers.ts'
import type { Store } from '../../src/storage/store.ts'
import { createUser } from '../../src/storage/users.ts'
import { silentLogger } from '../support/hubs.ts'
import { describeStores } from '../support/stores.ts'

const context = { logger: silentLogger, now: new Date() }

describeStores('stored servers with names from before the rule', (open) => {
  async function storeWith(names: readonly string[]): Promise<Store> {
    const store = await open()
    await store.write(async (tx) => {
      for (const username of ['ada', 'bob']) {
        const { id: userId } = await createUser(tx, { name: username }, new Date())
        for (const name of names) {
          await createServer(tx, { userId, name, displayName: null }, new Date())
        }
      }
    })
    return store
  }

  const namesOf = async (store: Store, username: string) => {
    const servers = await listNamedServers(store.db)
    const own = servers.filter((server) => server.username === username)
    return own
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, displayName }) => [name, displayName])
  }

  test('get valid names of their own, keep ids, and are left alone the second time', async () => {
    const store = await storeWith(['lab', 'My Lab', 'my_lab', 'Ünïcode!', '日本'])
    const before = await listNamedServers(store.db)
    await settleInvalidServerNames(store, 'autorename', context)
    const renamed = await namesOf(store, 'ada')
    expect(renamed).toEqual(await namesOf(store, 'bob'))
    expect(renamed).toMatchObject([
      ['lab', null],
      ['my-lab', expect.anything()],
      [expect.stringMatching(/^my-lab-[0-9a-f]{7}$/), expect.anything()],
      ['server', '日本'],
      ['unicode', 'Ünïcode!'],
    ])
    const after = await listNamedServers(store.db)
    expect(new Set(after.map(({ id }) => id))).toEqual(new Set(before.map(({ id }) => id)))
    await settleInvalidServerNames(store, 'autorename', context)
    expect(await namesOf(store, 'ada')).toEqual(renamed)
  })

  test('stay as they are while they run, and under any other policy', async () => {
    const store = await storeWith(['My Lab', 'Your Lab'])
    const running = await findServer(store.db, 'ada', 'My Lab')
    if (running === undefined) throw new TypeError('just created')
    const state = { kind: 'spawning', since: new Date() } as const
    await store.write((tx) => updateServer(tx, running, { state }))
    await settleInvalidServerNames(store, 'allow-delete', context)
    expect(await namesOf(store, 'ada')).toEqual([
      ['My Lab', null],
      ['Your Lab', null],
    ])
    await settleInvalidServerNames(store, 'autorename', context)
    expect(await namesOf(store, 'ada')).toEqual([
      ['My Lab', null],
      ['your-lab', 'Your Lab'],
    ])
  })
})
