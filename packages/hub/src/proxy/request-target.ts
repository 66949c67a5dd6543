/** The request target of a request line, taken apart; both parts as sent but for dot segments. */
export interface RequestTarget {
  /** Escaped path with `.` and `..` resolved; begins with `/`. */
  readonly path: string
  /** Query with its `?`, or empty. */
  readonly query: string
}

const needsWork = /^\/\/|\\|(?:\/|\\)(?:\.|%2e)/i

/** Anything but a plain path; also true of some queries. */
const isUnusual = /^[^/]|^\/\/|[\\#]|\/\.|%2e/i

/**
 * Reads a request target; `undefined` for forms that cannot be proxied (`*`, an authority).
 * What is returned is both matched and forwarded, so that no server can read the path differently
 * than the routing did.
 * Source: contract proxy §3 step 1 (WHATWG URL: dot segments, `\` as `/`, `//x/` as a host).
 */
export function parseRequestTarget(raw: string): RequestTarget | undefined {
  if (raw !== '' && !isUnusual.test(raw)) {
    const at = raw.indexOf('?')
    return at === -1 ? { path: raw, query: '' } : { path: raw.slice(0, at), query: raw.slice(at) }
  }
  const target = /^https?:\/\//i.test(raw) ? raw.replace(/^https?:\/\/[^/?#]*/i, '') : raw
  const hash = target.indexOf('#')
  const bare = hash === -1 ? target : target.slice(0, hash)
  const mark = bare.indexOf('?')
  const path = mark === -1 ? bare : bare.slice(0, mark)
  const query = mark === -1 ? '' : bare.slice(mark)
  if (path === '' && target !== raw) return { path: '/', query }
  if (path[0] !== '/' && path[0] !== '\\') return undefined
  return { path: needsWork.test(path) ? normalizePath(path) : path, query }
}

function normalizePath(path: string): string {
  let slashed = path.replaceAll('\\', '/')
  if (slashed.startsWith('//')) slashed = slashed.replace(/^\/\/+[^/]*/, '') || '/'
  const kept: string[] = []
  const segments = slashed.slice(1).split('/')
  for (const [index, segment] of segments.entries()) {
    const dots = segment.replace(/%2e/gi, '.')
    const isLast = index === segments.length - 1
    if (dots === '..') kept.pop()
    if (dots !== '.' && dots !== '..') kept.push(segment)
    else if (isLast) kept.push('')
  }
  // Removing dot segments may bring two slashes to the front, which would read as a host again.
  return `/${kept.join('/')}`.replace(/^\/\/+/, '/')
}

/** Percent-decodes a path once; `undefined` when it is malformed. */
export function decodePath(path: string): string | undefined {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

/**
 * Cuts a matched prefix, given decoded, off an escaped path; the rest keeps its escapes and begins
 * with `/`. The whole path comes back when the prefix is not there.
 */
export function cutPrefix(path: string, decodedPrefix: string): string {
  if (decodedPrefix === '/') return path
  // An escaped character takes at most nine times its length: what is longer is not the prefix.
  const longest = decodedPrefix.length * 9
  for (let end = path.indexOf('/', 1); ; end = path.indexOf('/', end + 1)) {
    if (end > longest) return path
    const head = end === -1 ? path : path.slice(0, end)
    if (decodePath(head) === decodedPrefix) return end === -1 ? '/' : path.slice(end)
    if (end === -1) return path
  }
}
