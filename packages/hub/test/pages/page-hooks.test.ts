import { afterEach, describe, expect, test } from 'vitest'
import { putOAuthClient } from '../../src/storage/oauth.ts'
import { createServer, findServer, updateServer } from '../../src/storage/servers.ts'
import { createToken, listTokensOfUser } from '../../src/storage/tokens.ts'
import { findUser, grantUserRole } from '../../src/storage/users.ts'
import {
  type Browser,
  startTestHub,
  type TestHub,
  type TestHubOptions,
} from '../../src/web/web-test-kit.ts'

let hub: TestHub | undefined
afterEach(async () => {
  await hub?.close()
  hub = undefined
})

async function openAs(
  username: string,
  options: TestHubOptions = {},
): Promise<{ pages: TestHub; browser: Browser; userId: number }> {
  const pages = hub ?? (await startTestHub(options))
  hub = pages
  const browser = pages.browser()
  await browser.get('/hub/signup')
  const password = 'three unrelated words'
  const _xsrf = browser.cookies.get('_xsrf') ?? ''
  await browser.post('/hub/signup', { _xsrf, username, password, confirmation: password })
  const user = await findUser(pages.store.db, username)
  if (user === undefined) throw new Error('no account')
  return { pages, browser, userId: user.id }
}

const marks = (html: string) => [
  ...[...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => `#${id}`),
  ...[...html.matchAll(/ class="([^"]+)"/g)].flatMap(([, names = '']) =>
    names.split(' ').map((name) => `.${name}`),
  ),
]

/** Ids and classes that scripts and browser tests of existing deployments use. */
describe('pages have the hooks of the contract', () => {
  test('login, spawn form and tokens', async () => {
    const optionsForm = '<input name="size">'
    const { browser, pages } = await openAs('ada', { settings: { optionsForm } })
    const login = marks((await pages.app.inject('/hub/login')).body)
    expect(login).toEqual(
      expect.arrayContaining(['#username_input', '#password_input', '#login_submit']),
    )
    expect(marks((await browser.get('/hub/spawn')).body)).toContain('#spawn_form')
    const ids = ['form', 'note', 'expiration-seconds', 'scopes', 'result'].map((part) =>
      part === 'form' ? '#request-token-form' : `#token-${part}`,
    )
    expect(marks((await browser.get('/hub/token')).body)).toEqual(expect.arrayContaining(ids))
  })

  test('home, with servers in every state', async () => {
    const { browser, pages, userId } = await openAs('ada')
    expect((await browser.get('/hub/home')).body).toMatch(
      /<a id="start" [^>]*href="\/hub\/spawn\/ada"/,
    )
    const now = new Date()
    const target = new URL('http://127.0.0.1:1')
    await pages.store.write(async (tx) => {
      for (const name of ['', 'runs', 'rests']) {
        const server = await createServer(tx, { userId, name, displayName: null }, now)
        if (name === 'rests') continue
        const starting = await updateServer(tx, server, { state: { kind: 'spawning', since: now } })
        const state = { kind: 'ready', startedAt: now, target } as const
        if (starting !== undefined) await updateServer(tx, starting, { state })
      }
    })
    const { body } = await browser.get('/hub/home')
    expect(body).toMatch(/<a id="start" [^>]*href="\/user\/ada\/"/)
    const found = marks(body)
    for (const mark of ['#stop', '.server-table', '.new-server-name', '.new-server-btn']) {
      expect(found).toContain(mark)
    }
    const row = (name: string) =>
      body
        .split('<tr class="home-server-row"')
        .find((part) => part.includes(`data-server-name="${name}"`)) ?? ''
    expect(marks(row('runs'))).toContain('.stop-server')
    expect(marks(row('rests'))).toEqual(expect.arrayContaining(['.start-server', '.delete-server']))
  })

  test('the pending page, whose stop button is about the server that is shown', async () => {
    const { browser, pages, userId } = await openAs('ada')
    const admin = await openAs('boss')
    await pages.store.write(async (tx) => {
      await grantUserRole(tx, admin.userId, 'admin')
      const now = new Date()
      for (const name of ['', 'lab']) {
        const server = await createServer(tx, { userId, name, displayName: null }, now)
        await updateServer(tx, server, { state: { kind: 'spawning', since: now } })
      }
    })
    const { body } = await browser.get('/hub/spawn-pending/ada')
    const ids = [
      'progress-bar',
      'sr-progress',
      'progress-message',
      'progress-details',
      'progress-log',
    ]
    const wanted = [...ids, 'stop-server-btn', 'refresh'].map((id) => `#${id}`)
    expect(marks(body)).toEqual(expect.arrayContaining(wanted))
    // The page's script makes the URLs of the progress and of the stop from these.
    expect(body).toMatch(/ data-owner="ada" data-server-name=""/)
    const others = await admin.browser.get('/hub/spawn-pending/ada/lab')
    expect(others.body).toMatch(/ data-user="boss" [^>]*data-owner="ada" data-server-name="lab"/)
    expect((await findServer(pages.store.db, 'ada', 'lab'))?.state.kind).toBe('spawning')
  })
})

