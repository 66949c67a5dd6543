import { readFileSync } from 'node:fs'
import type { EdgeLog, LogLevel } from '../proxy/data-plane/context.ts'
import type { EdgeOptions } from '../proxy/data-plane/edge.ts'
import type { Listen } from '../proxy/data-plane/listen.ts'
import { createPeerTrust, defaultTrustedProxies } from '../proxy/data-plane/peer-trust.ts'
import type { LimitOptions } from '../proxy/data-plane/limits/request-limits.ts'
import type { ProtocolFlags, PublicTlsFlags, TlsFlags } from '../proxy/data-plane/tls/tls-setup.ts'
import { messageOf } from '../domain/errors.ts'
import { writeStandardError } from '../util/standard-error.ts'
import { usableCores } from '../util/usable-cores.ts'
import { type EdgeFlagValues, readEdgeFlags, UsageError } from './edge-flags.ts'
import {
  address,
  customHeaders,
  moduleFlag,
  optional,
  readToken,
  routeLimits,
  targetFlag,
  urlFlag,
  wholeNumber,
} from './edge-values.ts'
import { findEdgeOf } from './pid-file.ts'

const maxWorkers = 256
const logLevels = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[]

export interface EdgeCommand {
  readonly options: EdgeOptions
  readonly drainMs: number
  readonly webSocketsMs: number
  readonly pidPath?: string
  /** The edge that runs is to end, once this one serves. */
  readonly isReplacing: boolean
}

