import { afterEach, expect, it } from 'vitest'
import { describeStores } from '../support/stores.ts'
import { ApiHub, textWith } from './api-hub.ts'

const unsafe = ['POST', 'PUT', 'PATCH', 'DELETE']

/** Source: contract rest-api §2.3, table. */
const table: [mode: string | undefined, site: string | undefined, get: boolean, write: boolean][] =
  [
    [undefined, undefined, true, false],
    ['navigate', 'none', true, false],
    ['navigate', 'cross-site', true, false],
    ['cors', 'same-origin', false, false],
    ['same-origin', 'same-origin', false, false],
    ['no-cors', 'same-origin', true, false],
    ['no-cors', 'same-site', false, false],
    ['no-cors', 'cross-site', false, false],
    ['no-cors', undefined, false, false],
    ['websocket', 'cross-site', true, true],
  ]

function fetchHeaders(mode: string | undefined, site: string | undefined): Record<string, string> {
  return {
    ...(mode !== undefined && { 'sec-fetch-mode': mode }),
    ...(site !== undefined && { 'sec-fetch-site': site }),
  }
}

describeStores('XSRF', (open) => {
  let hub: ApiHub
  afterEach(() => hub.close())

  async function start() {
    hub = await ApiHub.start(await open())
    await hub.addPeople()
    await hub.callerWith(['admin:users', 'admin:groups'], 'bob')
    return hub.browserOf('bob')
  }

  it('asks cookie callers for the token as the table says', async () => {
    const { cookie, xsrf } = await start()
    const call = hub.anonymous({ cookie })
    for (const [mode, site, mayGet, mayWrite] of table) {
      const headers = fetchHeaders(mode, site)
      for (const method of ['GET', ...unsafe]) {
        // GET is allowed, PUT is 405; the others find a body that they refuse.
        const line = `${method} /users`
        const isOpen = method === 'GET' ? mayGet : mayWrite
        const without = await call(line, undefined, headers)
        const seen = [mode, site, line, without.body.includes('_xsrf')]
        expect(seen).toEqual([mode, site, line, !isOpen])
        if (!isOpen) expect(without.statusCode).toBe(403)
        const withToken = await call(line, undefined, { ...headers, 'x-xsrftoken': xsrf })
        expect([line, withToken.body]).toEqual([line, expect.not.stringMatching(/xsrf/i)])
      }
    }
  })

  it('finds the token in the query and in two headers, and compares it', async () => {
    const { cookie, xsrf } = await start()
    const call = hub.anonymous({ cookie })
    const other = await hub.browserOf('carol')
    const cases: [line: string, headers: Record<string, string>, status: number, text: string][] = [
      [`PATCH /users/carol?_xsrf=${xsrf}`, {}, 200, 'carol'],
      ['PATCH /users/carol', { 'x-xsrftoken': xsrf }, 200, 'carol'],
      ['PATCH /users/carol', { 'x-csrftoken': xsrf }, 200, 'carol'],
      ['PATCH /users/carol?_xsrf=', { 'x-csrftoken': xsrf }, 200, 'carol'],
      [
        `PATCH /users/carol?_xsrf=wrong`,
        { 'x-xsrftoken': xsrf },
        403,
        'XSRF cookie does not match PATCH argument',
      ],
      ['PATCH /users/carol', {}, 403, "'_xsrf' argument missing from PATCH"],
      ['PATCH /users/carol', { 'x-xsrftoken': other.xsrf }, 403, 'does not match'],
      ['PATCH /users/carol', { 'x-xsrftoken': 'x' }, 403, 'does not match'],
    ]
    for (const [line, headers, status, text] of cases) {
      const answer = await call(line, {}, headers)
      expect([line, answer.statusCode, answer.body]).toEqual([line, status, textWith(text)])
    }
  })

  it('refuses a header token without its cookie, and the cookie of another session', async () => {
    const { cookie, xsrf } = await start()
    const bare = hub.anonymous({ cookie: await hub.cookieOf('bob') })
    const headers = { 'x-xsrftoken': xsrf }
    expect((await bare('PATCH /users/carol', {}, headers)).statusCode).toBe(403)
    const elsewhere = hub.anonymous({ cookie: `${await hub.cookieOf('bob')}; _xsrf=${xsrf}` })
    expect((await elsewhere('PATCH /users/carol', {}, headers)).statusCode).toBe(403)
    const tossed = hub.anonymous({ cookie: `_xsrf=forged; ${cookie}` })
    expect((await tossed('PATCH /users/carol', {}, headers)).statusCode).toBe(200)
  })

  it('leaves tokens, exempt paths and anonymous callers without Origin alone', async () => {
    const { cookie } = await start()
    const token = await hub.callerWith(['admin:users'], 'tokened')
    const cors = { 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'cross-site' }
    const asToken = await token('PATCH /users/carol', {}, { ...cors, cookie })
    expect(asToken.statusCode).toBe(200)
    const anonymous = hub.anonymous(cors)
    const withOrigin = { origin: 'https://evil.example' }
    const cases: [line: string, headers: Record<string, string>, status: number, text: string][] = [
      ['GET /', withOrigin, 200, 'version'],
      ['GET /nothing', withOrigin, 404, 'Not Found'],
      ['POST /nothing', withOrigin, 404, 'Not Found'],
      ['OPTIONS /users', withOrigin, 200, ''],
      ['HEAD /users', withOrigin, 405, ''],
      ['GET /users', {}, 403, 'Missing or invalid credentials'],
      ['GET /users', withOrigin, 403, "'_xsrf' argument missing from GET"],
      ['POST /users', withOrigin, 403, "'_xsrf' argument missing from POST"],
      ['POST /users/bob/tokens', withOrigin, 403, ''],
      ['POST /authorizations/token', withOrigin, 404, '/users/:user/tokens'],
    ]
    for (const [line, headers, status, text] of cases) {
      const answer = await anonymous(line, undefined, headers)
      expect([line, answer.statusCode, answer.body]).toEqual([line, status, textWith(text)])
    }
  })

  it('drops the cookie of a POST whose type is not JSON', async () => {
    const { cookie, xsrf } = await start()
    const call = hub.anonymous({ cookie, 'x-xsrftoken': xsrf })
    const cases: [type: string | undefined, method: string, path: string, status: number][] = [
      [undefined, 'POST', '/groups/a', 201],
      ['application/json', 'POST', '/groups/b', 201],
      ['Application/JSON; charset=utf-8', 'POST', '/groups/c', 201],
      ['application/jsonp', 'POST', '/groups/d', 201],
      ['text/plain; application/json', 'POST', '/groups/e', 201],
      ['text/plain', 'POST', '/groups/f', 403],
      ['application/x-www-form-urlencoded', 'POST', '/groups/f', 403],
      ['text/plain', 'PATCH', '/users/carol', 200],
      ['text/plain', 'PUT', '/groups/a/properties', 200],
      ['text/plain', 'DELETE', '/groups/a', 204],
    ]
    for (const [type, method, path, status] of cases) {
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      const answer = await call(`${method} ${path}`, '{}', headers)
      expect([type, method, answer.statusCode]).toEqual([type, method, status])
    }
    const token = await hub.callerWith(['admin:groups'], 'tokened')
    const asToken = await token('POST /groups/f', '{}', { 'content-type': 'text/plain' })
    expect(asToken.statusCode).toBe(201)
  })
})
