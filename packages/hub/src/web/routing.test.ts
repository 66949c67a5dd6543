import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findAsset } from './static-assets.ts'
import { startTestHub, type TestHub, type TestHubOptions } from './web-test-kit.ts'

type Row = readonly [method: string, path: string, status: number, location?: string]

const login = (next: string) => `/hub/login?next=${encodeURIComponent(next)}`

/** What a stranger gets. Observed: JupyterHub 6.1, row by row. */
const strangerRows: readonly Row[] = [
  ['GET', '/', 302, '/hub/'],
  ['GET', '/hub', 301, '/hub/'],
  ['GET', '/hub/', 302, login('/hub/')],
  ['GET', '/hub/home', 302, login('/hub/home')],
  ['GET', '/hub/home/', 404],
  ['GET', '/hub/login', 200],
  ['GET', '/hub/login/', 404],
  ['GET', '/hub/spawn', 302, login('/hub/spawn')],
  ['GET', '/hub/spawn/', 404],
  ['GET', '/hub/spawn/ada/lab', 302, login('/hub/spawn/ada/lab')],
  ['GET', '/hub/spawn/ada/', 404],
  ['GET', '/hub/spawn/ada/a/b', 404],
  ['GET', '/hub/spawn-pending', 404],
  ['GET', '/hub/spawn-pending/ada?x=1', 302, login('/hub/spawn-pending/ada?x=1')],
  ['GET', '/hub/spawn-pending/ada/a/b', 404],
  ['GET', '/hub/user', 404],
  ['GET', '/hub/user/', 404],
  ['GET', '/hub/user/ada', 302, login('/hub/user/ada')],
  ['GET', '/hub/user/ada/lab', 302, login('/hub/user/ada/lab')],
  ['GET', '/hub/user-redirect', 404],
  ['GET', '/hub/user-redirect/', 302, login('/hub/user-redirect/')],
  ['GET', '/hub/token', 302, login('/hub/token')],
  ['GET', '/hub/admin', 302, login('/hub/admin')],
  ['GET', '/hub/error/404', 200],
  ['GET', '/hub/error/503?url=%2Fuser%2Fada', 200],
  ['GET', '/hub/error/200', 200],
  ['GET', '/hub/error/599', 200],
  ['GET', '/hub/error/abc', 404],
  ['GET', '/hub/error/404/', 404],
  ['GET', '/hub/health', 200],
  ['HEAD', '/hub/health', 200],
  ['GET', '/hub/api/health', 200],
  ['HEAD', '/hub/api/health', 200],
  ['GET', '/hub/health/', 404],
  ['GET', '/hub/logo', 200],
  ['HEAD', '/hub/logo', 200],
  ['OPTIONS', '/hub/logo', 405],
  ['POST', '/hub/logo', 403],
  ['GET', '/hub/static/hub.css', 200],
  ['HEAD', '/hub/static/hub.css', 200],
  ['OPTIONS', '/hub/static/hub.css', 405],
  ['DELETE', '/hub/static/hub.css', 403],
  ['GET', '/hub/static/css/style.min.css', 200],
  ['GET', '/hub/static/images/jupyterhub-80.png', 200],
  ['GET', '/hub/static/nothing', 404],
  ['GET', '/hub/static/__proto__', 404],
  ['GET', '/favicon.ico', 200],
  ['HEAD', '/favicon.ico', 200],
  ['GET', '/robots.txt', 404],
  ['GET', '/hub/security/csp-report', 405],
  ['POST', '/hub/security/csp-report', 403],
  ['GET', '/user', 302, '/hub/user'],
  ['GET', '/user/ada', 301, '/user/ada/'],
  ['GET', '/user/a%20b?x=1', 301, '/user/a%20b/?x=1'],
  ['GET', '/user/ada/', 302, '/hub/user/ada/'],
  ['GET', '/user/ada/lab?x=1', 302, '/hub/user/ada/lab?x=1'],
  ['GET', '/services/x', 301, '/services/x/'],
  ['GET', '/services/x/y?z', 302, '/hub/services/x/y?z'],
  ['GET', '/hub/services/x', 404],
  ['GET', '/nothing?x=1', 302, '/hub/nothing?x=1'],
  ['GET', '/hub/nothing', 404],
  ['GET', '/hub/apix', 404],
  ['HEAD', '/', 405],
  ['OPTIONS', '/', 405],
  ['HEAD', '/hub/home', 405],
  ['OPTIONS', '/hub/home', 405],
  ['PUT', '/hub/home', 403],
  ['HEAD', '/hub/user/ada/', 405],
  ['POST', '/hub/user/ada/', 403],
  ['HEAD', '/hub/nothing', 404],
  ['POST', '/hub/nothing', 403],
  ['HEAD', '/user/ada', 405],
  ['POST', '/user/ada/api', 403],
]

