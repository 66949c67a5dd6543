interface StoredCookie {
  readonly name: string
  readonly value: string
  readonly path: string
  readonly expiresAt: number
}

/**
 * Keeps cookies of one host as a browser does: by name and path, longer paths first, expired ones
 * gone. Source: RFC 6265 §5.3, §5.4.
 */
export class CookieJar {
  readonly #cookies = new Map<string, StoredCookie>()

  take(url: string, lines: readonly string[]): void {
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
      const name = pair.slice(0, pair.indexOf('='))
      const cookie = {
        name,
        value: pair.slice(pair.indexOf('=') + 1),
        path: attributeOf(attributes, 'path') ?? url.replace(/[^/]*$/, ''),
        expiresAt: expiryOf(attributes),
      }
      this.#cookies.delete(`${name};${cookie.path}`)
      if (cookie.expiresAt > Date.now()) this.set(cookie)
    }
  }

  /** Sets a cookie as a script or a neighbour could. */
  set(cookie: { name: string; value: string; path: string; expiresAt?: number }): void {
    const expiresAt = cookie.expiresAt ?? Infinity
    this.#cookies.set(`${cookie.name};${cookie.path}`, { ...cookie, expiresAt })
  }

  headerFor(url: string): string {
    const path = url.split('?', 1)[0] ?? '/'
    return this.list()
      .filter((cookie) => path.startsWith(cookie.path) && cookie.expiresAt > Date.now())
      .toSorted((a, b) => b.path.length - a.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')
  }

  get(name: string): string | undefined {
    return this.list().find((cookie) => cookie.name === name)?.value
  }

  list(): StoredCookie[] {
    return [...this.#cookies.values()]
  }

  copy(): CookieJar {
    const jar = new CookieJar()
    for (const cookie of this.list()) jar.set(cookie)
    return jar
  }
}

function expiryOf(attributes: readonly string[]): number {
  const maxAge = attributeOf(attributes, 'max-age')
  if (maxAge !== undefined) return Date.now() + Number(maxAge) * 1000
  const expires = attributeOf(attributes, 'expires')
  return expires === undefined ? Infinity : Date.parse(expires)
}

function attributeOf(attributes: readonly string[], name: string): string | undefined {
  const found = attributes.find((text) => text.toLowerCase().startsWith(`${name}=`))
  return found?.slice(name.length + 1)
}
