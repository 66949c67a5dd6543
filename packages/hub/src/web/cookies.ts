/** Bounds of what is read of a `Cookie` header; Node itself stops at 16 KiB of headers. */
const maxHeaderLength = 32_768
const maxCookies = 200

export interface CookieAttributes {
  readonly path: string
  readonly domain?: string | undefined
  readonly httpOnly?: boolean
  readonly secure?: boolean
  readonly sameSite?: 'Strict' | 'Lax' | 'None'
  readonly maxAgeSeconds?: number
  readonly expires?: Date
}

/** The cookies of a request: browsers send several of one name when their paths differ. */
export type Cookies = ReadonlyMap<string, readonly string[]>

/**
 * Reads a `Cookie` header. Names stay as they are: those of OAuth clients contain literal `%40`.
 * Whatever is not a cookie is skipped.
 */
export function parseCookies(header: string | undefined): Cookies {
  const cookies = new Map<string, string[]>()
  if (header === undefined || header.length > maxHeaderLength) return cookies
  for (const part of header.split(';', maxCookies)) {
    const equals = part.indexOf('=')
    if (equals === -1) continue
    const name = part.slice(0, equals).trim()
    if (name === '') continue
    const value = unquote(part.slice(equals + 1).trim())
    const values = cookies.get(name)
    if (values === undefined) cookies.set(name, [value])
    else values.push(value)
  }
  return cookies
}

/** One `Set-Cookie` value. Values with characters outside a cookie's own are double-quoted. */
export function formatCookie(name: string, value: string, attributes: CookieAttributes): string {
  if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(name)) throw new TypeError('not a cookie name')
  const parts = [`${name}=${quote(value)}`]
  if (attributes.domain !== undefined) parts.push(`Domain=${attributes.domain}`)
  if (attributes.expires !== undefined) parts.push(`Expires=${attributes.expires.toUTCString()}`)
  if (attributes.maxAgeSeconds !== undefined) parts.push(`Max-Age=${attributes.maxAgeSeconds}`)
  parts.push(`Path=${attributes.path}`)
  if (attributes.httpOnly === true) parts.push('HttpOnly')
  if (attributes.secure === true) parts.push('Secure')
  if (attributes.sameSite !== undefined) parts.push(`SameSite=${attributes.sameSite}`)
  return parts.join('; ')
}

/** A `Set-Cookie` value that makes the browser forget the cookie. */
export function formatClearedCookie(name: string, attributes: CookieAttributes): string {
  return formatCookie(name, '', { ...attributes, expires: new Date(0), maxAgeSeconds: 0 })
}

function quote(value: string): string {
  if (/^[!#$%&'*+\-.^_`|~\w:]*$/.test(value)) return value
  if (!/^[\x20-\x7e]*$/.test(value)) throw new TypeError('cookie values are printable ASCII')
  return `"${value.replace(/[\\"]/g, '\\$&')}"`
}

/** `"a\054b"`: octal and backslash escapes, as Python writes them. */
function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value
  return value.slice(1, -1).replace(/\\([0-3][0-7]{2}|.)/g, (_match, escaped: string) => {
    return escaped.length === 3 ? String.fromCharCode(Number.parseInt(escaped, 8)) : escaped
  })
}