/** With a base URL. A path outside of it goes whole below the hub and loses its query. */
const basedRows: readonly Row[] = [
  ['GET', '/base/', 302, '/base/hub/'],
  ['GET', '/base', 302, '/base/hub/'],
  ['GET', '/base/hub', 301, '/base/hub/'],
  ['GET', '/base/hub/home', 302, '/base/hub/login?next=%2Fbase%2Fhub%2Fhome'],
  ['GET', '/base/user/ada', 301, '/base/user/ada/'],
  ['GET', '/base/user/ada/lab?x=1', 302, '/base/hub/user/ada/lab?x=1'],
  ['GET', '/', 302, '/base/hub/'],
  ['GET', '/user/ada/lab?x=1', 302, '/base/hub/user/ada/lab'],
  ['GET', '/hub/home', 302, '/base/hub/hub/home'],
  ['GET', '/favicon.ico', 200],
  ['GET', '/base/hub/static/hub.css', 200],
]

/** With a signed-in user; the token of a form comes with every request. */
const userRows: readonly Row[] = [
  ['GET', '/hub/', 302, '/hub/spawn'],
  ['GET', '/hub/home', 200],
  ['PUT', '/hub/home', 405],
  ['DELETE', '/hub/logo', 405],
  ['POST', '/hub/nothing', 404],
  ['POST', '/', 405],
  ['POST', '/hub/security/csp-report', 200],
  ['GET', '/hub/user/ada', 424],
  ['GET', '/hub/user/ada/lab', 424],
  ['GET', '/hub/user/bob/lab', 404],
  ['GET', '/hub/user/ada%2Fx/', 404],
  ['GET', '/hub/user/%ff', 400],
  ['DELETE', '/hub/user/ada/api', 424],
  ['PATCH', '/hub/user/whoever/api', 424],
  ['PUT', '/hub/user/ada/api', 405],
  ['GET', '/hub/spawn-pending/ada', 200],
  ['GET', '/hub/spawn-pending/ada/nope', 404],
  ['GET', '/hub/spawn/ada/Bad_Name', 400],
  ['GET', '/hub/spawn/bob', 404],
  ['GET', '/hub/spawn/ada?opt-=1', 422],
  [
    'GET',
    '/hub/user-redirect/git-pull?repo=https%3A%2F%2Fhost',
    302,
    `/hub/spawn/ada?next=${encodeURIComponent('/user/ada/git-pull?repo=https%3A%2F%2Fhost')}`,
  ],
  ['GET', '/hub/admin', 403],
]

function suite(name: string, options: TestHubOptions, rows: readonly Row[], signedIn = false) {
  describe(name, () => {
    let hub: TestHub
    let headers: Record<string, string> = {}
    beforeAll(async () => {
      hub = await startTestHub(options)
      if (signedIn) headers = await sessionHeaders(hub)
    })
    afterAll(() => hub.close())

    for (const [method, url, status, location] of rows) {
      test(`${method} ${url} is ${status}`, async () => {
        const answer = await inject(hub, { method, url, headers })
        expect([answer.statusCode, answer.headers['location']]).toEqual([status, location])
      })
    }
  })
}

suite('strangers', {}, strangerRows)
suite(
  'a base URL',
  {
    session: { baseUrl: '/base/', hubPrefix: '/base/hub/' },
    settings: { baseUrl: '/base/', hubPrefix: '/base/hub/' },
  },
  basedRows,
)
suite('a signed-in user', {}, userRows, true)
suite('a public URL', { session: { publicUrl: new URL('https://hub.example/') } }, [
  ['GET', '/user/ada/lab?x=1', 302, 'https://hub.example/hub/user/ada/lab?x=1'],
  ['GET', '/', 302, 'https://hub.example/hub/'],
])
suite('a default URL', { settings: { defaultUrl: '/services/welcome' } }, [
  ['GET', '/hub/', 302, '/services/welcome'],
  ['GET', '/hub/?a=1&next=%2Fhub%2Ftoken', 302, '/hub/token'],
  ['GET', '/hub/?a=1', 302, '/services/welcome?a=1'],
])
suite(
  'home as the landing page',
  { settings: { redirectToServer: false } },
  [['GET', '/hub/', 302, '/hub/home']],
  true,
)

