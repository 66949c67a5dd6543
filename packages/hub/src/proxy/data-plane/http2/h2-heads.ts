import type { OutgoingHttpHeaders } from 'node:http2'

export function headerOf(rawHeaders: readonly string[], wanted: string): string {
  const at = rawHeaders.findIndex((text, index) => index % 2 === 0 && text === wanted)
  return at === -1 ? '' : (rawHeaders[at + 1] ?? '')
}

/**
 * The head of the HTTP/1.1 request that says the same; `undefined` when there is none. Cookies may
 * come in pieces; fields of one connection have no place here. Source: RFC 9113 §8.2, §8.3.
 */
export function toHttp1(rawHeaders: readonly string[], hasBody: boolean): string | undefined {
  let method = ''
  let path = ''
  let authority: string | undefined
  let host: string | undefined
  let lines = ''
  let hasLength = false
  const cookies: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    const value = rawHeaders[i + 1] ?? ''
    switch (name) {
      case ':method':
        method = value
        break
      case ':path':
        path = value
        break
      case ':authority':
        authority = value
        break
      case ':scheme':
        break
      case 'host':
        host = value
        break
      case 'cookie':
        cookies.push(value)
        break
      case 'connection':
      case 'upgrade':
      case 'transfer-encoding':
        return undefined
      default:
        if (name.startsWith(':')) return undefined
        hasLength ||= name === 'content-length'
        lines += `${name}: ${value}\r\n`
    }
  }
  if (authority !== undefined && host !== undefined && authority !== host) return undefined
  if (cookies.length > 0) lines += `cookie: ${cookies.join('; ')}\r\n`
  if (hasBody && !hasLength) lines += 'transfer-encoding: chunked\r\n'
  return `${method} ${path} HTTP/1.1\r\nhost: ${authority ?? host ?? ''}\r\n${lines}\r\n`
}

export function parseTrailers(lines: string): OutgoingHttpHeaders {
  const trailers = noHeaders()
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) add(trailers, line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  return trailers
}

type Headers = Record<string, string | string[] | number>

/** Names are the target's: none of them means anything to the object. */
export function noHeaders(): Headers {
  return Object.create(null) as Headers // `create` is typed `any`
}

export function add(headers: Headers, name: string, value: string): void {
  const present = headers[name]
  if (present === undefined) headers[name] = value
  else headers[name] = Array.isArray(present) ? [...present, value] : [String(present), value]
}

/** As HTTP/1.1 has them, with the empty line. */
export function linesOf(rawHeaders: readonly string[]): string {
  let lines = ''
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    lines += `${rawHeaders[i] ?? ''}: ${rawHeaders[i + 1] ?? ''}\r\n`
  return `${lines}\r\n`
}
