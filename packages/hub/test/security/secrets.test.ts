import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestInstallation } from '../support/hub-process.ts'

/**
 * Secrets go where they are needed and nowhere else: a hub that logs all it can is put through
 * sign-in, OAuth, tokens and failures, then everything it printed, keeps and lists is searched.
 */
const configToken = 'secrets-test-config-token-0123456789'
const password = 'hunter2-shared-password'
const crafted = 'crafted-token-that-nobody-issued-42'
const tinyServer = fileURLToPath(new URL('../support/tiny-server.mjs', import.meta.url))

let orrery: TestInstallation
/** What each secret is called, for the message of a failure. */
const secrets = new Map<string, string>()

beforeAll(async () => {
  orrery = await TestInstallation.create({
    config: {
      Application: { log_level: 'DEBUG' },
      JupyterHub: {
        spawner_class: 'simple',
        authenticator_class: 'dummy',
        api_tokens: { [configToken]: 'ada' },
        cleanup_servers: true,
      },
      DummyAuthenticator: { password },
      Authenticator: { admin_users: ['ada'], allow_all: true },
      Spawner: { cmd: [process.execPath, tinyServer] },
    },
    homes: true,
  })
  await orrery.start()
  secrets.set('the configured token', configToken).set('the password', password)
  secrets.set('a token that was refused', crafted)
})

afterAll(() => orrery.destroy())

test('no secret is printed, listed with a process, or kept in the clear', async () => {
  const browser = await signIn()
  await issueToken()
  const api = await startServer()
  await authorize(browser, api)
  await fail(browser)
  await orrery.until(() => orrery.output.includes('no-such-page'))

  // What is searched does hold the requests: the code went by, unreadable.
  expect(orrery.output).toMatch(/oauth_callback\?code=\[secret\]/)
  expect(occurrences(orrery.output)).toEqual([])
  for (const pid of everyPid()) {
    expect([pid, occurrences(readQuietly(`/proc/${pid}/cmdline`))]).toEqual([pid, []])
  }
  for (const path of filesBelow(orrery.dataDir)) {
    expect([path, occurrences(readQuietly(path))]).toEqual([path, []])
    // Whatever else a file may hold is nobody else's to read.
    expect([path, statSync(path).mode & 0o077]).toEqual([path, 0])
  }
})

