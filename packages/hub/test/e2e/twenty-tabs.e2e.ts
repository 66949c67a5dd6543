import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { afterEach, expect, test } from 'vitest'
import { CookieJar } from '../support/cookie-jar.ts'
import { TestInstallation } from '../support/hub-process.ts'
import { freePort } from '../support/ports.ts'
import { findPythonWith } from '../support/python.ts'

const python = findPythonWith('jupyterhub', 'tornado')
const script = fileURLToPath(new URL('../support/hub_oauth_service.py', import.meta.url))
const tabs = Array.from({ length: 20 }, (_, index) => `/services/tabs/page/${index}`)

let orrery: TestInstallation | undefined
afterEach(async () => orrery?.destroy())

async function start(): Promise<TestInstallation> {
  const url = `http://127.0.0.1:${await freePort()}`
  const service = { name: 'tabs', url, command: [python, script], oauth_no_confirm: true }
  const visitor = { name: 'visitor', scopes: ['access:services!service=tabs'], users: ['ada'] }
  orrery = await TestInstallation.create({
    config: {
      JupyterHub: {
        authenticator_class: 'dummy',
        services: [service],
        load_roles: [visitor],
      },
      Authenticator: { allow_all: true },
    },
  })
  const installation = orrery
  await installation.start()
  await installation.until(async () => {
    const answer = await fetch(`${url}/services/tabs/`, { redirect: 'manual' }).catch(() => null)
    await answer?.body?.cancel()
    return answer !== null
  })
  return installation
}

/** One browser: requests that go out together carry the same cookies. */
function createBrowser(origin: string) {
  const jar = new CookieJar()
  // Not fetch, which would name its mode `cors`: a browser that navigates is meant.
  const send = async (path: string, form?: URLSearchParams) => {
    const answer = await request(`${origin}${path}`, {
      method: form === undefined ? 'GET' : 'POST',
      headers: {
        cookie: jar.headerFor(path),
        ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(form !== undefined && { body: form.toString() }),
    })
    jar.take(path, [answer.headers['set-cookie'] ?? []].flat())
    const { location } = answer.headers
    const next = location === undefined ? undefined : pathOf(new URL(String(location), origin))
    return { status: answer.statusCode, next, body: await answer.body.text() }
  }
  /** Follows redirects until there is something to read. */
  const open = async (path: string) => {
    let answer = await send(path)
    for (let hops = 0; answer.next !== undefined && hops < 10; hops += 1) {
      answer = await send(answer.next)
    }
    return answer
  }
  return { jar, send, open }
}

function pathOf(url: URL): string {
  return `${url.pathname}${url.search}`
}

const hidden = (page: string) => /name="_xsrf" value="([^"]*)"/.exec(page)?.[1] ?? ''
const actionOf = (page: string) => /<form action="([^"]*)"/.exec(page)?.[1] ?? ''

test('twenty tabs of a service with HubOAuth sign in at once', async (context) => {
  if (python === undefined) context.skip('no Python with jupyterhub and tornado on the PATH')
  const { url } = await start()
  const { jar, send, open } = createBrowser(url)
  const pages: string[] = []
  for (const tab of tabs) pages.push((await open(tab)).body)
  expect(jar.list().filter(({ name }) => name.includes('oauth-state'))).toHaveLength(20)
  const answers = await Promise.all(
    pages.map((page) => {
      const fields = { username: 'ada', password: 'any', _xsrf: hidden(page) }
      return send(actionOf(page).replaceAll('&amp;', '&'), new URLSearchParams(fields))
    }),
  )
  const ends = await Promise.all(answers.map(({ next }) => open(next ?? '/nowhere')))
  expect(ends.map(({ status }) => status)).toEqual(tabs.map(() => 200))
  expect(ends.map(({ body }) => (JSON.parse(body) as { name: string }).name)).toEqual(
    tabs.map(() => 'ada'),
  )
  expect(
    jar
      .list()
      .map(({ name, path }) => `${name} ${path}`)
      .toSorted(),
  ).toEqual([
    '_xsrf /hub/',
    '_xsrf /services/tabs/',
    'jupyterhub-hub-login /hub/',
    'jupyterhub-session-id /',
    'service-tabs /services/tabs/',
  ])
  await send('/hub/logout')
  expect((await open(tabs[0] ?? '')).body).toContain('id="login_submit"')
})
