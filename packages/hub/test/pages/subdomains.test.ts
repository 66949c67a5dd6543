import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestInstallation } from '../support/hub-process.ts'

const tinyServer = fileURLToPath(new URL('../support/tiny-server.mjs', import.meta.url))
const token = 'subdomain-test-token-0123'
const hubHost = 'hub.localhost'
const userHost = 'ada.hub.localhost'

let orrery: TestInstallation
const jar = new Map<string, string>()

beforeAll(async () => {
  orrery = await TestInstallation.create({
    config: {
      JupyterHub: {
        spawner_class: 'simple',
        authenticator_class: 'dummy',
        subdomain_host: `http://${hubHost}`,
        api_tokens: { [token]: 'ada' },
        services: [{ name: 'dash', url: 'http://127.0.0.1:1', oauth_no_confirm: true }],
        load_roles: [{ name: 'user', scopes: ['self', 'access:services!service=dash'] }],
      },
      Authenticator: { admin_users: ['ada'] },
      Spawner: { cmd: [process.execPath, tinyServer] },
      Proxy: { extra_routes: { 'docs.localhost/guide': 'http://127.0.0.1:1' } },
    },
    homes: true,
  })
  await orrery.start()
})
afterAll(() => orrery.destroy())

/** One request through the real edge, as a browser at that host would send it. */
async function visit(host: string, path: string, form?: Record<string, string>) {
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
  const answer = await request(`${orrery.url}${path}`, {
    method: form === undefined ? 'GET' : 'POST',
    headers: {
      host,
      ...(host === hubHost && cookie !== '' && { cookie }),
      ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(form !== undefined && { body: new URLSearchParams(form).toString() }),
  })
  const cookies = [answer.headers['set-cookie'] ?? []].flat()
  for (const line of cookies) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    jar.set(name, value)
  }
  const { statusCode, headers } = answer
  return {
    status: statusCode,
    location: headers['location'],
    cookies,
    body: await answer.body.text(),
  }
}

test('a user has a host of her own, from sign-in to the server and back', async () => {
  await visit(hubHost, '/hub/login')
  const signedIn = await visit(hubHost, '/hub/login?next=%2Fhub%2Fhome', {
    _xsrf: jar.get('_xsrf') ?? '',
    username: 'ada',
    password: 'x',
  })
  expect([signedIn.status, signedIn.location]).toEqual([302, '/hub/home'])
  const named = (name: string) => signedIn.cookies.find((line) => line.startsWith(`${name}=`))
  expect(named('jupyterhub-session-id')).toContain(`; Domain=${hubHost};`)
  expect(named('jupyterhub-hub-login')).not.toContain('Domain=')
  expect(named('_xsrf')).not.toContain('Domain=')

  const started = await visit(hubHost, '/hub/spawn')
  expect(started.location).toBe('/hub/spawn-pending/ada')
  await orrery.until(async () => (await visit(hubHost, '/hub/spawn-pending/ada')).status === 302)
  const ready = await visit(hubHost, '/hub/spawn-pending/ada')
  expect(ready.location).toBe(`http://${userHost}/user/ada/`)

  const served = await visit(userHost, '/user/ada/lab?x=1')
  expect(JSON.parse(served.body)).toMatchObject({ path: '/user/ada/lab?x=1' })
  const upper = await visit(`${userHost.toUpperCase()}:8000`, '/user/ada/lab')
  expect(upper.status).toBe(200)

  // On the hub's host the server has no route: the hub sends the browser to the right host.
  const wrongHost = await visit(hubHost, '/user/ada/lab?x=1')
  expect(wrongHost.location).toBe(`http://${hubHost}/hub/user/ada/lab?x=1`)
  const sentOn = await visit(hubHost, '/hub/user/ada/lab?x=1')
  expect(sentOn.location).toBe(`http://${userHost}/user/ada/lab?x=1&redirects=1`)
})

test('whatever else is asked of a user host leads to the hub', async () => {
  expect((await visit(userHost, '/')).location).toBe(`http://${hubHost}/hub/`)
  const stopped = await visit('bob.hub.localhost', '/user/bob/lab')
  expect(stopped.location).toBe(`http://${hubHost}/hub/user/bob/lab`)
})

test('next may name a host below the hub, and no other', async () => {
  const next = (url: string) => visit(hubHost, `/hub/login?next=${encodeURIComponent(url)}`)
  expect((await next(`http://${userHost}/user/ada/tree?a=1`)).location).toBe('/user/ada/tree?a=1')
  for (const evil of [
    'http://evil.example/user/ada/',
    `http://evil${hubHost}/`,
    `http://${hubHost}.evil.example/`,
    `http://${userHost}@evil.example/`,
  ]) {
    expect((await next(evil)).location).toBe(`http://${userHost}/user/ada/`)
  }
})

test('the API names full URLs, and the edge has routes by host', async () => {
  const { body } = await orrery.api('/users/ada/server', { token })
  expect(body).toMatchObject({
    url: `http://${userHost}/user/ada/`,
    full_url: `http://${userHost}/user/ada/`,
    progress_url: '/hub/api/users/ada/server/progress',
    full_progress_url: `http://${hubHost}/hub/api/users/ada/server/progress`,
  })
  const user = await orrery.api('/users/ada', { token })
  expect(user.body).toMatchObject({ server: `http://${userHost}/user/ada/` })
  const home = await visit(hubHost, '/hub/home')
  expect(home.body).toContain('href="http://dash--service.hub.localhost/services/dash/"')
  const dash = await visit('dash--service.hub.localhost', '/services/dash/x')
  expect(dash.status).toBe(503) // so is that of the service
  const docs = await visit('docs.localhost', '/guide/intro')
  expect(docs.status).toBe(503)
})
