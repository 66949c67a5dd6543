import { EventEmitter } from 'node:events'
import type { FastifyReply } from 'fastify'
import { afterEach, expect, test } from 'vitest'
import { StreamRegistry } from '../../src/api/event-stream.ts'
import { createToken } from '../../src/storage/tokens.ts'
import { getUser } from '../../src/storage/users.ts'
import { Site } from '../support/site.ts'
import { describeStores } from '../support/stores.ts'

const mebibyte = 1_048_576
const boundary = 'boundary-of-the-parts-0123456789'
const multipart = `multipart/form-data; boundary=${boundary}`
const formType = 'application/x-www-form-urlencoded'

/** What would take minutes takes a moment: far above what a bounded answer needs on a busy machine. */
const momentMs = 8_000

describeStores('what a client may make the hub read', (open) => {
  let site: Site
  const start = async () => {
    site = await Site.start(await open())
    return site
  }
  afterEach(() => site.close())

  const post = (url: string, type: string, payload: string | Buffer, headers = {}) =>
    site.app.inject({
      method: 'POST',
      url,
      headers: { 'content-type': type, ...headers },
      payload,
    })

  test('JSON that a stranger sends to the token endpoint costs no more than its bytes', async () => {
    await start()
    const spaces = `{"a":1}${' '.repeat(mebibyte - 100)}x`
    const deep = '['.repeat(mebibyte / 2)
    const wide = `{"auth":[${'1,'.repeat(400_000)}1]}`
    const cases: [what: string, body: string, status: number][] = [
      ['spaces before something', spaces, 400],
      ['nesting without end', deep, 400],
      ['many members', wide, 403],
      ['more than a mebibyte', ' '.repeat(mebibyte + 1), 413],
    ]
    for (const [what, body, status] of cases) {
      const began = performance.now()
      const answer = await post('/hub/api/users/ada/tokens', 'application/json', body)
      expect([what, answer.statusCode]).toEqual([what, status])
      expect([what, performance.now() - began < momentMs]).toEqual([what, true])
    }
  })

  test('forms of strangers are small, those with files come from who is signed in', async () => {
    await start()
    const large = 'x'.repeat(300 * 1024)
    const urls = [
      '/hub/login',
      '/hub/spawn',
      '/hub/spawn/ada',
      '/hub/home',
      '/hub/api/oauth2/token',
    ]
    for (const url of urls) {
      for (const type of [formType, multipart, 'text/plain']) {
        const answer = await post(url, type, large)
        expect([url, type, answer.statusCode]).toEqual([url, type, 413])
      }
    }
    const browser = await site.signedIn('ada')
    const headers = { cookie: browser.jar.headerFor('/hub/spawn') }
    const part = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n${large}\r\n`
    const file = `${part}--${boundary}\r\nContent-Disposition: form-data; name="_xsrf"\r\n\r\n`
    const form = `${file}${browser.jar.get('_xsrf') ?? ''}\r\n--${boundary}--\r\n`
    expect(await post('/hub/spawn', multipart, form, headers)).toMatchObject({
      statusCode: 302,
      body: '',
    })
    expect((await post('/hub/home', multipart, form, headers)).statusCode).toBe(413)
    const endless = part.repeat(40)
    expect((await post('/hub/spawn', multipart, endless, headers)).statusCode).toBe(413)
  })

  test('a form has at most a thousand fields', async () => {
    await start()
    const browser = await site.signedIn('ada')
    const headers = { cookie: browser.jar.headerFor('/hub/spawn') }
    const fields = 'a=1&'.repeat(1001)
    const part = `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n`
    const parts = `${part.repeat(90_000)}--${boundary}--\r\n`
    const began = performance.now()
    for (const [type, body] of [
      [formType, fields],
      [multipart, parts],
      [`multipart/form-data; boundary="${boundary}"`, parts],
    ] as const) {
      const answer = await post('/hub/spawn', type, body, headers)
      expect([type, answer.statusCode, answer.body]).toEqual([
        type,
        400,
        expect.stringContaining('Too many form fields'),
      ])
    }
    expect(performance.now() - began).toBeLessThan(momentMs)
  })

  test('names are bounded wherever they come in', async () => {
    await start()
    const scopes = ['admin:users', 'admin:groups', 'admin:servers', 'admin:services', 'tokens']
    const call = await site.callerWith(scopes, 'manager')
    await call('POST /users/bob')
    await call('POST /groups/g')
    const long = 'n'.repeat(256)
    const huge = 'n'.repeat(2_000)
    const outcomes = [
      [await call(`POST /users/${long}`), 400],
      [await call(`POST /users/${huge}`), 404],
      [await call('POST /users', { usernames: [huge] }), 400],
      [await call('PATCH /users/bob', { name: long }), 400],
      [await call(`POST /groups/${long}`), 400],
      [await call('POST /groups', { groups: [huge] }), 400],
      [await call('POST /groups/g/users', { users: [huge] }), 400],
      [await call('POST /users/bob/servers/a', { display_name: huge }), 400],
      [await call(`POST /users/bob/servers/${long}`), 400],
      [await call(`POST /services/${long}`, {}), 400],
      [await call('POST /users/bob/tokens', { roles: [huge] }), 400],
      [await call('POST /users/bob/tokens', { scopes: [huge] }), 400],
      [await call(`GET /users?name_filter=${huge}`), 400],
      [await site.browser().send('POST', '/hub/login', { fields: { username: huge } }), 403],
    ] as const
    expect(outcomes.map(([answer]) => answer.statusCode)).toEqual(outcomes.map(([, s]) => s))
    for (const [answer] of outcomes) expect(answer.body.length).toBeLessThan(5_000)
  })

  test('failed sign-ins are counted at the form and at the token endpoint alike', async () => {
    await start()
    const ask = (password: string) =>
      post(
        '/hub/api/users/bob/tokens',
        'application/json',
        JSON.stringify({ auth: { username: 'bob', password } }),
      )
    const statuses: number[] = []
    for (let count = 0; count < 6; count += 1) statuses.push((await ask('wrong')).statusCode)
    expect(statuses).toEqual([403, 403, 403, 403, 403, 429])
    const blocked = await site.browser().signIn('bob')
    expect(blocked.statusCode).toBe(429)
    expect(Number(blocked.headers['retry-after'])).toBeGreaterThan(0)
  })

  test('guesses at a client secret are counted at the OAuth token endpoint', async () => {
    await start()
    const statuses: number[] = []
    for (let count = 0; count < 21; count += 1) {
      const answer = await site.exchange({ client_id: 'service-x', client_secret: 'no', code: 'c' })
      statuses.push(answer.statusCode)
    }
    expect([statuses[0], statuses.at(-1)]).toEqual([401, 429])
  })

  test('guesses at a token that somebody chose do not keep the hub busy', async () => {
    await start()
    const chosen = 'super-secret-service-token'
    await site.signedIn('ada')
    const { id } = await getUser(site.store.db, 'ada')
    const owner = { kind: 'user', id } as const
    const stored = { value: chosen, owner, scopes: ['inherit'], note: '', stretched: true }
    await site.store.write((tx) => createToken(tx, stored, new Date()))
    const ask = async (token: string) => {
      const headers = { authorization: `token ${token}` }
      return (await site.app.inject({ url: '/hub/api/user', headers })).statusCode
    }
    expect(await ask(chosen)).toBe(200)
    const guesses = Array.from({ length: 60 }, (_, at) => `supe${'x'.repeat(1000)}${at}`)
    const statuses = await Promise.all(guesses.map(ask))
    expect(new Set(statuses)).toEqual(new Set([403, 429]))
    expect(await ask(chosen)).toBe(200)
    expect(await ask('a token of another beginning')).toBe(403)
  })

  test('one user does not take all the streams', async () => {
    await start()
    const streams = new StreamRegistry(1_000)
    const reply = () => ({ raw: new EventEmitter() }) as unknown as FastifyReply // all that it uses
    const open = (userId: number) => streams.open(reply(), { userId })
    const ofOne = Array.from({ length: 200 }, () => open(1))
    expect(() => open(1)).toThrow(expect.objectContaining({ status: 429 }))
    open(2)
    ofOne[0]?.abort()
    open(1)
    expect(() => open(1)).toThrow(expect.objectContaining({ status: 429 }))
    streams.closeAll()
    expect(streams.size).toBe(0)
  })
})
