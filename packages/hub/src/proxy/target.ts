/** Where requests of a route go, parsed once when the route is made. */
export interface Target {
  readonly protocol: 'http:' | 'https:'
  /** `http://host:port`; `http://localhost` for a unix socket. */
  readonly origin: string
  /** Host with its port, as in a `Host` header. */
  readonly host: string
  /** Host name without brackets, to connect to. */
  readonly hostname: string
  readonly port: number
  /** Path of the unix socket, of `http+unix://%2Frun%2Fsock` targets. */
  readonly socketPath?: string
  /** Escaped path without final slash; empty for the root. */
  readonly path: string
  /** Query with its `?`, or empty. */
  readonly query: string
}

const unixTarget = /^(?:http\+unix|unix\+http):\/\/([^/?]+)([^?]*)(\?.*)?$/

const octet = '(?:0|[1-9]\\d?|1\\d\\d|2[0-4]\\d|25[0-5])'
/** As hubs write nearly all, and as `URL` would write it as well; port 80 it leaves out. */
const plainTarget = new RegExp(
  `^http://(${octet}(?:\\.${octet}){3}):(?!80$)([1-9]\\d{0,3}|[1-5]\\d{4})$`,
)

/** Parses a target URL; `undefined` when nothing can be sent there. */
export function findTarget(url: string): Target | undefined {
  const plain = plainTarget.exec(url)
  if (plain !== null) {
    const [, hostname = '', port = ''] = plain
    const host = `${hostname}:${port}`
    return {
      protocol: 'http:',
      origin: url,
      host,
      hostname,
      port: Number(port),
      path: '',
      query: '',
    }
  }
  const unix = unixTarget.exec(url)
  if (unix !== null) return findUnixTarget(unix)
  if (!URL.canParse(url)) return undefined
  const parsed = new URL(url)
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') return undefined
  return {
    protocol: parsed.protocol,
    origin: parsed.origin,
    host: parsed.host,
    hostname: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? (parsed.protocol === 'https:' ? 443 : 80) : Number(parsed.port),
    path: parsed.pathname.replace(/\/+$/, ''),
    query: parsed.search,
  }
}

function findUnixTarget(match: RegExpExecArray): Target | undefined {
  try {
    const socketPath = decodeURIComponent(match[1] ?? '')
    if (socketPath.includes('\0')) return undefined
    const path = (match[2] ?? '').replace(/\/+$/, '')
    const local = { origin: 'http://localhost', host: 'localhost', hostname: 'localhost', port: 80 }
    return { protocol: 'http:', ...local, socketPath, path, query: match[3] ?? '' }
  } catch {
    return undefined
  }
}
