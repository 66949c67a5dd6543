import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { findChromium, findSingleUser, openBrowser } from '../support/browser.ts'
import { TestInstallation } from '../support/hub-process.ts'

const chromium = findChromium()
const singleUser = findSingleUser()
const password = 'a long enough password'
const slow = { timeout: 30_000 }

let browser: Browser
let orrery: TestInstallation
let page: Page

beforeAll(async () => {
  if (chromium === undefined || singleUser === undefined) return
  browser = await openBrowser(chromium)
  orrery = await TestInstallation.create({
    config: {
      JupyterHub: {
        spawner_class: 'simple',
        cleanup_servers: false,
        cleanup_proxy: false,
        load_roles: [{ name: 'guest', scopes: ['access:servers!user=ada'], users: ['guest'] }],
      },
    },
    homes: true,
  })
  await orrery.start()
  page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage()
})

afterAll(async () => {
  await orrery?.destroy()
  await browser?.close()
})

beforeEach((context) => {
  if (chromium === undefined) context.skip('no Chromium on this machine')
  if (singleUser === undefined) context.skip('no jupyterhub-singleuser with JupyterLab on the PATH')
})

/** A picture of what a person sees, when `ORRERY_SCREENSHOTS` names a folder. */
async function picture(name: string): Promise<void> {
  const folder = process.env['ORRERY_SCREENSHOTS']
  if (folder === undefined || folder === '') return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) })
}

/** Waits for a cell to show exactly this result. */
async function untilOutput(where: Page, text: string): Promise<void> {
  try {
    await where.locator('.jp-OutputArea-output').getByText(text, { exact: true }).waitFor(slow)
  } catch (error) {
    await picture(`no-output-${text}`)
    throw error
  }
}

/**
 * Runs the cell under the cursor until its result is there: JupyterLab drops what is run while it
 * still connects to a new kernel.
 */
async function runUntilOutput(where: Page, text: string): Promise<void> {
  const output = where.locator('.jp-OutputArea-output').getByText(text, { exact: true })
  for (let attempt = 1; attempt < 10; attempt++) {
    await where.keyboard.press('Control+Enter')
    const isThere = await output.waitFor({ timeout: 3_000 }).then(
      () => true,
      () => false,
    )
    if (isThere) return
  }
  await untilOutput(where, text)
}

test('the first start prints a link that makes the administrator, once', async () => {
  const link = /http:\S+\/hub\/setup\?token=\S+/.exec(orrery.output)?.[0]
  if (link === undefined) throw new Error(`no link in:\n${orrery.output}`)
  await page.goto(link)
  await picture('setup')
  await page.locator('#username_input').fill('ada')
  await page.locator('#password_input').fill(password)
  await page.locator('#confirmation_input').fill(password)
  await page.locator('button[type=submit]').first().click()
  await page.waitForURL(/\/hub\/(home|spawn|spawn-pending|user)/, slow)
  const again = await page.request.get(link, { maxRedirects: 0 })
  expect(again.status()).toBeGreaterThanOrEqual(400)
})

test('signing in with a wrong password is refused, with the right one it is not', async () => {
  await page.goto(`${orrery.url}/hub/logout`)
  await page.goto(`${orrery.url}/hub/login?next=%2Fhub%2Fhome`)
  await page.locator('#username_input').fill('ada')
  await page.locator('#password_input').fill('wrong')
  await page.locator('#login_submit').click()
  await page.getByText('Invalid username or password').waitFor()
  await picture('login-refused')
  await page.locator('#username_input').fill('ada')
  await page.locator('#password_input').fill(password)
  await page.locator('#login_submit').click()
  await page.waitForURL(/\/hub\/home/)
  await picture('home')
})