describe('the token page', () => {
  const expirations = (html: string) =>
    [...html.matchAll(/<option value="(\d*)"[^>]*>([^<]+)/g)].map(([, value, label]) => [
      value,
      label,
    ])

  test.each([
    [
      0,
      [
        ['3600', '1 Hour'],
        ['86400', '1 Day'],
        ['604800', '1 Week'],
        ['2592000', '1 Month'],
        ['31536000', '1 Year'],
        ['', 'Never'],
      ],
    ],
    [
      86_400,
      [
        ['3600', '1 Hour'],
        ['86400', '1 Day'],
        ['', 'Max (1 Day)'],
      ],
    ],
    [
      7200,
      [
        ['3600', '1 Hour'],
        ['', 'Max (2 hours)'],
      ],
    ],
  ] as const)(
    'with a limit of %i offers what is within',
    async (tokenExpiresInMaxSeconds, offers) => {
      const { browser } = await openAs('ada', { settings: { tokenExpiresInMaxSeconds } })
      expect(expirations((await browser.get('/hub/token')).body)).toEqual(offers)
    },
  )

  test('lists own tokens one by one and others by client, without those that are over', async () => {
    const { browser, pages, userId } = await openAs('ada')
    const other = await openAs('bob')
    const now = pages.clock.now
    const token = (
      value: string,
      changes: { note: string; clientId?: string; expiresAt?: Date },
    ) => ({
      value: `${value}-0123456789abcdef`,
      owner: { kind: 'user', id: userId } as const,
      scopes: [],
      ...changes,
    })
    await pages.store.write(async (tx) => {
      await putOAuthClient(tx, {
        id: 'service-dash',
        description: 'The <dashboard>',
        secretHash: 'x',
        redirectUri: '/',
        allowedScopes: [],
        serverId: null,
        serviceId: null,
      })
      await createToken(tx, token('one', { note: 'my own' }), now)
      await createToken(
        tx,
        token('two', { note: 'old', expiresAt: new Date(now.getTime() - 1) }),
        now,
      )
      for (const value of ['three', 'four']) {
        await createToken(tx, token(value, { note: '', clientId: 'service-dash' }), now)
      }
    })
    const { body } = await browser.get('/hub/token')
    expect(body).toContain('my own')
    expect(body).not.toContain('>old<')
    expect(body.match(/The &lt;dashboard&gt;/g)).toHaveLength(1)
    const list = () => listTokensOfUser(pages.store.db, userId)
    expect(await list()).toHaveLength(3)

    const first = (await list()).find(({ clientId }) => clientId === 'service-dash')
    const revoke = (from: Browser) =>
      from.post('/hub/token', { _xsrf: from.cookies.get('_xsrf') ?? '', token: `a${first?.id}` })
    expect((await revoke(other.browser)).statusCode).toBe(404)
    expect((await revoke(browser)).statusCode).toBe(303)
    expect((await list()).map(({ note }) => note)).toEqual(['my own'])
  })
})
