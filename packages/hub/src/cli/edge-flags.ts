import { parseArgs } from 'node:util'

export interface Flag {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  readonly multiple?: boolean
  readonly default?: string | boolean | string[]
  /** What the value is called in the help text; none for a switch. */
  readonly value?: string
  readonly help: string
}

const isSwitch = { type: 'boolean', default: false } as const
const file = { type: 'string', value: 'FILE' } as const
const several = { type: 'string', multiple: true, default: [] as string[] } as const

/** TLS of one side: the public one, that of the API, and that towards targets. */
const tlsFlags = {
  'ssl-key': {
    ...several,
    value: 'FILE',
    help: 'key of the public side; repeatable, with --ssl-cert',
  },
  'ssl-cert': {
    ...several,
    value: 'FILE',
    help: 'its certificate with the chain; read again on change',
  },
  'ssl-ca': { ...file, help: 'authorities of client certificates' },
  'ssl-request-cert': { ...isSwitch, help: 'ask clients for a certificate' },
  'ssl-reject-unauthorized': { ...isSwitch, help: 'refuse clients without a valid one' },
  'ssl-protocol': { type: 'string', value: 'NAME', help: 'one version only: TLSv1_2, TLSv1_3' },
  'ssl-ciphers': { type: 'string', value: 'LIST', help: 'ciphers, with colons between' },
  'ssl-dhparam': { ...file, help: 'Diffie-Hellman parameters' },
  'ssl-allow-rc4': { ...isSwitch, help: 'no effect: RC4 is broken' },
  'api-ssl-key': { ...file, help: 'key of the API' },
  'api-ssl-cert': { ...file, help: 'certificate of the API' },
  'api-ssl-ca': { ...file, help: "authorities of the hub's certificate" },
  'api-ssl-request-cert': { ...isSwitch, help: 'ask the hub for a certificate' },
  'api-ssl-reject-unauthorized': { ...isSwitch, help: 'refuse a hub without a valid one' },
  'client-ssl-key': { ...file, help: 'key for https targets that ask for a certificate' },
  'client-ssl-cert': { ...file, help: 'certificate for such targets' },
  'client-ssl-ca': { ...file, help: 'authorities of targets; those of the system if not given' },
  'client-ssl-request-cert': { ...isSwitch, help: 'no effect: targets always show theirs' },
  'client-ssl-reject-unauthorized': { ...isSwitch, help: 'no effect: theirs is always checked' },
  insecure: { ...isSwitch, help: 'do not check certificates of targets' },
  'redirect-port': { type: 'string', value: 'PORT', help: 'plain HTTP that leads to HTTPS' },
  'redirect-to': { type: 'string', value: 'PORT', help: 'where it leads; the public port' },
  'no-http2': { ...isSwitch, help: 'offer HTTP/1.1 only' },
  hsts: {
    type: 'string',
    default: '0',
    value: 'SECONDS',
    help: 'browsers stay with HTTPS so long',
  },
  'acme-domain': { ...several, value: 'NAME', help: 'get a certificate for this host; repeatable' },
  'acme-email': { type: 'string', value: 'ADDRESS', help: 'whom the authority writes to' },
  'acme-directory': {
    type: 'string',
    default: 'https://acme-v02.api.letsencrypt.org/directory',
    value: 'URL',
    help: 'the authority',
  },
  'acme-ca': { ...file, help: "authorities of the authority's own API" },
  'acme-folder': {
    type: 'string',
    default: 'acme',
    value: 'DIR',
    help: 'keeps key and certificate',
  },
} as const satisfies Record<string, Flag>

const none = { type: 'string', default: '0' } as const

/** Protection of the edge and of servers; 0 is no limit. */
const limitFlags = {
  'max-connections': {
    type: 'string',
    value: 'N',
    help: 'connections in all, 503 beyond (half of the files that may be open)',
  },
  'max-connections-per-address': {
    ...none,
    value: 'N',
    help: 'of one client address, 429 beyond; of trusted proxies those of their clients',
  },
  'max-requests-per-second-per-address': {
    ...none,
    value: 'N',
    help: 'of one client address, 429 beyond',
  },
  'max-requests-per-second-per-route': {
    ...none,
    value: 'N',
    help: "to one user's servers, or to a service, 429 beyond",
  },
  'request-burst': {
    type: 'string',
    default: '5',
    value: 'SECONDS',
    help: "so many seconds' worth of requests may come at once",
  },
  'max-concurrent-per-route': {
    ...none,
    value: 'N',
    help: "requests and WebSockets under way to one user's servers, 503 beyond",
  },
  'max-body-size': { ...none, value: 'BYTES', help: 'of a request, 413 beyond' },
  'route-limits': {
    type: 'string',
    multiple: true,
    default: [] as string[],
    value: 'PATH:NAME=N,…',
    help: 'max-body-size, max-requests-per-second, max-concurrent of routes from PATH on; repeatable',
  },
  'min-body-rate': {
    type: 'string',
    default: '1',
    value: 'BYTES',
    help: 'bytes a second of a request body over a minute, 408 below',
  },
  'head-timeout': {
    type: 'string',
    default: '60000',
    value: 'MS',
    help: 'time for the head of a request to come',
  },
} as const satisfies Record<string, Flag>

