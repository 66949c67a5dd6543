import { afterEach, expect, test } from 'vitest'
import { SpawnRefused } from '../../src/plugin-api/spawner.ts'
import { putRole, setRoleMembers } from '../../src/storage/access.ts'
import { createServer, findServer } from '../../src/storage/servers.ts'
import { putService } from '../../src/storage/services.ts'
import { createToken } from '../../src/storage/tokens.ts'
import { findUser } from '../../src/storage/users.ts'
import type { Browser } from '../../src/web/web-test-kit.ts'
import { describeStores } from '../support/stores.ts'
import { type PageHub, postMultipart, startPageHub } from './page-hub.ts'

const form = { optionsForm: '<input name="size"><input type="file" name="notes">' }

describeStores('spawn pages', (open) => {
  let hubs: PageHub[] = []
  afterEach(async () => {
    for (const hub of hubs) await hub.close()
    hubs = []
  })

  async function prepare(options: Parameters<typeof startPageHub>[1] = {}) {
    const store = await open()
    const hub = await startPageHub(store, options)
    hubs.push(hub)
    const browser = await hub.signUp('ada')
    const server = (name = '') => findServer(store.db, 'ada', name)
    const settled = async (name = '') => {
      const found = await server(name)
      return found && hub.lifecycle.settled(found.id, 10_000)
    }
    return { store, hub, browser, server, settled }
  }

  const xsrfOf = (browser: Browser) => browser.cookies.get('_xsrf') ?? ''
  const optionsOf = async (page: Awaited<ReturnType<typeof prepare>>) =>
    (await page.server())?.userOptions

  test('without a form a visit starts, and the pending page leads to next', async () => {
    const { browser, settled } = await prepare()
    const started = await browser.get('/hub/spawn?next=%2Fuser%2Fada%2Flab%3Fx%3D1')
    const pending = '/hub/spawn-pending/ada?next=%2Fuser%2Fada%2Flab%3Fx%3D1'
    expect([started.statusCode, started.headers['location']]).toEqual([302, pending])
    expect((await settled())?.state.kind).toBe('ready')
    expect((await browser.get(pending)).headers['location']).toBe('/user/ada/lab?x=1')
    expect((await browser.get('/hub/spawn-pending/ada')).headers['location']).toBe('/user/ada/')
    expect((await browser.get('/hub/spawn?next=%2Fuser%2Fada%2Ftree')).headers['location']).toBe(
      '/user/ada/tree',
    )
  })

  test.for([
    ['?opt-size=big&opt-size=huge&other=1', { size: ['big', 'huge'] }],
    ['?size=big&next=%2Fuser%2Fada%2F&display_name=x', { size: ['big'] }],
    ['?opt-opt-x=1', { 'opt-x': ['1'] }],
  ] as const)('options in the query %s start at once', async ([query, options]) => {
    const page = await prepare({ settings: form })
    const answer = await page.browser.get(`/hub/spawn/ada${query}`)
    expect(answer.headers['location']).toMatch(/^\/hub\/spawn-pending\/ada\?/)
    expect(await optionsOf(page)).toEqual(options)
  })

  test('an option without a name is refused, and nothing starts', async () => {
    const { browser, server } = await prepare()
    const answer = await browser.get('/hub/spawn/ada?opt-=1&opt-size=big')
    expect(answer.statusCode).toBe(422)
    expect(await server()).toBeUndefined()
  })

  test('the form shows first; its fields and files become options that are JSON', async () => {
    const page = await prepare({ settings: form })
    const { hub, browser, settled } = page
    const shown = await browser.get('/hub/spawn?next=%2Fuser%2Fada%2Flab')
    expect(shown.statusCode).toBe(200)
    const action = /action="([^"]*)"/.exec(shown.body)?.[1]?.replaceAll('&amp;', '&') ?? ''
    expect(new URL(action, 'http://hub').searchParams.get('_xsrf')).toBe(xsrfOf(browser))
    const fields = new FormData()
    fields.append('size', 'big')
    fields.append('size', 'huge')
    fields.append('notes', new File([Buffer.from([0, 255, 10])], 'a "b".bin', { type: 'x/y' }))
    const started = await postMultipart(hub, { browser, url: action, form: fields })
    expect(started.headers['location']).toBe('/hub/spawn-pending/ada?next=%2Fuser%2Fada%2Flab')
    expect(await optionsOf(page)).toEqual({
      size: ['big', 'huge'],
      notes_file: [{ filename: 'a "b".bin', content_type: 'x/y', body: 'AP8K' }],
    })
    expect((await settled())?.state.kind).toBe('ready')
    const again = await postMultipart(hub, { browser, url: action, form: fields })
    expect(again.statusCode).toBe(400)
    expect(again.body).toContain('is already running')
  })

  test('a form without the token of its page starts nothing', async () => {
    const { hub, browser, server } = await prepare({ settings: form })
    const url = '/hub/spawn/ada?_xsrf=wrong'
    const answer = await postMultipart(hub, { browser, url, form: new FormData() })
    expect(answer.statusCode).toBe(403)
    expect(await server()).toBeUndefined()
  })

  test('what is wrong with the options shows in the form, with its status', async () => {
    const { hub, browser, settled } = await prepare({ settings: form })
    hub.machines.behaviour.startError = new SpawnRefused('too <big>', { status: 409 })
    const url = `/hub/spawn/ada?_xsrf=${xsrfOf(browser)}`
    const answer = await postMultipart(hub, { browser, url, form: new FormData() })
    expect(answer.statusCode).toBe(409)
    expect(answer.body).toContain('class="spawn-error-msg" role="alert">too &lt;big&gt;')
    expect(answer.body).toContain('name="size"')
    await settled()
    const byQuery = await browser.get('/hub/spawn/ada?opt-size=big')
    expect([byQuery.statusCode, byQuery.body.includes('name="size"')]).toEqual([409, true])
  })

  test('a failed start is remembered until the next one is asked for', async () => {
    const { hub, browser, server, settled } = await prepare()
    hub.machines.behaviour.startError = new SpawnRefused('no room', { status: 418 })
    expect((await browser.get('/hub/spawn')).statusCode).toBe(418)
    await settled()
    const pending = await browser.get('/hub/spawn-pending/ada')
    expect([pending.statusCode, pending.body.includes('no room')]).toEqual([418, true])
    const visit = await browser.get('/hub/user/ada/lab?x=1')
    expect([visit.statusCode, visit.headers['location']]).toEqual([
      303,
      '/hub/spawn-pending/ada?next=%2Fhub%2Fuser%2Fada%2Flab%3Fx%3D1',
    ])
    const json = await browser.get('/hub/user/ada/lab', { accept: 'application/json' })
    expect([json.statusCode, json.headers['content-type']]).toEqual([424, 'application/json'])
    expect((await server())?.state.kind).toBe('stopped')
    delete hub.machines.behaviour.startError
    expect((await browser.get('/hub/spawn')).statusCode).toBe(302)
    expect((await settled())?.state.kind).toBe('ready')
  })

  test.for([
    ['5.5.4', 'jupyterhub version 5.5.4'],
    ['<b>', 'jupyterhub version unknown'],
    [undefined, 'jupyterhub version unknown'],
  ] as const)('a server that is never reached ends in a message (%s)', async ([version, hint]) => {
    const { hub, browser, settled } = await prepare()
    if (version !== undefined) hub.machines.behaviour.version = version
    await browser.get('/hub/spawn')
    await settled()
    const first = await browser.get('/hub/user/ada/lab?x=1')
    expect(first.headers['location']).toBe('/user/ada/lab?x=1&redirects=1')
    const looped = await browser.get('/hub/user/ada/lab?x=1&redirects=2')
    expect([looped.statusCode, looped.body.includes(hint)]).toEqual([500, true])
    const api = await browser.get('/hub/user/ada/api/kernels')
    expect(api.headers['location']).toBe('/user/ada/api/kernels?redirects=1')
  })

  test('the token of a service opens what the service may enter, and nothing else', async () => {
    const { store, hub } = await prepare()
    await store.write(async (tx) => {
      const service = { name: 'watcher', admin: false, url: '', command: [], info: {} }
      const row = { ...service, display: true, oauthNoConfirm: false, fromConfig: true }
      const id = await putService(tx, row)
      const owner = { kind: 'service', id } as const
      for (const [value, scopes] of Object.entries({
        'a-token-without-access': [],
        'a-token-with-access-01': ['access:servers!user=ada'],
      })) {
        await createToken(tx, { value, owner, scopes, note: '' }, new Date())
      }
      await putRole(tx, { name: 'watchers', description: '', scopes: ['access:servers'] })
      await setRoleMembers(tx, { role: 'watchers', kind: 'service', ids: [id], add: true })
    })
    const get = async (url: string, token: string) => {
      const headers = { authorization: `token ${token}` }
      return (await hub.pages.app.inject({ url, headers })).statusCode
    }
    expect(await get('/hub/user/ada/lab', 'a-token-without-access')).toBe(404)
    expect(await get('/hub/user/ada/lab', 'a-token-with-access-01')).toBe(424)
    expect(await get('/hub/user/bob/lab', 'a-token-with-access-01')).toBe(404)
    expect(await get('/hub/home', 'a-token-with-access-01')).toBe(302)
  })

  test('over the limit a start is refused for now, in the form where there is one', async () => {
    const { hub, browser, settled } = await prepare({
      lifecycle: { queueSpawns: false, concurrentSpawnLimit: 1, startTimeoutMs: 30_000 },
    })
    hub.machines.behaviour.startHangs = true
    const other = await hub.signUp('bob')
    expect((await browser.get('/hub/spawn')).statusCode).toBe(302)
    const refused = await other.get('/hub/spawn')
    expect(refused.statusCode).toBe(429)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(30)
    expect((await browser.get('/hub/spawn')).headers['location']).toBe('/hub/spawn-pending/ada')
    expect((await browser.get('/hub/user/ada/x')).statusCode).toBe(303)
    const found = await findServer(hub.pages.store.db, 'ada', '')
    if (found !== undefined) await hub.lifecycle.stop({ server: found, actor: 'user ada' })
    await settled()
  })

  test('named servers are checked before anything starts', async () => {
    const page = await prepare({
      settings: { namedServerLimitPerUser: 1, allowExistingInvalidNamedServers: 'allow-delete' },
      lifecycle: { namedServerLimitPerUser: 1, allowExistingInvalidNamedServers: 'allow-delete' },
    })
    const { store, browser, settled, server } = page
    for (const path of ['Bad_Name', 'lab?display_name=%00', '1st', 'a--b']) {
      expect((await browser.get(`/hub/spawn/ada/${path}`)).statusCode).toBe(400)
    }
    const first = await browser.get('/hub/spawn/ada/lab?display_name=My%20Lab')
    expect(first.headers['location']).toBe('/hub/spawn-pending/ada/lab')
    await settled('lab')
    expect(await server('lab')).toMatchObject({ displayName: 'My Lab', userOptions: null })
    const second = await browser.get('/hub/spawn/ada/other')
    expect(second.statusCode).toBe(400)
    expect(second.body).toContain('already has the maximum of 1 named servers')
    const user = await findUser(store.db, 'ada')
    const old = { userId: user?.id ?? 0, name: 'Old Name', displayName: null }
    await store.write((tx) => createServer(tx, old, new Date()))
    expect((await browser.get('/hub/spawn/ada/Old%20Name')).statusCode).toBe(400)
  })

  test('a stored name from before the rule may start where the operator says so', async () => {
    const { store, browser, settled } = await prepare()
    const user = await findUser(store.db, 'ada')
    const old = { userId: user?.id ?? 0, name: 'Old Name', displayName: null }
    await store.write((tx) => createServer(tx, old, new Date()))
    const answer = await browser.get('/hub/spawn/ada/Old%20Name')
    expect(answer.headers['location']).toBe('/hub/spawn-pending/ada/Old%20Name')
    expect((await settled('Old Name'))?.state.kind).toBe('ready')
  })

  test('no named server starts where they are off, the configured default one included', async () => {
    const off = { allowNamedServers: false, defaultServerName: 'lab' }
    const { browser } = await prepare({ settings: off, lifecycle: { allowNamedServers: false } })
    expect((await browser.get('/hub/user-redirect/tree')).headers['location']).toBe(
      '/hub/spawn/ada/lab?next=%2Fuser%2Fada%2Flab%2Ftree',
    )
    expect((await browser.get('/hub/spawn/ada/lab')).statusCode).toBe(400)
  })
})
