export interface Cookie {
  readonly name: string
  readonly value: string
  readonly path: string
  readonly domain: string | undefined
  readonly isHttpOnly: boolean
  readonly isSecure: boolean
  readonly sameSite: string | undefined
  /** Seconds from the answer on; `undefined` for the browser session, 0 or less clears the cookie. */
  readonly maxAge: number | undefined
}

/** Reads one `Set-Cookie`. Source: RFC 6265 §5.2. */
export function parseSetCookie(text: string, now = Date.now()): Cookie {
  const [pair = '', ...attributes] = text.split(';')
  const named = new Map(
    attributes.map((attribute) => {
      const [key = '', ...value] = attribute.trim().split('=')
      return [key.toLowerCase(), value.join('=')]
    }),
  )
  const at = pair.indexOf('=')
  return {
    name: pair.slice(0, at).trim(),
    value: pair.slice(at + 1).trim(),
    path: named.get('path') ?? '/',
    domain: named.get('domain'),
    isHttpOnly: named.has('httponly'),
    isSecure: named.has('secure'),
    sameSite: named.get('samesite'),
    maxAge: toMaxAge(named, now),
  }
}

function toMaxAge(attributes: ReadonlyMap<string, string>, now: number): number | undefined {
  const maxAge = attributes.get('max-age')
  if (maxAge !== undefined) return Number(maxAge)
  const expires = attributes.get('expires')
  return expires === undefined ? undefined : Math.round((Date.parse(expires) - now) / 1000)
}

/** The cookies of one browser, as far as one host needs it. */
export class CookieJar {
  readonly #cookies = new Map<string, Cookie>()

  store(cookie: Cookie): void {
    const key = `${cookie.path} ${cookie.name}`
    if (cookie.maxAge !== undefined && cookie.maxAge <= 0) this.#cookies.delete(key)
    else this.#cookies.set(key, cookie)
  }

  /** The `Cookie` header for a path, longest paths first as RFC 6265 §5.4 asks; `''` for none. */
  header(path: string): string {
    return [...this.#cookies.values()]
      .filter((cookie) => matches(cookie.path, path))
      .sort((a, b) => b.path.length - a.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')
  }

  /** The cookie of that name with the longest path; quotes around the value are taken off. */
  value(name: string): string | undefined {
    const found = [...this.#cookies.values()].filter((cookie) => cookie.name === name)
    return found.sort((a, b) => b.path.length - a.path.length)[0]?.value.replaceAll('"', '')
  }
}

function matches(cookiePath: string, path: string): boolean {
  const plain = path.split('?')[0] ?? path
  return plain === cookiePath || plain.startsWith(cookiePath.replace(/\/?$/, '/'))
}
