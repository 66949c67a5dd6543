import { afterEach, expect, it } from 'vitest'
import { describeStores } from '../support/stores.ts'
import { ApiHub, type Caller, textWith } from './api-hub.ts'

interface NewCode {
  readonly code: string
  readonly id: string
  readonly accept_url: string
}

describeStores('share codes', (open) => {
  let hub: ApiHub
  let alice: Caller
  const clock = { now: new Date('2030-01-01T00:00:00Z') }
  afterEach(() => hub.close())

  async function start(options: Parameters<typeof ApiHub.start>[1] = {}) {
    hub = await ApiHub.start(await open(), { ...options, deps: { now: () => clock.now } })
    await hub.addPeople()
    alice = await hub.callerWith(['self', 'shares!user'], 'alice')
    await alice('PUT /users/alice/servers/n1')
  }

  const idsOf = async (path: string) =>
    (await alice(`GET ${path}`)).json<{ items: { id: string }[] }>().items.map(({ id }) => id)

  it('shows the code once, keeps its hash, and leaves expired ones out', async () => {
    await start({ settings: { publicUrl: new URL('https://hub.example/') } })
    const created = await alice('POST /share-codes/alice/n1', { expires_in: 60 })
    const { code, accept_url: acceptUrl } = created.json<NewCode>()
    expect(code).toMatch(/^[\w-]{43}$/)
    expect([created.statusCode, created.json()]).toEqual([
      200,
      {
        server: {
          user: { name: 'alice' },
          name: 'n1',
          url: '/user/alice/n1/',
          full_url: 'https://hub.example/user/alice/n1/',
          ready: false,
        },
        scopes: ['access:servers!server=alice/n1'],
        id: textWith('sc_'),
        created_at: '2030-01-01T00:00:00.000Z',
        expires_at: '2030-01-01T00:01:00.000Z',
        exchange_count: 0,
        last_exchanged_at: null,
        code,
        accept_url: `/hub/accept-share?code=${code}`,
        full_accept_url: `https://hub.example${acceptUrl}`,
      },
    ])
    const rows = await hub.store.db.selectFrom('share_codes').selectAll().execute()
    expect(JSON.stringify(rows)).not.toContain(code)
    const listed = await alice('GET /share-codes/alice')
    expect(listed.json<{ items: object[] }>().items).toHaveLength(1)
    expect(listed.body).not.toContain(code)
    clock.now = new Date(clock.now.getTime() + 60_001)
    const later = (await alice('GET /share-codes/alice/n1')).json<object>()
    expect(later).toMatchObject({ items: [], _pagination: { total: 0 } })
  })

  it('takes lifetimes and scopes as the reference does', async () => {
    await start()
    const bob = await hub.callerWith(['self'], 'bob')
    const cases: [Caller, string, unknown, number][] = [
      ...[60, '60', '60.0', '1_000', 60.0, 31_536_000].map(
        (seconds): [Caller, string, unknown, number] => [alice, 'n1', { expires_in: seconds }, 200],
      ),
      ...[59, 60.5, 'x', '_60', '6__0', '', null, true, 31_536_001, [60]].map(
        (seconds): [Caller, string, unknown, number] => [alice, 'n1', { expires_in: seconds }, 400],
      ),
      [alice, 'n1', undefined, 200],
      [alice, '', {}, 200],
      [alice, 'n1', [], 200],
      [alice, 'n1', [1], 400],
      [alice, 'n1', { scopes: ['access:servers', 'servers!server=alice/n1'] }, 200],
      [alice, 'n1', { scopes: ['admin:servers'] }, 403],
      [alice, 'n1', { scopes: ['nope'] }, 400],
      [alice, 'n1', { scopes: ['access:servers!user=alice'] }, 400],
      [alice, 'n1', { user: 'bob' }, 400],
      [alice, 'nope', {}, 404],
      [bob, 'n1', {}, 403],
      [hub.anonymous(), 'n1', {}, 403],
    ]
    for (const [call, server, body, status] of cases) {
      const answer = await call(`POST /share-codes/alice/${server}`, body)
      const label = `${server} ${JSON.stringify(body)}`
      expect([label, answer.statusCode]).toEqual([label, status])
    }
    expect((await alice('GET /share-codes/alice/nope')).statusCode).toBe(404)
  })

  it('deletes by code, by id, or all', async () => {
    await start()
    const make = async () => (await alice('POST /share-codes/alice/n1')).json<NewCode>()
    const codes = [await make(), await make(), await make(), await make()] as const
    const other = (await alice('POST /share-codes/alice/')).json<NewCode>()
    const remove = async (query: string) =>
      (await alice(`DELETE /share-codes/alice/n1${query}`)).statusCode
    expect(await remove(`?code=${codes[0].code}`)).toBe(204)
    expect(await remove(`?id=${codes[1].id}xyz`)).toBe(204)
    expect(await remove(`?code=&id=${codes[2].id}`)).toBe(204)
    for (const query of [
      `?code=${codes[0].code}`,
      `?code=${other.code}`,
      `?id=${codes[1].id}`,
      `?id=${other.id}`,
      '?id=1',
      '?code=nope',
    ]) {
      expect([query, await remove(query)]).toEqual([query, 404])
    }
    expect(await idsOf('/share-codes/alice/n1')).toEqual([codes[3].id])
    expect(await remove('?id=')).toBe(204)
    expect(await idsOf('/share-codes/alice')).toEqual([other.id])
  })
})