describe('files', () => {
  let hub: TestHub
  beforeAll(async () => {
    const logo = { body: Buffer.from('0123456789'), contentType: 'image/png' }
    hub = await startTestHub({ settings: { logo } })
  })
  afterAll(() => hub.close())
  const get = (url: string, headers: Record<string, string> = {}) =>
    inject(hub, { method: 'GET', url, headers })

  test('with a version are kept for ten years, others are asked for again', async () => {
    const versioned = await get('/hub/static/hub.css?v=1')
    expect(versioned.headers['cache-control']).toBe('max-age=315360000')
    expect(Date.parse(String(versioned.headers['expires']))).toBeGreaterThan(
      hub.clock.now.getTime() + 3_153_000_000_00,
    )
    const plain = await get('/hub/static/hub.css')
    expect(plain.headers).toMatchObject({ 'cache-control': 'no-cache', 'accept-ranges': 'bytes' })
    expect(plain.headers['etag']).toBeUndefined()
    expect(plain.headers['x-jupyterhub-version']).toBeUndefined()
    const since = String(plain.headers['last-modified'])
    expect((await get('/hub/static/hub.css', { 'if-modified-since': since })).statusCode).toBe(304)
  })

  test('the logo is the configured one and carries a tag', async () => {
    const { headers, body } = await get('/hub/logo')
    expect([body, headers['content-type']]).toEqual(['0123456789', 'image/png'])
    const tag = String(headers['etag'])
    expect((await get('/hub/logo', { 'if-none-match': tag })).statusCode).toBe(304)
    expect((await get('/hub/logo', { 'if-none-match': '"other"' })).statusCode).toBe(200)
  })

  test.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=5-99', 206, '56789', 'bytes 5-9/10'],
    ['bytes=0-', 200, '0123456789', undefined],
    ['bytes=-99', 200, '0123456789', undefined],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['bytes=4-2', 416, '', 'bytes */10'],
    ['bytes=1-2,4-5', 200, '0123456789', undefined],
    ['lines=1-2', 200, '0123456789', undefined],
  ])('range %s is %i', async (range, status, body, contentRange) => {
    const answer = await get('/hub/logo', { range })
    expect([answer.statusCode, answer.body, answer.headers['content-range']]).toEqual([
      status,
      body,
      contentRange,
    ])
  })

  test('no_cache_static holds for versions too', async () => {
    const strict = await startTestHub({ settings: { noCacheStatic: true } })
    const { headers } = await strict.app.inject('/hub/static/hub.css?v=1')
    expect(headers['cache-control']).toBe('no-cache')
    await strict.close()
  })

  test('names of older pages lead to files of today', () => {
    expect(findAsset('css/style.min.css')).toBe(findAsset('hub.css'))
    expect(findAsset('constructor')).toBeUndefined()
  })

  test("the pages' script brings the hub's client, both kept for good", async () => {
    const page = await hub.app.inject('/hub/login')
    const [, script = ''] = /<script type="module" src="([^"]+)"/.exec(page.body) ?? []
    const hubScript = await hub.app.inject(script)
    const [, client = ''] = / from '\.\/(client\.js\?v=[0-9a-f]{16})'/.exec(hubScript.body) ?? []
    const clientScript = await hub.app.inject(`/hub/static/${client}`)
    for (const answer of [hubScript, clientScript]) {
      expect(answer.headers).toMatchObject({
        'content-type': 'text/javascript; charset=utf-8',
        'cache-control': 'max-age=315360000',
      })
    }
    expect(page.body).toContain(`<link rel="modulepreload" href="/hub/static/${client}">`)
    const source = Buffer.from(clientScript.body).toString('base64')
    const loaded = (await import(`data:text/javascript;base64,${source}`)) as object
    expect(loaded).toHaveProperty('createClient')
  })
})

test('error pages give a stranger the XSRF cookie, and show who is signed in', async () => {
  const hub = await startTestHub()
  const cookies = (answer: LightMyRequestResponse) => [answer.headers['set-cookie'] ?? []].flat()
  expect(cookies(await hub.app.inject('/hub/nothing'))[0]).toMatch(/^_xsrf=/)
  expect(cookies(await hub.app.inject('/hub/error/503'))[0]).toMatch(/^_xsrf=/)
  const asScript = { url: '/hub/nothing', headers: { 'sec-fetch-mode': 'cors' } }
  expect(cookies(await hub.app.inject(asScript))).toEqual([])
  const beside = { method: 'POST', url: '/user/ada/x' } as const
  expect(cookies(await hub.app.inject(beside))).toEqual([])
  const headers = await sessionHeaders(hub)
  expect((await hub.app.inject({ url: '/hub/error/503', headers })).body).toContain('>ada<')
  await hub.close()
})

/** Cookies and XSRF header of somebody who has just signed up. */
async function sessionHeaders(hub: TestHub): Promise<Record<string, string>> {
  const browser = hub.browser()
  await browser.get('/hub/signup')
  const password = 'three unrelated words'
  await browser.post('/hub/signup', {
    _xsrf: browser.cookies.get('_xsrf') ?? '',
    username: 'ada',
    password,
    confirmation: password,
  })
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  return { cookie, 'x-xsrftoken': browser.cookies.get('_xsrf') ?? '' }
}

function inject(
  hub: TestHub,
  request: { method: string; url: string; headers: Record<string, string> },
): Promise<LightMyRequestResponse> {
  // The methods of the tables are all methods that Fastify knows.
  return hub.app.inject(request as InjectOptions)
}
