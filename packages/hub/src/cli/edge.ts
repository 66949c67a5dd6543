import { rmSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { startEdge } from '../proxy/data-plane/edge.ts'
import type { EdgeOptions } from '../proxy/data-plane/edge.ts'
import type { EdgeLog, LogLevel } from '../proxy/data-plane/context.ts'
import { createPeerTrust, defaultTrustedProxies } from '../proxy/data-plane/peer-trust.ts'
import { orreryVersion } from '../util/version.ts'

interface Flag {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  readonly multiple?: boolean
  readonly default?: string | boolean | string[]
  /** What the value is called in the help text; none for a switch. */
  readonly value?: string
  readonly help: string
}

/** Flags of configurable-http-proxy that this edge has, and its own. Source: contract proxy §10. */
const flags = {
  ip: { type: 'string', value: 'ADDRESS', help: 'public address; all interfaces if not given' },
  port: { type: 'string', default: '8000', value: 'PORT', help: 'public port' },
  'api-ip': { type: 'string', default: 'localhost', value: 'ADDRESS', help: 'address of the API' },
  'api-port': { type: 'string', value: 'PORT', help: 'port of the API; that of --port plus one' },
  'default-target': { type: 'string', value: 'URL', help: 'where requests without a route go' },
  'error-target': { type: 'string', value: 'URL', help: 'server that is asked for error pages' },
  'error-path': { type: 'string', value: 'DIR', help: 'folder with CODE.html and error.html' },
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
  'snapshot-file': { type: 'string', value: 'FILE', help: 'where the routing table is kept' },
  'drain-timeout': {
    type: 'string',
    default: '5000',
    value: 'MS',
    help: 'time for requests to finish when told to stop',
  },
  version: { type: 'boolean', short: 'V', default: false, help: 'print the version' },
  help: { type: 'boolean', short: 'h', default: false, help: 'print this text' },
} as const satisfies Record<string, Flag>

const laterFlag =
  /^--((?:api-|client-)?ssl-[a-z-]+|redirect-(?:port|to)|insecure|(?:api-|metrics-)?socket|metrics-(?:ip|port)|storage-backend)(?:=|$)/
const logLevels = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[]

/** A command line that cannot be used. */
class UsageError extends Error {}

/**
 * Runs the edge until SIGTERM or SIGINT, then ends the process with exit code 2 as
 * configurable-http-proxy does; a bad flag or an address that is taken ends it with 1. `--help` and
 * `--version` print and end it with 0.
 * @param argv - flags, without the program's name.
 * @param env - `CONFIGPROXY_AUTH_TOKEN` is read.
 */
export async function runEdge(argv: string[], env: NodeJS.ProcessEnv): Promise<void> {
  let pidFile: string | undefined
  try {
    const information = findInformation(argv)
    if (information !== undefined) {
      process.stdout.write(information, () => process.exit(0))
      return
    }
    const { options, drainMs, pidPath } = parseEdgeFlags(argv, env)
    const edge = await startEdge(options)
    if (pidPath !== undefined) writeFileSync(pidPath, String(process.pid))
    pidFile = pidPath
    options.log('info', `Proxying on port ${edge.port}, API on port ${edge.apiPort}`)
    if (options.token === '')
      options.log('warn', 'CONFIGPROXY_AUTH_TOKEN is not set: the API is open')
    let isStopping = false
    const stop = (): void => {
      if (isStopping) return process.exit(2)
      isStopping = true
      if (pidFile !== undefined) rmSync(pidFile, { force: true })
      edge.close(drainMs).then(
        () => process.exit(2),
        () => process.exit(2),
      )
    }
    process.on('SIGTERM', stop).on('SIGINT', stop)
  } catch (error) {
    process.stderr.write(`orrery edge: ${explain(error)}\n`)
    process.exit(1)
  }
}

/** Reads the command line. Throws an error whose message is for people. */
export function parseEdgeFlags(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): { readonly options: EdgeOptions; readonly drainMs: number; readonly pidPath?: string } {
  const values = readFlags(argv)
  const port = wholeNumber('port', values.port, 65_535)
  const apiPort = wholeNumber('api-port', values['api-port'] ?? String(port + 1), 65_535)
  const logLevel = logLevels.find((level) => level === values['log-level'])
  if (logLevel === undefined) throw new UsageError(`--log-level is one of ${logLevels.join(', ')}`)
  if (values['error-target'] !== undefined && values['error-path'] !== undefined) {
    throw new UsageError('--error-target and --error-path exclude each other')
  }
  const hubUrls = values['hub-url'].map((url) => urlFlag('hub-url', url).replace(/\/*$/, '/'))
  const errorTarget =
    values['error-target'] ??
    (values['error-path'] === undefined && hubUrls[0] !== undefined
      ? `${hubUrls[0]}error`
      : undefined)
  const options: EdgeOptions = {
    forward: {
      hostRouting: values['host-routing'],
      xForward: !values['no-x-forward'],
      prependPath: !values['no-prepend-path'],
      includePrefix: !values['no-include-prefix'],
      changeOrigin: values['change-origin'],
      autoRewrite: values['auto-rewrite'],
      customHeaders: values['custom-header'].map(parseHeader),
      proxyTimeoutMs: wholeNumber('proxy-timeout', values['proxy-timeout']),
      isTrustedPeer: peerTrust(values['trusted-proxy']),
      ...optional('protocolRewrite', values['protocol-rewrite']),
      ...optional('errorTarget', errorTarget && urlFlag('error-target', errorTarget)),
      ...optional('errorPath', values['error-path']),
    },
    publicListen: { ip: address(values.ip), port },
    apiListen: { ip: address(values['api-ip']), port: apiPort },
    token: env['CONFIGPROXY_AUTH_TOKEN'] ?? '',
    hubUrls,
    log: createLog(logLevel),
    timeoutMs: wholeNumber('timeout', values.timeout),
    keepAliveTimeoutMs: wholeNumber('keep-alive-timeout', values['keep-alive-timeout']),
    ...optional('defaultTarget', values['default-target']),
    ...optional('snapshotFile', values['snapshot-file']),
  }
  const drainMs = wholeNumber('drain-timeout', values['drain-timeout'])
  return { options, drainMs, ...optional('pidPath', values['pid-file']) }
}

/** What `--help` or `--version` ask for; `undefined` when neither is given. */
function findInformation(argv: readonly string[]): string | undefined {
  const { help, version } = readFlags(argv)
  if (help) return helpText()
  return version ? `${orreryVersion}\n` : undefined
}

function readFlags(argv: readonly string[]) {
  const later = argv.map((arg) => laterFlag.exec(arg)?.[1]).find((name) => name !== undefined)
  if (later !== undefined) throw new UsageError(`--${later} is not supported yet`)
  return parseArgs({ args: [...argv], options: flags, strict: true }).values
}

function helpText(): string {
  const rows = Object.entries<Flag>(flags).map(([name, flag]) => {
    const short = flag.short === undefined ? '    ' : `-${flag.short}, `
    const usage = `  ${short}--${name}${flag.value === undefined ? '' : ` ${flag.value}`}`
    const initial = typeof flag.default === 'string' ? ` (${flag.default})` : ''
    return `${usage.padEnd(34)} ${flag.help}${initial}`
  })
  return `Usage: orrery edge [FLAGS]

Forwards requests to the hub and to users' servers. CONFIGPROXY_AUTH_TOKEN in the environment is
the secret of its API and of the hub.

${rows.join('\n')}
`
}

function peerTrust(ranges: readonly string[]): EdgeOptions['forward']['isTrustedPeer'] {
  const wanted = ranges.length === 0 ? defaultTrustedProxies : ranges
  try {
    return createPeerTrust(wanted.filter((range) => range !== 'none'))
  } catch (error) {
    throw new UsageError(`--trusted-proxy: ${explain(error)}`)
  }
}

function optional<K extends string>(key: K, value: string | undefined): { [P in K]?: string } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: string }
}

function wholeNumber(flag: string, text: string, max = 2 ** 31 - 1): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= max) return value
  throw new UsageError(`--${flag} is a whole number up to ${max}`)
}

function urlFlag(flag: string, url: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url
  throw new UsageError(`--${flag} is an http URL`)
}

function parseHeader(text: string): readonly [string, string] {
  const colon = text.indexOf(':')
  if (colon < 1) throw new UsageError('--custom-header is NAME:VALUE')
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()]
}

function address(ip: string | undefined): string | undefined {
  return ip === '' || ip === '*' ? undefined : ip
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, port } = error as NodeJS.ErrnoException & { port?: number }
  if (code === 'EADDRINUSE')
    return `port ${port} is taken by another program; choose another --port or --api-port`
  if (code === 'EACCES') return `not allowed to listen on port ${port}`
  return error.message
}

function createLog(minimum: LogLevel): EdgeLog {
  const from = logLevels.indexOf(minimum)
  return (level, message) => {
    if (logLevels.indexOf(level) < from) return
    // One line each, whatever a client put into its URL.
    const line = message.replace(/\p{Cc}/gu, (char) => JSON.stringify(char).slice(1, -1))
    process.stderr.write(`${new Date().toISOString()} [edge] ${level}: ${line}\n`)
  }
}
