/** What is asked, as it goes over the wire, and what a test must know of it. */
export interface OddRequest {
  readonly text: string
  readonly method: string
  readonly target: string
  /** A second request follows on the connection. */
  readonly isFollowed: boolean
  readonly isHttp10: boolean
}

/** Small and the same everywhere. Source: mulberry32, in the public domain. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const methods = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'PROPFIND',
  'REPORT',
  'LOCK',
  'M-SEARCH',
]
const paths = [
  '/',
  '/user/ada/lab',
  '/user/a%20b/x%2Fy',
  '//double//slash',
  '/a;b=c/d,e',
  '/%C3%A9t%C3%A9/%e2%82%ac',
  "/~!$&'()*+,;=:@-._",
  '/a/%2e%2e/b',
  '/index.html%00',
  `/${'long/'.repeat(200)}`,
  '/user/ada/..;/bob',
  '/user/ada%2F..%2Fbob/x',
  '/user/%252e%252e/bob',
  '/user//ada//',
  '/a\\b\\c',
  '/__proto__/constructor',
]
const queries = ['', '?', '?a=b&a=c', '?x=%26%3d&y=%zz', '?a?b/c=/d', `?${'q'.repeat(2000)}`]
const lines = [
  'Accept: */*\r\n',
  'ACCEPT-Encoding: gzip, br;q=0.5\r\n',
  'x-Empty:\r\n',
  'X-Blank: \t padded  inside \t\r\n',
  'X-Twice: one\r\nX-Twice: two\r\n',
  'X-Under_score: yes\r\n',
  'X.Odd!Name: yes\r\n',
  'X-Latin: caf\xe9\r\n',
  `X-Long: ${'v'.repeat(3000)}\r\n`,
  'Cookie: a=b; c="d e"\r\n',
  'Cookie: second=one\r\n',
  'Authorization: token abc\r\n',
  'Range: bytes=2-5\r\n',
  'If-None-Match: "x", W/"y"\r\n',
  'Origin: null\r\n',
  'Content-Type: application/json; charset=utf-8\r\n',
  'X-Forwarded-For: 198.51.100.7\r\n',
  'X-Forwarded-Proto: https\r\n',
  'X-Real-Ip: 198.51.100.7\r\n',
  'Forwarded: for=198.51.100.7;proto=https\r\n',
  'Keep-Alive: timeout=9\r\n',
  'TE: trailers\r\n',
  'Via: 1.0 fred\r\n',
  'Max-Forwards: 7\r\n',
  'Upgrade-Insecure-Requests: 1\r\n',
  'X_Forwarded_For: 198.51.100.8\r\n',
  'X-Forwarded-User: root\r\n',
  'Proxy-Authorization: Basic eDp5\r\n',
  'Proxy-Connection: keep-alive\r\n',
  'HTTP2-Settings: AAMAAABk\r\n',
  'Upgrade: h2c\r\n',
  '__proto__: yes\r\nconstructor: no\r\n',
  'Content-Encoding: gzip\r\n',
  `Cookie: ${'c=d; '.repeat(600)}e=f\r\n`,
]

/** The same requests at each run of the tests. */
export function createOddRequests(count: number): OddRequest[] {
  const random = createRandom(20_260_101)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  const chance = (of: number): boolean => random() < of
  return Array.from({ length: count }, (_unused, index) => {
    const method = pick(methods)
    const isHttp10 = chance(0.1)
    const path = pick(paths) + pick(queries)
    const target = chance(0.08) ? `http://hub.example:80${path}` : path
    const isFollowed = !isHttp10 && chance(0.6)
    let text = `${method} ${target} HTTP/1.${isHttp10 ? 0 : 1}\r\nHost: hub.example:80\r\nX-Case: ${index}\r\n`
    // Says to the recorder that trailers would be in vain.
    if (isHttp10 || method === 'HEAD') text += 'X-Plain: yes\r\n'
    const chosen = new Set(Array.from({ length: Math.floor(random() * 6) }, () => pick(lines)))
    for (const line of chosen) text += line
    const options = isFollowed || isHttp10 ? [] : ['close']
    if (isFollowed && chance(0.2)) options.push('keep-alive')
    if (chance(0.05)) {
      options.push('X-Mine')
      text += 'X-Mine: secret\r\n'
    }
    if (options.length > 0) text += `Connection: ${options.join(', ')}\r\n`
    text += createBody(method, isHttp10, random)
    return { text, method, target, isHttp10, isFollowed }
  })
}

/** The rest of the head and the body. */
function createBody(method: string, isHttp10: boolean, random: () => number): string {
  const isUsual = !['GET', 'HEAD', 'OPTIONS', 'DELETE'].includes(method)
  if (random() > (isUsual ? 0.9 : 0.1)) return isUsual ? 'Content-Length: 0\r\n\r\n' : '\r\n'
  const size = Math.floor(random() ** 4 * 20_000)
  const body = Array.from({ length: size }, (_unused, i) =>
    String.fromCharCode((i * 7) & 255),
  ).join('')
  if (isHttp10 || random() < 0.5) return `Content-Length: ${size}\r\n\r\n${body}`
  let out = `${random() < 0.2 ? 'Expect: 100-continue\r\n' : ''}Transfer-Encoding: chunked\r\n\r\n`
  for (let at = 0; at < size; ) {
    const step = Math.min(size - at, 1 + Math.floor(random() * 3000))
    const digits = step.toString(16)
    out += `${random() < 0.5 ? digits : `0${digits.toUpperCase()}`}\r\n${body.slice(at, at + step)}\r\n`
    at += step
  }
  return `${out}0\r\n${random() < 0.2 ? 'X-Sum: 1\r\n' : ''}\r\n`
}