test('names that hold line ends or colours cannot forge a line of the log', async () => {
  const before = orrery.output.length
  const hostile = 'eve\n[I 2026-01-01 00:00:00.000 Orrery] forged\u001B[31m'
  const escaped = encodeURIComponent(hostile)
  await orrery.api(`/users/${escaped}`, { token: configToken, method: 'POST' })
  await orrery.api(`/users/${escaped}/server`, { token: configToken, method: 'POST' })
  await postForm('/hub/login', { username: hostile, password: 'wrong' }, {})
  await get(`/hub/end-of-test?x=${escaped}`, {})
  await orrery.until(() => orrery.output.includes('end-of-test'))
  const printed = orrery.output.slice(before)
  expect(printed).not.toMatch(/^\[I 2026-01-01/m)
  expect(printed).not.toContain('\u001B[31m')
  expect(printed.split('\n').every((line) => line.length < 4_000)).toBe(true)
})

type Cookies = Record<string, string>

async function signIn(): Promise<Cookies> {
  const cookies: Cookies = {}
  keepCookies(cookies, await get('/hub/login', cookies))
  const answer = await postForm('/hub/login', { username: 'bob', password }, cookies)
  expect(answer.statusCode).toBe(302)
  keepCookies(cookies, answer)
  // The session id is not among them: it names a browser's tokens and opens nothing.
  secrets.set('the login cookie', cookies['jupyterhub-hub-login'] ?? '')
  return cookies
}

async function issueToken(): Promise<void> {
  const { body } = await orrery.api('/users/bob/tokens', {
    token: configToken,
    method: 'POST',
    body: { auth: { username: 'bob', password } },
  })
  secrets.set('an API token', readText(body, 'token'))
}

/** @returns the token that the server was given */
async function startServer(): Promise<string> {
  const { status } = await orrery.api('/users/bob/server', { token: configToken, method: 'POST' })
  expect(status).toBe(201)
  const [pid = 0] = orrery.serverPids()
  const environment = readQuietly(`/proc/${pid}/environ`)
  const token = /(?:^|\0)JUPYTERHUB_API_TOKEN=([^\0]+)/.exec(environment)?.[1] ?? ''
  expect(token).not.toBe('')
  secrets.set("the server's token", token)
  return token
}

async function authorize(cookies: Cookies, clientSecret: string): Promise<void> {
  const query = new URLSearchParams({
    client_id: 'jupyterhub-user-bob',
    redirect_uri: '/user/bob/oauth_callback',
    response_type: 'code',
    state: 'state-of-the-browser-0123456789',
  })
  const asked = await get(`/hub/api/oauth2/authorize?${query.toString()}`, cookies)
  const location = new URL(String(asked.headers['location']), orrery.url)
  const code = location.searchParams.get('code') ?? ''
  expect(code).not.toBe('')
  secrets.set('the authorization code', code)
  // The browser follows, and the code passes through the edge once more.
  await get(location.pathname + location.search, {})
  const exchanged = await postForm('/hub/api/oauth2/token', {
    grant_type: 'authorization_code',
    client_id: 'jupyterhub-user-bob',
    client_secret: clientSecret,
    redirect_uri: '/user/bob/oauth_callback',
    code,
  })
  expect(exchanged.statusCode).toBe(200)
  secrets.set('the access token', readText(exchanged.body, 'access_token'))
}

/** What goes wrong is where secrets like to come out. */
async function fail(cookies: Cookies): Promise<void> {
  await postForm('/hub/login', { username: 'bob', password: `${password}x` }, cookies)
  await postForm('/hub/api/oauth2/token', { grant_type: 'authorization_code', code: crafted })
  await orrery.api('/users', { token: crafted })
  await orrery.api('/users', { token: configToken, method: 'POST', body: [configToken] })
  await orrery.api(`/authorizations/token/${crafted}`, { token: configToken })
  await orrery.api(`/user?token=${crafted}`, { token: configToken })
  await orrery.kill()
  await orrery.start()
  await get('/hub/no-such-page', cookies)
}

interface Answer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: unknown
}

/** As a script asks: `fetch` would say `Sec-Fetch-Mode: cors`, and follow redirects. */
async function ask(path: string, cookies: Cookies, form?: string): Promise<Answer> {
  const { statusCode, headers, body } = await request(`${orrery.url}${path}`, {
    method: form === undefined ? 'GET' : 'POST',
    headers: {
      Cookie: cookieHeader(cookies),
      ...(form !== undefined && { 'Content-Type': 'application/x-www-form-urlencoded' }),
    },
    ...(form !== undefined && { body: form }),
  })
  const text = await body.text()
  const isJson = String(headers['content-type']).startsWith('application/json')
  return { statusCode, headers, body: isJson ? JSON.parse(text) : text }
}

function get(path: string, cookies: Cookies): Promise<Answer> {
  return ask(path, cookies)
}

function postForm(
  path: string,
  fields: Record<string, string>,
  cookies: Cookies = {},
): Promise<Answer> {
  const xsrf = cookies['_xsrf']
  const form = new URLSearchParams({ ...fields, ...(xsrf !== undefined && { _xsrf: xsrf }) })
  return ask(path, cookies, form.toString())
}

function keepCookies(cookies: Cookies, answer: Answer): void {
  for (const line of [answer.headers['set-cookie'] ?? []].flat()) {
    const [, name = '', value = ''] = /^([^=]+)="?([^";]*)/.exec(line) ?? []
    cookies[name] = value
  }
}

function cookieHeader(cookies: Cookies): string {
  return Object.entries(cookies)
    .map(([name, value]) => `${name}="${value}"`)
    .join('; ')
}

function readText(body: unknown, key: string): string {
  const fields: readonly [string, unknown][] = Object.entries(body ?? {})
  const value = fields.find(([name]) => name === key)?.[1]
  if (typeof value !== 'string' || value === '') throw new Error(`the answer has no ${key}`)
  return value
}

function occurrences(text: string): string[] {
  return [...secrets].filter(([, secret]) => text.includes(secret)).map(([name]) => name)
}

function everyPid(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger)
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // the process has just ended
  }
}
