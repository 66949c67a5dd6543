import { expect, test } from 'vitest'
import { createSubdomains } from '../../src/domain/subdomains.ts'
import { settleRoutes } from '../../src/startup/routes.ts'
import { loadRoutes, putRoute } from '../../src/storage/routes.ts'
import { createServer, updateServer } from '../../src/storage/servers.ts'
import { createUser } from '../../src/storage/users.ts'
import { describeStores } from '../support/stores.ts'

const target = new URL('http://127.0.0.1:5000')
const hubTarget = 'http://127.0.0.1:8081'

describeStores('the routing table at start', (open) => {
  test('follows the configuration, and keeps what is at work and what is not the hub’s', async () => {
    const store = await open()
    await store.write(async (tx) => {
      const { id: userId } = await createUser(tx, { name: 'ada' }, new Date())
      const now = new Date()
      for (const name of ['ready', 'starting', 'stopped']) {
        const server = await createServer(tx, { userId, name, displayName: null }, now)
        if (name === 'stopped') continue
        const spawning = await updateServer(tx, server, { state: { kind: 'spawning', since: now } })
        if (name === 'starting' || spawning === undefined) continue
        await updateServer(tx, spawning, { state: { kind: 'ready', startedAt: now, target } })
      }
      for (const name of ['starting', 'stopped']) {
        const data = { user: 'ada', server_name: name }
        await putRoute(tx, { routespec: `/user/ada/${name}/`, target: target.origin, data })
      }
      await putRoute(tx, {
        routespec: '/services/x/',
        target: 'http://127.0.0.1:1',
        data: { service: 'x' },
      })
    })
    const list = async () =>
      (await loadRoutes(store.db)).routes.map((route) => [route.routespec, route.target])
    const on = (hub: string, extra: Record<string, string>, hosts: boolean) => {
      const subdomains = createSubdomains({ host: new URL('http://hub.example'), hook: 'idna' })
      return settleRoutes(
        store,
        { hub: { routespec: hub, target: hubTarget }, extra: new Map(Object.entries(extra)) },
        { baseUrl: '/', ...(hosts && { subdomains }) },
      )
    }
    await on('/', { '/docs/': 'http://127.0.0.1:2' }, false)
    expect(await list()).toEqual([
      ['/', hubTarget],
      ['/docs/', 'http://127.0.0.1:2'],
      ['/services/x/', 'http://127.0.0.1:1'],
      ['/user/ada/ready/', target.origin],
      ['/user/ada/starting/', target.origin],
    ])
    const before = (await loadRoutes(store.db)).routes.find(({ data }) => data['user'] === 'ada')
    await on('/hub/', {}, false)
    const after = (await loadRoutes(store.db)).routes.find(({ data }) => data['user'] === 'ada')
    expect(after).toEqual(before) // the same entry: edges are told of changes only
    expect((await list()).map(([routespec]) => routespec)).toEqual([
      '/hub/',
      '/services/x/',
      '/user/ada/ready/',
      '/user/ada/starting/',
    ])
    await on('/', {}, true)
    expect((await list()).map(([routespec]) => routespec)).toEqual([
      '/',
      '/services/x/',
      'ada.hub.example/user/ada/ready/',
    ])
  })
})