/** Flags of configurable-http-proxy that this edge has, and its own. Source: contract proxy §10. */
export const edgeFlags = {
  ip: { type: 'string', value: 'ADDRESS', help: 'public address; all interfaces if not given' },
  port: { type: 'string', value: 'PORT', help: 'public port (8000)' },
  'api-ip': { type: 'string', default: 'localhost', value: 'ADDRESS', help: 'address of the API' },
  socket: {
    type: 'string',
    value: 'PATH',
    help: 'public Unix socket, in place of --ip and --port',
  },
  'api-socket': { type: 'string', value: 'PATH', help: 'Unix socket of the API' },
  'api-port': { type: 'string', value: 'PORT', help: 'port of the API; that of --port plus one' },
  'default-target': { type: 'string', value: 'URL', help: 'where requests without a route go' },
  'error-target': { type: 'string', value: 'URL', help: 'server that is asked for error pages' },
  'error-path': { type: 'string', value: 'DIR', help: 'folder with CODE.html and error.html' },
  'metrics-ip': { type: 'string', default: '', value: 'ADDRESS', help: 'address of the metrics' },
  'metrics-port': { type: 'string', value: 'PORT', help: 'port of /metrics; none unless given' },
  'metrics-socket': { type: 'string', value: 'PATH', help: 'Unix socket of the metrics' },
  'log-level': {
    type: 'string',
    default: 'info',
    value: 'LEVEL',
    help: 'debug, info, warn, error',
  },
  'host-routing': { type: 'boolean', default: false, help: 'routes begin with a host name' },
  'pid-file': { type: 'string', value: 'FILE', help: 'file that receives the process id' },
  'no-x-forward': { type: 'boolean', default: false, help: 'do not add X-Forwarded- headers' },
  'no-prepend-path': { type: 'boolean', default: false, help: 'leave out the path of targets' },
  'no-include-prefix': { type: 'boolean', default: false, help: 'cut the routed prefix off paths' },
  timeout: { type: 'string', default: '0', value: 'MS', help: 'idle time of a client; 0 is none' },
  'proxy-timeout': {
    type: 'string',
    default: '0',
    value: 'MS',
    help: 'wait for a target; 0 is none',
  },
  'keep-alive-timeout': {
    type: 'string',
    default: '5000',
    value: 'MS',
    help: 'time between two requests of a connection',
  },
  'websocket-ping-interval': {
    type: 'string',
    default: '30000',
    value: 'MS',
    help: 'silent WebSockets are asked after so long and closed after as long again; 0 never',
  },
  'custom-header': {
    type: 'string',
    multiple: true,
    default: [],
    value: 'NAME:VALUE',
    help: 'header added to requests; repeatable',
  },
  'auto-rewrite': { type: 'boolean', default: false, help: 'rewrite the host of redirects' },
  'change-origin': { type: 'boolean', default: false, help: 'send the host of the target as Host' },
  'protocol-rewrite': { type: 'string', value: 'PROTOCOL', help: 'rewrite protocol of redirects' },
  'trusted-proxy': {
    type: 'string',
    multiple: true,
    default: [],
    value: 'CIDR',
    help: "keep X-Forwarded- of these peers; repeatable; 'none' (private ranges)",
  },
  'hub-url': {
    type: 'string',
    multiple: true,
    default: [],
    value: 'URL',
    help: 'hub to follow, http://HOST:PORT/hub/; repeatable',
  },
  'storage-backend': {
    type: 'string',
    value: 'MODULE',
    help: 'file or package with a class that keeps the routes',
  },
  'snapshot-file': { type: 'string', value: 'FILE', help: 'where the routing table is kept' },
  'drain-timeout': {
    type: 'string',
    default: '5000',
    value: 'MS',
    help: 'time for requests to finish when told to stop',
  },
  'drain-websockets': {
    type: 'string',
    default: '10000',
    value: 'MS',
    help: 'time for WebSockets on SIGTERM; SIGINT gives none',
  },
  workers: {
    type: 'string',
    value: 'N',
    help: 'threads that forward; one per core or its quota, 1 is the main thread alone',
  },
  replace: {
    ...isSwitch,
    help: 'take over from the edge that --pid-file names, without refusing or cutting a connection',
  },
  successor: {
    ...isSwitch,
    help: 'listen beside the edge that has the ports and is about to end',
  },
  ...tlsFlags,
  ...limitFlags,
  'proxy-protocol': { ...isSwitch, help: 'connections begin with a PROXY header (1 or 2)' },
  version: { type: 'boolean', short: 'V', default: false, help: 'print the version' },
  help: { type: 'boolean', short: 'h', default: false, help: 'print this text' },
} as const satisfies Record<string, Flag>

/** A command line that cannot be used. */
export class UsageError extends Error {}

/** Values by flag. Throws an error whose message is for people. */
export function readEdgeFlags(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options: edgeFlags, strict: true }).values
}

export type EdgeFlagValues = ReturnType<typeof readEdgeFlags>

export function edgeHelp(): string {
  const rows = Object.entries<Flag>(edgeFlags).map(([name, flag]) => {
    const short = flag.short === undefined ? '    ' : `-${flag.short}, `
    const usage = `  ${short}--${name}${flag.value === undefined ? '' : ` ${flag.value}`}`
    const initial = typeof flag.default === 'string' ? ` (${flag.default})` : ''
    return `${usage.padEnd(40)} ${flag.help}${initial}`
  })
  return `Usage: orrery edge [FLAGS]

Forwards requests to the hub and to users' servers. CONFIGPROXY_AUTH_TOKEN in the environment is
the secret of its API and of the hub; CONFIGPROXY_SSL_KEY_PASSPHRASE and
CONFIGPROXY_API_SSL_KEY_PASSPHRASE unlock keys.

${rows.join('\n')}
`
}
