import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { findChromium, openBrowser } from '../support/browser.ts'
import { TestInstallation } from '../support/hub-process.ts'
import { freePort } from '../support/ports.ts'
import { findPythonWith } from '../support/python.ts'

const chromium = findChromium()
const python = findPythonWith('jupyterhub', 'tornado')
const script = fileURLToPath(new URL('../support/hub_oauth_service.py', import.meta.url))
const token = 'service-login-test-token-0123'

let browser: Browser
let orrery: TestInstallation
let page: Page

async function service(name: string, more: object = {}) {
  const url = `http://127.0.0.1:${await freePort()}`
  return { name, url, command: [python, script], ...more }
}

beforeAll(async () => {
  if (chromium === undefined || python === undefined) return
  browser = await openBrowser(chromium)
  const services = [await service('asks'), await service('trusted', { oauth_no_confirm: true })]
  orrery = await TestInstallation.create({
    config: {
      JupyterHub: {
        authenticator_class: 'dummy',
        api_tokens: { [token]: 'boss' },
        services,
        load_roles: [
          {
            name: 'visitor',
            scopes: ['access:services!service=asks', 'access:services!service=trusted'],
            users: ['ada'],
          },
        ],
      },
      Authenticator: { admin_users: ['boss'], allow_all: true },
    },
  })
  await orrery.start()
  for (const { url, name } of services) {
    await orrery.until(async () => {
      const answer = await fetch(`${url}/services/${name}/`, { redirect: 'manual' }).catch(
        () => null,
      )
      await answer?.body?.cancel()
      return answer !== null
    })
  }
  page = await (await browser.newContext()).newPage()
})

afterAll(async () => {
  await orrery?.destroy()
  await browser?.close()
})

beforeEach((context) => {
  if (chromium === undefined) context.skip('no Chromium on this machine')
  if (python === undefined) context.skip('no Python with jupyterhub and tornado on the PATH')
})

async function logIn(where: Page, name: string): Promise<void> {
  await where.waitForURL(/\/hub\/login/)
  await where.locator('#username_input').fill(name)
  await where.locator('#password_input').fill('any')
  await where.locator('#login_submit').click()
}

async function whoAmI(where: Page): Promise<unknown> {
  return JSON.parse((await where.locator('pre').textContent()) ?? '')
}

const adaAt = (name: string) => ({
  name: 'ada',
  scopes: [
    `access:services!service=${name}`,
    'read:users:groups!user=ada',
    'read:users:name!user=ada',
  ],
})

test('a service with HubOAuth signs somebody in who agrees to it', async () => {
  await page.goto(`${orrery.url}/services/asks/`)
  await logIn(page, 'ada')
  await page.getByRole('heading', { name: 'Authorize access' }).waitFor()
  expect(await page.locator('main').textContent()).toContain('asks')
  await page.getByRole('button', { name: 'Authorize' }).click()
  await page.waitForURL(`${orrery.url}/services/asks/`)
  expect(await whoAmI(page)).toEqual(adaAt('asks'))
})

test('a trusted service does not ask', async () => {
  await page.goto(`${orrery.url}/services/trusted/some/page?x=1`)
  await page.waitForURL(`${orrery.url}/services/trusted/some/page?x=1`)
  expect(await whoAmI(page)).toEqual(adaAt('trusted'))
})

test('pages of the hub link to the services', async () => {
  await page.goto(`${orrery.url}/hub/home`)
  await page.getByText('Services', { exact: true }).click()
  await page.getByRole('link', { name: 'trusted' }).click()
  await page.waitForURL(`${orrery.url}/services/trusted/`)
})

test('signing out of the hub ends the sessions at its services', async () => {
  await page.goto(`${orrery.url}/services/asks/`)
  expect(await whoAmI(page)).toEqual(adaAt('asks'))
  await page.goto(`${orrery.url}/hub/logout`)
  for (const name of ['asks', 'trusted']) {
    await page.goto(`${orrery.url}/services/${name}/`)
    await page.waitForURL(/\/hub\/login\?next=/)
  }
})

test('somebody without access to the service is told so', async () => {
  const context = await browser.newContext()
  const other = await context.newPage()
  await other.goto(`${orrery.url}/services/trusted/`)
  const refused = other.waitForResponse((answer) => answer.url().includes('/oauth2/authorize'))
  await logIn(other, 'eve')
  await other.getByText('403', { exact: false }).first().waitFor()
  expect((await refused).status()).toBe(403)
  expect(await other.locator('main').textContent()).toContain('trusted')
  await context.close()
})

test('a service that does not exist is a page of the hub that says so', async () => {
  const answer = await fetch(`${orrery.url}/services/nothing`)
  expect([answer.status, answer.url]).toEqual([404, `${orrery.url}/hub/services/nothing/`])
  expect(await answer.text()).toContain('404 : Not Found')
})

test('a token opens the service to those who may enter it', async () => {
  const statusWith = async (user: string) => {
    const { body } = await orrery.api(`/users/${user}/tokens`, { token, method: 'POST', body: {} })
    const { token: issued } = body as { token: string }
    const answer = await fetch(`${orrery.url}/services/asks/`, {
      headers: { Authorization: `token ${issued}` },
      redirect: 'manual',
    })
    return answer.status
  }
  expect([await statusWith('ada'), await statusWith('eve')]).toEqual([200, 403])
})
