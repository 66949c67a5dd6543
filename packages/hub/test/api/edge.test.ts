import { afterEach, expect, it } from 'vitest'
import { type EdgeMessage, routesPerPiece } from '../../src/proxy/edge-protocol.ts'
import { putRoute, removeRoute } from '../../src/storage/routes.ts'
import type { Store } from '../../src/storage/store.ts'
import { describeStores } from '../support/stores.ts'
import { ApiHub, edgeToken } from './api-hub.ts'

const route = (name: string) => ({
  routespec: `/user/${name}/`,
  target: 'http://127.0.0.1:9',
  data: { user: name, server_name: '' },
})

describeStores('routing subscription', (open) => {
  let hub: ApiHub
  const stop = new AbortController()
  afterEach(() => hub.close())

  async function subscribe(position?: { since: number; epoch: string }, inPieces = true) {
    const wish = { position, inPieces }
    const messages = hub.edgeHub.follow('e1', wish, stop.signal)[Symbol.asyncIterator]()
    const next = async (): Promise<EdgeMessage> => {
      const result = await messages.next()
      if (result.done === true) throw new TypeError('the stream ended')
      return result.value
    }
    return { next, first: await next() }
  }

  const put = (store: Store, name: string) => store.write((tx) => putRoute(tx, route(name)))

  it('tells the table, then every change with its number', async () => {
    const store = await open()
    hub = await ApiHub.start(store)
    await put(store, 'ada')
    const { first, next } = await subscribe()
    expect(first).toMatchObject({ type: 'snapshot', seq: 1, routes: [route('ada')] })
    await put(store, 'bob')
    expect(await next()).toEqual({ type: 'set', seq: 2, ...route('bob') })
    await store.write((tx) => removeRoute(tx, '/user/ada/'))
    expect(await next()).toEqual({ type: 'delete', seq: 3, routespec: '/user/ada/' })
  })

  it('tells a long table in pieces, or in one to an edge of an earlier build; what changes meanwhile is told after it', async () => {
    const store = await open()
    hub = await ApiHub.start(store)
    const names = Array.from(
      { length: 2 * routesPerPiece },
      (_, i) => `u${String(i).padStart(3, '0')}`,
    )
    await store.write(async (tx) => {
      for (const name of names) await putRoute(tx, route(name))
    })
    const seq = names.length
    const { first, next } = await subscribe()
    const named = (from: number, to: number) => names.slice(from, to).map(route)
    expect(first).toMatchObject({ type: 'snapshot', seq, more: true })
    expect(first).toMatchObject({ routes: named(0, routesPerPiece) })
    await store.write((tx) => removeRoute(tx, '/user/u000/'))
    await put(store, 'u399')
    const routes = named(routesPerPiece, seq)
    expect(await next()).toEqual({ type: 'routes', routes, more: true })
    expect(await next()).toEqual({ type: 'routes', routes: [] })
    expect(await next()).toEqual({ type: 'delete', seq: seq + 1, routespec: '/user/u000/' })
    expect(await next()).toEqual({ type: 'set', seq: seq + 2, ...route('u399') })
    const earlier = await subscribe(undefined, false)
    const whole = { type: 'snapshot', seq: seq + 2, routes: named(1, seq) }
    expect(earlier.first).toEqual({ ...whole, epoch: expect.any(String) as string })
  })

  it('tells changes of two hubs in the order of their commits, none twice and none left out', async () => {
    const store = await open()
    const other = await open({ sameAs: store.url ?? '' })
    hub = await ApiHub.start(store)
    const { next } = await subscribe()
    // More at once than a hub remembers, in turns and side by side.
    const stores = Array.from({ length: 300 }, (_, i) => (i % 7 < 4 ? store : other))
    const written = Promise.all(stores.map((one, i) => put(one, `u${i}`)))
    const told = []
    while (told.length < stores.length) {
      const message = await next()
      if (message.type === 'set') told.push(message)
    }
    expect(told.map(({ seq }) => seq)).toEqual(stores.map((_, i) => i + 1))
    const seqs = await written
    for (const { seq, routespec } of told) expect(routespec).toBe(`/user/u${seqs.indexOf(seq)}/`)
  })

  it('goes on where an edge was', async () => {
    const store = await open()
    hub = await ApiHub.start(store)
    await put(store, 'ada')
    const { first } = await subscribe()
    const epoch = first.type === 'snapshot' ? first.epoch : ''
    await put(store, 'bob')
    const again = await subscribe({ since: 1, epoch })
    expect(again.first).toEqual({ type: 'resume', epoch, seq: 1 })
    expect(await again.next()).toMatchObject({ type: 'set', seq: 2 })
    expect((await subscribe({ since: 1, epoch: 'other' })).first).toMatchObject({
      type: 'snapshot',
    })
    expect((await subscribe({ since: 99, epoch })).first).toMatchObject({ type: 'snapshot' })
  })

  it('waits until a connected edge has acknowledged, but not for ever', async () => {
    const store = await open()
    hub = await ApiHub.start(store)
    expect(await hub.edgeHub.untilApplied(1, 10)).toBe(true)
    await put(store, 'ada')
    await subscribe()
    expect(hub.edgeHub.connectedEdges()).toEqual(['e1'])
    expect(await hub.edgeHub.untilApplied(1, 10)).toBe(false)
    const applied = hub.edgeHub.untilApplied(1, 5_000)
    const call = hub.withToken(edgeToken)
    expect((await call('POST /edge/ack', { edge: 'e1', seq: 1 })).statusCode).toBe(204)
    expect(await applied).toBe(true)
  })

  it('is closed to who has not the secret', async () => {
    hub = await ApiHub.start(await open())
    const caller = await hub.callerWith(['proxy', 'admin:users'])
    for (const call of [caller, hub.anonymous(), hub.withToken('edge-secre')]) {
      expect((await call('GET /edge/routes?edge=e')).statusCode).toBe(403)
      expect((await call('POST /edge/ack', { edge: 'e', seq: 1 })).statusCode).toBe(403)
    }
    const call = hub.withToken(edgeToken)
    expect((await call('POST /edge/ack', { edge: 'e' })).statusCode).toBe(400)
    expect((await call('GET /edge/routes')).statusCode).toBe(400)
  })

  it('takes activity over for servers and their users', async () => {
    const store = await open()
    hub = await ApiHub.start(store)
    await hub.addPeople()
    const caller = await hub.callerWith(['admin:users', 'admin:servers'])
    await caller('POST /users/bob/server')
    const at = Date.now() + 5
    const routes = { '/user/bob/': at + 3_600_000, '/user/ghost/': at }
    const answer = await hub.withToken(edgeToken)('POST /edge/activity', { edge: 'e1', routes })
    expect(answer.statusCode).toBe(204)
    const { last_activity } = (await caller('GET /users/bob/server')).json<{
      last_activity: string
    }>()
    expect(Date.parse(last_activity)).toBeLessThanOrEqual(Date.now())
    expect((await caller('GET /users/bob')).json()).toMatchObject({ last_activity })
  })
})
