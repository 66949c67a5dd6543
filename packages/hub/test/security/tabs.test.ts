import { afterEach, expect, test } from 'vitest'
import { Site, type SiteBrowser, sitePassword } from '../support/site.ts'
import { describeStores } from '../support/stores.ts'

const tabs = Array.from({ length: 20 }, (_, index) => index)
const credentials = { username: 'ada', password: sitePassword }

describeStores('twenty tabs of one browser', (open) => {
  let site: Site
  afterEach(() => site.close())

  async function start() {
    site = await Site.start(await open())
    const client = await site.addServer('ada')
    const authorizeUrl = (tab: number) => {
      const query = new URLSearchParams({ ...client, response_type: 'code', state: `state ${tab}` })
      return `/hub/api/oauth2/authorize?${query.toString()}`
    }
    return { client, authorizeUrl, browser: site.browser() }
  }

  /** From the authorization endpoint to the login page that it leads to. */
  async function toLoginPage(browser: SiteBrowser, url: string): Promise<string> {
    const login = String((await browser.get(url)).headers.location)
    expect(login).toBe(`/hub/login?next=${encodeURIComponent(url)}`)
    return (await browser.get(login)).body
  }

  test('all sign in at once, each comes back to its own state, one log-out ends them all', async () => {
    const { client, authorizeUrl, browser } = await start()
    const pages = []
    for (const tab of tabs) pages.push(await toLoginPage(browser, authorizeUrl(tab)))
    const sent = await Promise.all(pages.map((page) => browser.submitLogin(page, credentials)))
    expect(sent.map((answer) => answer.headers.location)).toEqual(tabs.map(authorizeUrl))
    const codes = await Promise.all(
      sent.map(async (answer, tab) => {
        const back = await browser.get(String(answer.headers.location))
        const { searchParams } = new URL(String(back.headers.location), 'http://hub')
        expect(searchParams.get('state')).toBe(`state ${tab}`)
        return searchParams.get('code') ?? ''
      }),
    )
    const tokens = await Promise.all(
      codes.map(async (code) => {
        const answer = await site.exchange({ ...client, code })
        return answer.json<{ access_token: string }>().access_token
      }),
    )
    expect(new Set(tokens).size).toBe(20)
    expect(browser.jar.list()).toHaveLength(3)
    const statusOf = async (token: string) => {
      const headers = { authorization: `token ${token}` }
      return (await site.app.inject({ url: '/hub/api/user', headers })).statusCode
    }
    expect(await Promise.all(tokens.map(statusOf))).toEqual(tabs.map(() => 200))
    await browser.get('/hub/logout')
    expect(await Promise.all(tokens.map(statusOf))).toEqual(tabs.map(() => 403))
  })

  test('the form of a tab that was overtaken can be sent again', async () => {
    const { authorizeUrl, browser } = await start()
    const [first, second] = [
      await toLoginPage(browser, authorizeUrl(1)),
      await toLoginPage(browser, authorizeUrl(2)),
    ]
    expect((await browser.submitLogin(first, credentials)).statusCode).toBe(302)
    const overtaken = await browser.submitLogin(second, credentials)
    expect(overtaken.statusCode).toBe(403)
    expect(overtaken.body).toContain('Login form invalid or expired. Try again.')
    const again = await browser.submitLogin(overtaken.body, credentials)
    expect([again.statusCode, again.headers.location]).toEqual([302, authorizeUrl(2)])
  })
})
