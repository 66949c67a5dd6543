import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { findChromium, findSingleUser, openBrowser } from '../support/browser.ts'
import { TestInstallation } from '../support/hub-process.ts'

const chromium = findChromium()
const singleUser = findSingleUser()
const slow = { timeout: 60_000 }

let browser: Browser
let orrery: TestInstallation
let context: BrowserContext
let page: Page

// Browsers take every name below `localhost` for this machine.
const hubOrigin = () => `http://hub.localhost:${orrery.port}`
const adaOrigin = () => `http://ada.hub.localhost:${orrery.port}`

beforeAll(async () => {
  if (chromium === undefined || singleUser === undefined) return
  browser = await openBrowser(chromium)
  orrery = await TestInstallation.create({
    config: (port) => ({
      JupyterHub: {
        spawner_class: 'simple',
        authenticator_class: 'dummy',
        subdomain_host: `http://hub.localhost:${port}`,
      },
    }),
    homes: true,
  })
  await orrery.start()
  context = await browser.newContext()
  page = await context.newPage()
})

afterAll(async () => {
  await orrery?.destroy()
  await browser?.close()
})

beforeEach((context_) => {
  if (chromium === undefined) context_.skip('no Chromium on this machine')
  if (singleUser === undefined) {
    context_.skip('no jupyterhub-singleuser with JupyterLab on the PATH')
  }
})

test('a person signs in at the hub and lands in JupyterLab at a host of her own', async () => {
  await page.goto(`${hubOrigin()}/hub/login`)
  await page.locator('#username_input').fill('ada')
  await page.locator('#login_submit').click()
  await page.waitForURL(
    (url) => url.origin === adaOrigin() && url.pathname === '/user/ada/lab',
    slow,
  )
  await page.locator('.jp-LauncherCard[data-category="Notebook"]').first().waitFor(slow)
})

test('a kernel computes over its WebSocket', async () => {
  await page.locator('.jp-LauncherCard[data-category="Notebook"]').first().click()
  const cell = page.locator('.jp-Notebook .jp-Cell .cm-content').first()
  await cell.waitFor(slow)
  await page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').first().waitFor(slow)
  await cell.click()
  await page.keyboard.type('6*7')
  const output = page.locator('.jp-OutputArea-output').getByText('42', { exact: true })
  for (let attempt = 1; attempt < 10 && !(await output.isVisible()); attempt++) {
    await page.keyboard.press('Control+Enter')
    await output.waitFor({ timeout: 3_000 }).catch(() => undefined) // the kernel still connects
  }
  await output.waitFor(slow)
})

test('the hub’s login cookie stays on the hub’s host, the session id is shared', async () => {
  const cookies = await context.cookies()
  const domainOf = (name: string) => cookies.find((cookie) => cookie.name === name)?.domain
  expect(domainOf('jupyterhub-hub-login')).toBe('hub.localhost')
  expect(domainOf('jupyterhub-session-id')).toBe('.hub.localhost')
  expect(domainOf('jupyterhub-user-ada')).toBe('ada.hub.localhost')
})

test('signing out at the server ends the session, for a server cookie that was kept as well', async () => {
  const kept = (await context.cookies()).filter(({ name }) => name === 'jupyterhub-user-ada')
  expect(kept).toHaveLength(1)
  await page.goto(`${adaOrigin()}/user/ada/logout`)
  await page.waitForURL(`${hubOrigin()}/hub/login`, slow)
  await context.addCookies(kept)
  const answer = await page.goto(`${adaOrigin()}/user/ada/api/contents`)
  expect(answer?.status()).toBe(403)
})
