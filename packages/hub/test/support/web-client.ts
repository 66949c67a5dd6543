import { Agent, type Dispatcher, request } from 'undici'
import { CookieJar } from './cookie-jar.ts'

const maxRedirects = 15

/** Somebody at a browser: cookies, redirects, forms. Accepts any certificate. */
export class WebClient {
  readonly jar = new CookieJar()
  /** Every `Set-Cookie` line that came. */
  readonly cookieLines: string[] = []
  readonly #origin: string
  readonly #agent = new Agent({ connect: { rejectUnauthorized: false } })

  constructor(origin: string) {
    this.#origin = origin
  }

  async get(path: string): Promise<{ status: number; url: string; text: string }> {
    return this.#follow(path, await this.#ask(path, 'GET'))
  }

  /** Signs in by the form, and lands on `next`. */
  async login(username: string, password: string, next = '/hub/home') {
    const path = `/hub/login?next=${encodeURIComponent(next)}`
    await this.get(path)
    const form = { username, password, _xsrf: this.jar.get('_xsrf') ?? '' }
    return this.#follow(path, await this.#ask(path, 'POST', new URLSearchParams(form)))
  }

  close(): Promise<void> {
    return this.#agent.destroy()
  }

  async #follow(path: string, first: Dispatcher.ResponseData) {
    let answer = first
    let url = path
    for (let i = 0; i < maxRedirects; i += 1) {
      const { location } = answer.headers
      if (typeof location !== 'string' || answer.statusCode < 300 || answer.statusCode >= 400) break
      await answer.body.dump()
      const next = new URL(location, new URL(url, this.#origin))
      url = `${next.pathname}${next.search}`
      answer = await this.#ask(url, 'GET')
    }
    return { status: answer.statusCode, url, text: await answer.body.text() }
  }

  async #ask(
    path: string,
    method: 'GET' | 'POST',
    form?: URLSearchParams,
  ): Promise<Dispatcher.ResponseData> {
    const answer = await request(`${this.#origin}${path}`, {
      dispatcher: this.#agent,
      method,
      headers: {
        cookie: this.jar.headerFor(path),
        accept: 'text/html',
        ...(form !== undefined && {
          origin: this.#origin,
          'content-type': 'application/x-www-form-urlencoded',
        }),
      },
      body: form?.toString() ?? null,
      signal: AbortSignal.timeout(30_000),
    })
    const lines = [answer.headers['set-cookie'] ?? []].flat()
    this.cookieLines.push(...lines)
    this.jar.take(path, lines)
    return answer
  }
}