/** Reads the command line. Throws an error whose message is for people. */
export function parseEdgeFlags(argv: readonly string[], env: NodeJS.ProcessEnv): EdgeCommand {
  const values = readEdgeFlags(argv)
  checkCombinations(values)
  const port = wholeNumber('port', values.port ?? '8000', 65_535)
  const apiPort = wholeNumber(
    'api-port',
    values['api-port'] ?? String(values.socket === undefined ? port + 1 : 8001),
    65_535,
  )
  const logLevel = logLevels.find((level) => level === values['log-level'].toLowerCase())
  if (logLevel === undefined) throw new UsageError(`--log-level is one of ${logLevels.join(', ')}`)
  const isReplacing = values.replace && hasPredecessor(values['pid-file'])
  const hubUrls = values['hub-url'].map((url) => urlFlag('hub-url', url).replace(/\/*$/, '/'))
  const { 'default-target': defaultTarget } = values
  const errorTarget =
    values['error-target'] ??
    (values['error-path'] === undefined && hubUrls[0] !== undefined
      ? `${hubUrls[0]}error`
      : undefined)
  const log = createLog(logLevel)
  for (const flag of ['ip', 'api-ip', 'metrics-ip'] as const)
    if (values[flag] === '*')
      log('warn', `--${flag}=* is read as all interfaces; say 0.0.0.0 or nothing`)
  const options: EdgeOptions = {
    forward: {
      hostRouting: values['host-routing'],
      xForward: !values['no-x-forward'],
      prependPath: !values['no-prepend-path'],
      includePrefix: !values['no-include-prefix'],
      changeOrigin: values['change-origin'],
      autoRewrite: values['auto-rewrite'],
      customHeaders: customHeaders(values['custom-header']),
      proxyTimeoutMs: wholeNumber('proxy-timeout', values['proxy-timeout']),
      ...optional('protocolRewrite', values['protocol-rewrite']),
      ...optional('errorTarget', errorTarget && targetFlag('error-target', errorTarget)),
      ...optional('errorPath', values['error-path']),
    },
    trustedProxies: trustedProxies(values['trusted-proxy']),
    workers:
      values.workers === undefined
        ? defaultWorkers(values)
        : wholeNumber('workers', values.workers, maxWorkers),
    isSuccessor: values.successor || isReplacing,
    publicListen: listenAt(values.socket, { ip: address(values.ip), port }),
    apiListen: listenAt(values['api-socket'], {
      ip: address(values['api-ip']),
      port: apiPort,
      socketMode: 0o600,
    }),
    ...metricsListen(values),
    ...storageOf(values, env),
    isProxied: values['proxy-protocol'],
    protocol: protocolFlags(values),
    ...tlsOf(values, env, port),
    token: readToken(env),
    hubUrls,
    log,
    logsRequests: logLevel === 'debug',
    timeoutMs: wholeNumber('timeout', values.timeout),
    keepAliveTimeoutMs: wholeNumber('keep-alive-timeout', values['keep-alive-timeout']),
    limits: limitsOf(values),
    headTimeoutMs: wholeNumber('head-timeout', values['head-timeout']),
    webSocketPingMs: wholeNumber('websocket-ping-interval', values['websocket-ping-interval']),
    ...optional('defaultTarget', defaultTarget && targetFlag('default-target', defaultTarget)),
    ...optional('snapshotFile', values['snapshot-file']),
  }
  const drainMs = wholeNumber('drain-timeout', values['drain-timeout'])
  const webSocketsMs = wholeNumber('drain-websockets', values['drain-websockets'])
  return {
    options,
    drainMs,
    webSocketsMs,
    ...optional('pidPath', values['pid-file']),
    isReplacing,
  }
}

/** The plug-in gets options by configurable-http-proxy's names. Source: contract proxy §11. */
function storageOf(values: EdgeFlagValues, env: NodeJS.ProcessEnv): Pick<EdgeOptions, 'storage'> {
  const name = values['storage-backend']
  if (name === undefined) return {}
  const number = (text: string): number | undefined => (text === '0' ? undefined : Number(text))
  return {
    storage: {
      file: moduleFlag('storage-backend', name),
      options: {
        storageBackend: name,
        authToken: readToken(env),
        defaultTarget: values['default-target'],
        errorTarget: values['error-target'],
        errorPath: values['error-path'],
        hostRouting: values['host-routing'],
        redirectPort: values['redirect-port'],
        redirectTo: values['redirect-to'],
        headers: Object.fromEntries(customHeaders(values['custom-header'])),
        timeout: number(values.timeout),
        proxyTimeout: number(values['proxy-timeout']),
        keepAliveTimeout: Number(values['keep-alive-timeout']),
        enableMetrics: 'metricsListen' in metricsListen(values),
        xfwd: !values['no-x-forward'],
        prependPath: !values['no-prepend-path'],
        includePrefix: !values['no-include-prefix'],
        autoRewrite: values['auto-rewrite'],
        changeOrigin: values['change-origin'],
        protocolRewrite: values['protocol-rewrite'],
        ...(values.insecure && { secure: false }),
      },
    },
  }
}

/** As with configurable-http-proxy, the socket wins over a port. */
function metricsListen(values: EdgeFlagValues): Pick<EdgeOptions, 'metricsListen'> {
  const { 'metrics-port': port, 'metrics-socket': socketPath, 'metrics-ip': ip } = values
  if (port === undefined && socketPath === undefined) return {}
  const at = { ip: address(ip), port: wholeNumber('metrics-port', port ?? '0', 65_535) }
  return { metricsListen: listenAt(socketPath, at) }
}

function limitsOf(values: EdgeFlagValues): LimitOptions {
  const number = (flag: LimitFlag): number => wholeNumber(flag, values[flag])
  const connections = values['max-connections']
  return {
    maxConnections:
      connections === undefined
        ? defaultMaxConnections()
        : wholeNumber('max-connections', connections),
    maxConnectionsPerAddress: number('max-connections-per-address'),
    maxRequestsPerSecondPerAddress: number('max-requests-per-second-per-address'),
    maxRequestsPerSecondPerRoute: number('max-requests-per-second-per-route'),
    burstSeconds: number('request-burst'),
    maxConcurrentPerRoute: number('max-concurrent-per-route'),
    maxBodyBytes: wholeNumber('max-body-size', values['max-body-size'], Number.MAX_SAFE_INTEGER),
    minBodyRate: number('min-body-rate'),
    ofRoutes: values['route-limits'].map(routeLimits),
  }
}

/** A plug-in that keeps routes in memory would keep them apart in each thread. */
function defaultWorkers(values: EdgeFlagValues): number {
  return values['storage-backend'] === undefined ? usableCores() : 1
}

/** @returns false when it has ended: then there is nobody to take over from. */
function hasPredecessor(pidPath: string | undefined): boolean {
  if (pidPath === undefined)
    throw new UsageError('--replace needs --pid-file, which names the edge')
  return findEdgeOf(pidPath) !== undefined
}

type LimitFlag =
  | 'max-connections-per-address'
  | 'max-requests-per-second-per-address'
  | 'max-requests-per-second-per-route'
  | 'request-burst'
  | 'max-concurrent-per-route'
  | 'min-body-rate'

const filesBesidesConnections = 200

/** Each connection may need one of its own to a target. Without `/proc` there is no limit. */
function defaultMaxConnections(): number {
  let text = ''
  try {
    text = readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return 0
  }
  const files = Number(/^Max open files +(\d+)/m.exec(text)?.[1] ?? 0)
  return files === 0 ? 0 : Math.max(64, Math.floor((files - filesBesidesConnections) / 2))
}

function trustedProxies(ranges: readonly string[]): readonly string[] {
  const wanted = ranges.length === 0 ? defaultTrustedProxies : ranges
  const trusted = wanted.filter((range) => range !== 'none')
  try {
    createPeerTrust(trusted)
    return trusted
  } catch (error) {
    throw new UsageError(`--trusted-proxy: ${messageOf(error)}`)
  }
}

function createLog(minimum: LogLevel): EdgeLog {
  const from = logLevels.indexOf(minimum)
  return (level, message) => {
    if (logLevels.indexOf(level) < from) return
    // One line each, whatever a client put into its URL.
    const line = message.replace(/\p{Cc}/gu, (char) => JSON.stringify(char).slice(1, -1))
    writeStandardError(`${new Date().toISOString()} [edge] ${level}: ${line}\n`)
  }
}

/** Combinations that configurable-http-proxy refuses too. Source: contract proxy §10. */
function checkCombinations(values: EdgeFlagValues): void {
  if (values['error-target'] !== undefined && values['error-path'] !== undefined) {
    throw new UsageError('--error-target and --error-path exclude each other')
  }
  if (values.socket !== undefined && (values.ip !== undefined || values.port !== undefined)) {
    throw new UsageError('--socket and --ip or --port exclude each other')
  }
  if (values['ssl-key'].length !== values['ssl-cert'].length) {
    throw new UsageError('--ssl-key and --ssl-cert come in pairs')
  }
  const followed = (['hub-url', 'snapshot-file'] as const).find(
    (flag) => (values[flag]?.length ?? 0) > 0,
  )
  if (values['storage-backend'] !== undefined && followed !== undefined) {
    throw new UsageError(`--storage-backend and --${followed} exclude each other`)
  }
  if (hasOnlyOne(values['api-ssl-key'], values['api-ssl-cert'])) {
    throw new UsageError('--api-ssl-key and --api-ssl-cert come together')
  }
  if (hasOnlyOne(values['client-ssl-key'], values['client-ssl-cert'])) {
    throw new UsageError('--client-ssl-key and --client-ssl-cert come together')
  }
  if (values['api-ssl-key'] === undefined && values['api-ssl-ca'] !== undefined) {
    throw new UsageError('--api-ssl-ca needs --api-ssl-key and --api-ssl-cert')
  }
  const hasTls = values['ssl-key'].length > 0 || values['acme-domain'].length > 0
  if (values['redirect-port'] !== undefined && !hasTls) {
    throw new UsageError('--redirect-port needs HTTPS: --ssl-key and --ssl-cert, or --acme-domain')
  }
  if (values['acme-domain'].length > 0 && values['redirect-port'] === undefined) {
    throw new UsageError('--acme-domain needs --redirect-port, where the authority looks (80)')
  }
}

function hasOnlyOne(first: string | undefined, second: string | undefined): boolean {
  return (first === undefined) !== (second === undefined)
}

function listenAt(socketPath: string | undefined, address: Listen): Listen {
  return socketPath === undefined ? address : { ...address, socketPath }
}

function tlsOf(
  values: EdgeFlagValues,
  env: NodeJS.ProcessEnv,
  port: number,
): Pick<EdgeOptions, 'tls' | 'apiTls' | 'clientTls'> {
  const tls = publicTls(values, env, port)
  const apiTls = sideOf(values, 'api-ssl', env['CONFIGPROXY_API_SSL_KEY_PASSPHRASE'])
  const clientTls: TlsFlags = {
    ...sideOf(values, 'client-ssl', undefined),
    requestCert: false,
    rejectUnauthorized: !values.insecure,
  }
  return {
    ...(tls !== undefined && { tls }),
    ...(apiTls !== undefined && { apiTls }),
    clientTls,
  }
}

function publicTls(
  values: EdgeFlagValues,
  env: NodeJS.ProcessEnv,
  port: number,
): PublicTlsFlags | undefined {
  const passphrase = env['CONFIGPROXY_SSL_KEY_PASSPHRASE']
  const files = values['ssl-key'].map((keyPath, index) => ({
    keyPath,
    certPath: values['ssl-cert'][index] ?? '',
    ...(passphrase !== undefined && { passphrase }),
  }))
  const names = values['acme-domain']
  if (files.length === 0 && names.length === 0) return undefined
  const redirectPort = values['redirect-port']
  const toPort = values['redirect-to']
  return {
    files,
    side: {
      requestCert: values['ssl-request-cert'],
      rejectUnauthorized: values['ssl-reject-unauthorized'],
      ...optional('caPath', values['ssl-ca']),
    },
    protocol: protocolFlags(values),
    hasHttp2: !values['no-http2'],
    hstsSeconds: wholeNumber('hsts', values.hsts),
    ...(names.length > 0 && {
      acme: {
        names,
        directoryUrl: urlFlag('acme-directory', values['acme-directory']),
        folder: values['acme-folder'],
        ...optional('email', values['acme-email']),
        ...optional('authorityCaPath', values['acme-ca']),
      },
    }),
    ...(redirectPort !== undefined &&
      // There the public side is, or it has no port: nothing is left to redirect.
      port !== 80 &&
      values.socket === undefined && {
        redirect: {
          port: wholeNumber('redirect-port', redirectPort, 65_535),
          toPort: toPort === undefined ? port : wholeNumber('redirect-to', toPort, 65_535),
        },
      }),
  }
}

function sideOf(
  values: EdgeFlagValues,
  side: 'api-ssl' | 'client-ssl',
  passphrase: string | undefined,
): TlsFlags | undefined {
  const keyPath = values[`${side}-key`]
  const certPath = values[`${side}-cert`]
  const caPath = values[`${side}-ca`]
  if (keyPath === undefined && certPath === undefined && caPath === undefined) return undefined
  return {
    requestCert: values[`${side}-request-cert`],
    rejectUnauthorized: values[`${side}-reject-unauthorized`],
    ...optional('keyPath', keyPath),
    ...optional('certPath', certPath),
    ...optional('caPath', caPath),
    ...optional('passphrase', passphrase),
  }
}

/** `TLSv1_2` and `TLSv1_2_method`, as configurable-http-proxy spells them, and `TLSv1.2`. */
function protocolFlags(values: EdgeFlagValues): ProtocolFlags {
  const given = values['ssl-protocol']
  const name = given?.replace(/(?:_server|_client)?_method$/, '').replace('_', '.')
  if (name !== undefined && name !== 'TLSv1.2' && name !== 'TLSv1.3' && name !== 'TLS') {
    throw new UsageError('--ssl-protocol is TLSv1_2 or TLSv1_3; older ones are broken')
  }
  const version: ProtocolFlags['settings'] =
    name === undefined || name === 'TLS' ? {} : { minVersion: name, maxVersion: name }
  return {
    settings: { ...version, ...optional('ciphers', values['ssl-ciphers']) },
    ...optional('dhparamPath', values['ssl-dhparam']),
  }
}
