import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RunningLifecycle } from '../../src/lifecycle/create-lifecycle.ts'
import type { ProgressEvent } from '../../src/lifecycle/lifecycle.ts'
import { SpawnRefused } from '../../src/plugin-api/spawner.ts'
import { findOAuthClient } from '../../src/storage/oauth.ts'
import { loadRoutes } from '../../src/storage/routes.ts'
import { findServer } from '../../src/storage/servers.ts'
import type { Store } from '../../src/storage/store.ts'
import { findTokenByValue, listTokensOfUser } from '../../src/storage/tokens.ts'
import { FakeMachines } from '../support/fake-spawner.ts'
import { addUser, seedRoles, startTestHub, type TestHubOptions } from '../support/hubs.ts'
import { describeStores } from '../support/stores.ts'

describeStores('the life of a server', (open) => {
  let machines: FakeMachines
  let hubs: RunningLifecycle[]

  beforeEach(() => {
    machines = new FakeMachines()
    hubs = []
  })

  afterEach(async () => {
    for (const hub of hubs) await hub.close()
    machines.killAll()
  })

  async function startHub(store: Store, options: Partial<TestHubOptions> = {}) {
    const hub = await startTestHub(store, { machines, ...options })
    hubs.push(hub)
    return hub
  }

  async function prepare(options: Partial<TestHubOptions> = {}) {
    const store = await open()
    await seedRoles(store)
    const user = await addUser(store, 'ada')
    const hub = await startHub(store, options)
    const start = (serverName = '') => hub.start({ user, serverName, actor: 'user ada' })
    const untilSettled = async (serverName = '') => {
      const server = await findServer(store.db, 'ada', serverName)
      return server && hub.settled(server.id, 15_000)
    }
    return { store, user, hub, start, untilSettled }
  }

  test('a start makes it ready, with token, client, route and environment', async () => {
    const { store, user, start, untilSettled } = await prepare()
    const { server } = await start()
    expect(server.state.kind).toBe('spawning')
    const ready = await untilSettled()
    expect(ready?.state.kind).toBe('ready')
    const environment = machines.starts[0]?.environment({ ip: '127.0.0.1', port: 5000 })
    expect(environment).toMatchObject({
      JUPYTERHUB_USER: 'ada',
      JUPYTERHUB_SERVER_NAME: '',
      JUPYTERHUB_SERVICE_URL: 'http://127.0.0.1:5000/user/ada/',
      JUPYTERHUB_OAUTH_CALLBACK_URL: '/user/ada/oauth_callback',
      JUPYTERHUB_OAUTH_ACCESS_SCOPES: '["access:servers!server=ada/","access:servers!user=ada"]',
    })
    const token = await findTokenByValue(
      store.db,
      environment?.['JUPYTERHUB_API_TOKEN'] ?? '',
      new Date(),
    )
    expect(token).toMatchObject({ note: 'Server at /user/ada/', owner: { id: user.id } })
    expect(await findOAuthClient(store.db, 'jupyterhub-user-ada')).toMatchObject({
      redirectUri: '/user/ada/oauth_callback',
      allowedScopes: ['access:servers!server=ada/'],
    })
    const { routes } = await loadRoutes(store.db)
    expect(routes).toMatchObject([
      { routespec: '/user/ada/', data: { user: 'ada', server_name: '' } },
    ])
  })

  test('a stop withdraws route, token and client, and leaves nothing running', async () => {
    const { store, user, hub, start, untilSettled } = await prepare()
    await start()
    const ready = await untilSettled()
    if (ready === undefined) throw new Error('no server')
    await hub.stop({ server: ready, actor: 'user ada' })
    expect((await untilSettled())?.state).toEqual({ kind: 'stopped' })
    expect(machines.running.size).toBe(0)
    expect((await loadRoutes(store.db)).routes).toEqual([])
    expect(await listTokensOfUser(store.db, user.id)).toEqual([])
    expect(await findOAuthClient(store.db, 'jupyterhub-user-ada')).toBeUndefined()
  })

  test('starting twice is one start; starting a running one is refused', async () => {
    const { start, untilSettled } = await prepare()
    machines.behaviour.startDelayMs = 500 // the second one comes while the first is under way
    const [first, second] = await Promise.all([start(), start()])
    expect(second.operationId).toBe(first.operationId)
    await untilSettled()
    await expect(start()).rejects.toMatchObject({ code: 'server_already_running' })
    expect(machines.running.size).toBe(1)
  })

  test('stopping a pending spawn cancels it', async () => {
    const { hub, start, untilSettled } = await prepare()
    machines.behaviour.startDelayMs = 300
    const { server } = await start()
    await expect.poll(() => machines.starts.length).toBe(1)
    await hub.stop({ server, actor: 'user ada' })
    expect((await untilSettled())?.state).toEqual({ kind: 'stopped' })
    await expect.poll(() => machines.running.size).toBe(0)
  })

  test('what the spawner refuses reaches the user in its words', async () => {
    const { hub, start, untilSettled } = await prepare()
    machines.behaviour.startError = new SpawnRefused('Choose a smaller image', { status: 422 })
    const { server } = await start()
    const events = await collect(hub, server.id, untilSettled)
    expect((await untilSettled())?.state).toMatchObject({
      kind: 'stopped',
      lastFailure: { status: 422, message: 'Choose a smaller image' },
    })
    expect(events.at(-1)).toEqual({
      progress: 100,
      failed: true,
      message: 'Spawn failed: Choose a smaller image',
    })
  })

  test('a spawner that hangs is contained by the deadline', async () => {
    const { start, untilSettled } = await prepare({ settings: { startTimeoutMs: 200 } })
    machines.behaviour.startHangs = true
    await start()
    expect((await untilSettled())?.state).toMatchObject({
      kind: 'stopped',
      lastFailure: { code: 'spawn_timeout' },
    })
  })

  test('a server that never answers HTTP fails, and does not keep running', async () => {
    const { start, untilSettled } = await prepare({ settings: { httpTimeoutMs: 300 } })
    machines.behaviour.silent = true
    await start()
    expect((await untilSettled())?.state).toMatchObject({
      kind: 'stopped',
      lastFailure: { message: expect.stringContaining('last line of the log') as string },
    })
    expect(machines.running.size).toBe(0)
  })

  test('while the spawner cannot stop it, the server is stopping and never stopped', async () => {
    const { hub, start, untilSettled, store } = await prepare()
    await start()
    const ready = await untilSettled()
    if (ready === undefined) throw new Error('no server')
    machines.behaviour.stopError = new Error('the cluster does not answer')
    await hub.stop({ server: ready, actor: 'user ada' })
    const stopping = await hub.settled(ready.id, 300)
    expect(stopping?.state.kind).toBe('stopping')
    machines.behaviour.stopError = undefined
    machines.behaviour.stopLies = true
    expect((await hub.settled(ready.id, 1_500))?.state.kind).toBe('stopping')
    machines.behaviour.stopLies = false
    expect((await untilSettled())?.state.kind).toBe('stopped')
    expect(await findServer(store.db, 'ada', '')).toBeDefined()
  })

  test('a server that has died by itself is found and cleaned up', async () => {
    const { hub, start, untilSettled } = await prepare()
    await start()
    const ready = await untilSettled()
    if (ready === undefined) throw new Error('no server')
    machines.behaviour.pollError = new Error('unknown')
    expect((await hub.verify(ready)).state.kind).toBe('ready')
    delete machines.behaviour.pollError
    machines.killAll()
    expect((await hub.verify(ready)).state.kind).toBe('stopped')
  })

  test('the next hub takes every server over, and a start that was half done', async () => {
    const store = await open()
    await seedRoles(store)
    const user = await addUser(store, 'ada')
    const first = await startTestHub(store, { machines })
    await first.start({ user, serverName: '', actor: 'user ada' })
    const server = await findServer(store.db, 'ada', '')
    expect((await first.settled(server?.id ?? 0, 5_000))?.state.kind).toBe('ready')
    machines.behaviour.startDelayMs = 400
    const half = await first.start({ user, serverName: 'lab', actor: 'user ada' })
    await expect.poll(() => machines.starts.length).toBe(2)
    await first.close()
    const second = await startHub(store)
    expect((await second.settled(half.server.id, 10_000))?.state.kind).toBe('ready')
    expect((await findServer(store.db, 'ada', ''))?.state.kind).toBe('ready')
    expect(machines.running.size).toBe(2)
    expect(machines.doubled).toBe(0)
    const tokens = machines.starts
      .slice(1)
      .map((start) => start.environment({ ip: '', port: 1 })['JUPYTERHUB_API_TOKEN'])
    expect(new Set(tokens).size).toBe(1)
  })

  test('starts above the limit wait their turn, with their place in line', async () => {
    const { store, hub, start } = await prepare({ settings: { concurrentSpawnLimit: 2 } })
    const { promise: allQueued, resolve: endFirst } = Promise.withResolvers<void>()
    const { promise: allSeen, resolve: endSecond } = Promise.withResolvers<void>()
    for (const [name, startsOn] of Object.entries({ one: allQueued, two: allSeen })) {
      machines.behaviour.startsOn = startsOn
      await start(name)
      await expect.poll(() => machines.starts.at(-1)?.serverName).toBe(name)
    }
    delete machines.behaviour.startsOn
    await start('three')
    const other = await addUser(store, 'grace')
    const third = await hub.start({ user: other, serverName: '', actor: 'user grace' })
    const events: ProgressEvent[] = []
    for await (const event of hub.progress(third.server, AbortSignal.timeout(10_000))) {
      events.push(event)
      if (/next in line|place/.test(event.message)) endFirst()
    }
    expect(events[0]?.message).toBe('Server requested')
    expect(events.some((event) => /next in line|place/.test(event.message))).toBe(true)
    expect(events.at(-1)).toMatchObject({ ready: true, url: '/user/grace/' })
    // Fair: grace's only start goes before ada's third one.
    expect(machines.starts.map((request) => request.username)[2]).toBe('grace')
    endSecond()
  })

  test('without a queue the limit answers 429 with Retry-After', async () => {
    const { start } = await prepare({
      settings: { concurrentSpawnLimit: 1, queueSpawns: false, throttleRetryRange: [5, 5] },
    })
    const { promise, resolve: goOn } = Promise.withResolvers<void>()
    machines.behaviour.startsOn = promise
    await start('one')
    await expect(start('two')).rejects.toMatchObject({
      code: 'spawn_throttled',
      headers: { 'Retry-After': '5' },
    })
    goOn()
  })

  test('removing a named server deletes it once it is stopped', async () => {
    const { store, hub, start, untilSettled } = await prepare()
    await start('lab')
    const ready = await untilSettled('lab')
    if (ready === undefined) throw new Error('no server')
    await hub.stop({ server: ready, remove: true, actor: 'user ada' })
    expect(await hub.settled(ready.id, 5_000)).toBeUndefined()
    expect(await findServer(store.db, 'ada', 'lab')).toBeUndefined()
    expect(machines.running.size).toBe(0)
  })
})

async function collect(
  hub: RunningLifecycle,
  serverId: number,
  untilSettled: () => Promise<unknown>,
): Promise<ProgressEvent[]> {
  const server = await hub.settled(serverId, 0)
  if (server === undefined) throw new Error('no server')
  const events: ProgressEvent[] = []
  for await (const event of hub.progress(server, AbortSignal.timeout(10_000))) events.push(event)
  await untilSettled()
  return events
}
