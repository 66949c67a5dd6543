import { afterEach, expect, test } from 'vitest'
import type { RunningLifecycle } from '../../src/lifecycle/create-lifecycle.ts'
import { chooseClientId } from '../../src/lifecycle/server-client.ts'
import {
  claimServerClient,
  findOAuthClient,
  purgeOrphanedClients,
} from '../../src/storage/oauth.ts'
import { createServer, findServer, updateServer } from '../../src/storage/servers.ts'
import { FakeMachines } from '../support/fake-spawner.ts'
import { addUser, seedRoles, startTestHub } from '../support/hubs.ts'
import { describeStores } from '../support/stores.ts'

describeStores('OAuth clients of servers', (open) => {
  const machines = new FakeMachines()
  let hub: RunningLifecycle | undefined
  afterEach(async () => {
    await hub?.close()
    machines.killAll()
    machines.starts.length = 0
  })

  test('whose names make one id stay apart, and each server is told its own', async () => {
    const store = await open()
    await seedRoles(store)
    const lifecycle = await startTestHub(store, { machines })
    hub = lifecycle
    const users = { a: await addUser(store, 'a'), 'a-b': await addUser(store, 'a-b') }
    const start = async (name: keyof typeof users, serverName: string) => {
      await lifecycle.start({ user: users[name], serverName, actor: 'test' })
      const server = await findServer(store.db, name, serverName)
      const settled = server && (await lifecycle.settled(server.id, 15_000))
      if (settled?.state.kind !== 'ready') throw new Error('not started')
      const environment = machines.starts.at(-1)?.environment({ ip: '127.0.0.1', port: 5000 })
      return { server: settled, id: environment?.['JUPYTERHUB_CLIENT_ID'] ?? '' }
    }
    const first = await start('a', 'b-c')
    const second = await start('a-b', 'c')
    const third = await start('a-b', '')
    const fourth = await start('a', 'b')
    expect([first.id, second.id, third.id, fourth.id]).toEqual([
      'jupyterhub-user-a-b-c',
      `jupyterhub-user-a-b-c!${second.server.id}`,
      'jupyterhub-user-a-b',
      `jupyterhub-user-a-b!${fourth.server.id}`,
    ])
    for (const { id, server } of [first, second, third, fourth]) {
      const name = server.name === '' ? '' : `${server.name}/`
      expect(await findOAuthClient(store.db, id)).toMatchObject({
        serverId: server.id,
        redirectUri: `/user/${server.username}/${name}oauth_callback`,
      })
    }
    // The one that came second goes on with its id as long as it runs, and then gets the free one.
    await lifecycle.stop({ server: first.server, actor: 'test' })
    await lifecycle.settled(first.server.id, 15_000)
    expect(await chooseClientId(store.db, second.server)).toBe(second.id)
    await lifecycle.stop({ server: second.server, actor: 'test' })
    await lifecycle.settled(second.server.id, 15_000)
    expect(await chooseClientId(store.db, second.server)).toBe('jupyterhub-user-a-b-c')
    expect(await findOAuthClient(store.db, second.id)).toBeUndefined()
  })

  test('do not outlive their server, whatever went wrong', async () => {
    const store = await open()
    await seedRoles(store)
    hub = await startTestHub(store, { machines })
    const { id: userId } = await addUser(store, 'a')
    const client = { description: '', secretHash: 'x', redirectUri: '/', allowedScopes: [] }
    await store.write(async (tx) => {
      for (const name of ['stopped', 'starting']) {
        const server = await createServer(tx, { userId, name, displayName: null }, new Date())
        await claimServerClient(tx, { id: name, ...client, serverId: server.id, serviceId: null })
        const state = { kind: 'spawning', since: new Date() } as const
        if (name === 'starting') await updateServer(tx, server, { state })
      }
      await purgeOrphanedClients(tx)
    })
    expect(await findOAuthClient(store.db, 'stopped')).toBeUndefined()
    expect(await findOAuthClient(store.db, 'starting')).toBeDefined()
    expect(await findOAuthClient(store.db, 'jupyterhub')).toBeDefined()
  })

  test('are taken from nobody, even at the same instant', async () => {
    const store = await open()
    await seedRoles(store)
    hub = await startTestHub(store, { machines })
    const servers = []
    for (const name of ['a', 'b']) {
      const user = await addUser(store, name)
      servers.push((await hub.start({ user, serverName: '', actor: 'test' })).server)
    }
    const claims = await Promise.all(
      servers.map((server) =>
        store.write((tx) =>
          claimServerClient(tx, {
            id: 'jupyterhub-user-x',
            description: '',
            secretHash: '',
            redirectUri: `/${server.id}`,
            allowedScopes: [],
            serverId: server.id,
            serviceId: null,
          }),
        ),
      ),
    )
    expect(new Set(claims)).toEqual(new Set([false, true]))
    const winner = servers[claims.indexOf(true)]
    expect(await findOAuthClient(store.db, 'jupyterhub-user-x')).toMatchObject({
      serverId: winner?.id,
      redirectUri: `/${winner?.id}`,
    })
  })
})