test('a notebook computes, and its kernel stays connected over a restart of the hub', async () => {
  await page.goto(`${orrery.url}/hub/home`)
  const kernelSockets: string[] = []
  page.on('websocket', (socket) => {
    if (/\/api\/kernels\/[^/]+\/channels/.test(socket.url())) kernelSockets.push(socket.url())
  })
  await page.goto(`${orrery.url}/hub/spawn`)
  await picture('pending')
  await page.waitForURL(/\/user\/ada\//, slow)
  await page.goto(`${orrery.url}/user/ada/lab?reset`)
  const notebook = page.locator('.jp-LauncherCard[data-category="Notebook"]').first()
  await notebook.waitFor(slow)
  await picture('jupyterlab')
  await notebook.click()
  const cell = page.locator('.jp-Notebook .jp-Cell .cm-content').first()
  await cell.waitFor(slow)
  await page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').first().waitFor(slow)
  await cell.click()
  await page.keyboard.type('answer = 6*7; answer')
  await runUntilOutput(page, '42')
  await page.keyboard.press('Shift+Enter')
  await picture('notebook')
  const before = kernelSockets.length
  expect(before).toBeGreaterThan(0)

  await orrery.kill()
  await page.keyboard.type('answer + 1')
  await page.keyboard.press('Shift+Enter')
  await untilOutput(page, '43')
  await orrery.start()
  await page.keyboard.type('answer + 2')
  await page.keyboard.press('Shift+Enter')
  await untilOutput(page, '44')
  expect(kernelSockets).toHaveLength(before)

  await orrery.kill('SIGTERM')
  await orrery.start()
  await page.keyboard.type('answer + 3')
  await page.keyboard.press('Shift+Enter')
  await untilOutput(page, '45')
  expect(kernelSockets).toHaveLength(before)
  await picture('after-restart')
})

test('the classic page opens a notebook and computes', async () => {
  await page.goto(`${orrery.url}/user/ada/tree`)
  const file = page.getByText('Untitled.ipynb').first()
  await file.waitFor(slow)
  await picture('tree')
  const [notebook] = await Promise.all([page.context().waitForEvent('page'), file.dblclick()])
  const cell = notebook.locator('.jp-Notebook .jp-Cell .cm-content').first()
  await cell.waitFor(slow)
  await notebook
    .locator('.jp-NotebookKernelStatus, .jp-Notebook-ExecutionIndicator[data-status="idle"]')
    .first()
    .waitFor(slow)
  await cell.click()
  await notebook.keyboard.press('Control+A')
  await notebook.keyboard.type('6*7 + 100')
  await runUntilOutput(notebook, '142')
  await notebook.close()
})

test('tokens can be made and are shown once', async () => {
  await page.goto(`${orrery.url}/hub/token`)
  await page.locator('#token-note').fill('from the browser test')
  await page.locator('#request-token-form button[type=submit]').click()
  const shown = page.locator('#token-result')
  await shown.getByText(/[0-9a-f]{32}/).waitFor()
  await picture('token')
  const token = /[0-9a-f]{32}/.exec((await shown.textContent()) ?? '')?.[0] ?? ''
  const answer = await fetch(`${orrery.url}/hub/api/user`, {
    headers: { Authorization: `token ${token}` },
  })
  expect(await answer.json()).toMatchObject({ name: 'ada', admin: true })
})

test("a token opens a notebook server's API only with the scope for it", async () => {
  const xsrf = (await page.context().cookies()).find(
    ({ name, path }) => name === '_xsrf' && path === '/hub/',
  )
  const issue = async (user: string, body: object) => {
    const answer = await page.request.post(`${orrery.url}/hub/api/users/${user}/tokens`, {
      data: body,
      headers: { 'X-XSRFToken': xsrf?.value ?? '' },
    })
    expect(answer.status(), await answer.text()).toBe(201)
    return ((await answer.json()) as { token: string }).token
  }
  const statusWith = async (token: string) => {
    const answer = await fetch(`${orrery.url}/user/ada/api/status`, {
      headers: { Authorization: `token ${token}` },
    })
    return answer.status
  }
  const created = await page.request.post(`${orrery.url}/hub/api/users/grace`, {
    headers: { 'X-XSRFToken': xsrf?.value ?? '' },
  })
  expect(created.status()).toBe(201)
  expect(await statusWith(await issue('ada', {}))).toBe(200)
  expect(await statusWith(await issue('ada', { scopes: ['list:users'] }))).toBe(403)
  expect(await statusWith(await issue('grace', {}))).toBe(403)
  expect(await statusWith(await issue('guest', {}))).toBe(200)
  expect(await statusWith('no-such-token-at-all')).toBe(403)
})

test('the interactive API page works against the hub', async () => {
  await page.goto(`${orrery.url}/hub/api/docs`)
  await page.locator('.opblock-tag').first().waitFor(slow)
  await picture('api-docs')
  const operation = page
    .locator('.opblock', { hasText: '/user' })
    .filter({ hasText: 'GET' })
    .first()
  await operation.locator('.opblock-summary').first().click()
  await operation.locator('button.try-out__btn').click()
  await operation.locator('button.execute').click()
  await operation
    .locator('.live-responses-table .response')
    .getByText(/"ada"/)
    .first()
    .waitFor(slow)
})

test('stopping the server from the home page stops it', async () => {
  await page.goto(`${orrery.url}/hub/home`)
  await page.locator('#stop').click()
  await orrery.until(() => orrery.serverPids().length === 0)
  await page.goto(`${orrery.url}/user/ada/lab`)
  await page
    .getByText(/not running/i)
    .first()
    .waitFor()
  await picture('not-running')
})
