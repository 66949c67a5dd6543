import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { fileURLToPath } from 'node:url'
import { findChromium, openBrowser } from '../support/browser.ts'
import { TestInstallation } from '../support/hub-process.ts'

// What the pages' script does with the hub's client, in a browser.

const chromium = findChromium()
const tinyServer = fileURLToPath(new URL('../support/tiny-server.mjs', import.meta.url))
let browser: Browser
let orrery: TestInstallation
let page: Page
const problems: string[] = []

beforeAll(async () => {
  if (chromium === undefined) return
  browser = await openBrowser(chromium)
  orrery = await TestInstallation.create({
    homes: true,
    config: {
      JupyterHub: {
        spawner_class: 'simple',
        authenticator_class: 'dummy',
        cleanup_servers: false,
        cleanup_proxy: false,
        tornado_settings: { slow_spawn_timeout: 0 },
      },
      Authenticator: { allow_all: true },
      // Slow enough for the page of the start to be seen.
      Spawner: { cmd: ['sh', '-c', `sleep 3; exec ${process.execPath} ${tinyServer}`] },
    },
  })
  await orrery.start()
  page = await (await browser.newContext()).newPage()
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text())
  })
  await page.goto(`${orrery.url}/hub/login?next=%2Fhub%2Fhome`)
  await page.locator('#username_input').fill('ada')
  await page.locator('#password_input').fill('x')
  await page.locator('#login_submit').click()
  await page.waitForURL(/\/hub\/home/)
})

afterAll(async () => {
  await orrery?.destroy()
  await browser?.close()
})

beforeEach((context) => {
  if (chromium === undefined) context.skip('no Chromium on this machine')
})

test('a start is followed to the server, over a restart of the hub', async () => {
  await page.goto(`${orrery.url}/hub/spawn`)
  await page.waitForURL(/\/hub\/spawn-pending\/ada/)
  await page.locator('#progress-log li').first().waitFor({ state: 'attached' })
  await orrery.kill('SIGKILL')
  await orrery.start()
  await page.waitForURL(`${orrery.url}/user/ada/`, { timeout: 60_000 })
  expect(await page.locator('body').textContent()).toContain('/user/ada/')
})

test('a start is cancelled from its page', async () => {
  const api = `${orrery.url}/hub/api/users/ada/server`
  await page.goto(`${orrery.url}/hub/home`)
  await page.evaluate(async (url) => {
    const { xsrf_token: xsrf } = (globalThis as unknown as { jhdata: { xsrf_token: string } })
      .jhdata
    await fetch(url, { method: 'DELETE', headers: { 'X-XSRFToken': xsrf } })
  }, api)
  await page.goto(`${orrery.url}/hub/spawn`)
  await page.waitForURL(/\/hub\/spawn-pending\/ada/)
  await page.locator('#progress-log li').first().waitFor({ state: 'attached' })
  await page.locator('#stop-server-btn').click()
  await page.waitForURL(/\/hub\/home/)
})

test('a token is made on its page, and refused scopes are told', async () => {
  await page.goto(`${orrery.url}/hub/token`)
  await page.locator('#token-scopes').fill('admin:users')
  await page.locator('#request-token-form [type=submit]').click()
  await page.locator('#token-error').getByText('Not assigning requested scopes').waitFor()
  await page.locator('#token-scopes').fill('')
  await page.locator('#request-token-form [type=submit]').click()
  await page.locator('#token-area').waitFor()
  const token = (await page.locator('#token-result').textContent()) ?? ''
  const { status, body } = await orrery.api('/user', { token })
  expect(status).toBe(200)
  expect(body).toMatchObject({ name: 'ada' })
})

test('the browser had nothing to complain of', () => {
  // Connections that broke while the hub was restarted, and the refusal that was asked for.
  const expected = /Failed to load resource|ERR_|net::/
  expect(problems.filter((problem) => !expected.test(problem))).toEqual([])
})
