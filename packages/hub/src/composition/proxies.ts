import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import { recordEdgeActivity } from '../api/edge/activity.ts'
import type { EdgeHub } from '../api/edge/edge-hub.ts'
import type { Config } from '../config/options/classes.ts'
import { ConfigError } from '../domain/errors.ts'
import type { ComponentFiles } from '../internal-tls/internal-certificates.ts'
import type { InternalTls } from '../internal-tls/internal-tls.ts'
import { createRestClient } from '../proxy/adapters/configurable-http-proxy/rest-client.ts'
import { ProxyError } from '../proxy/adapters/proxy-adapter.ts'
import { type ProxyProcess, startProxyProcess } from '../proxy/adapters/proxy-process.ts'
import { type RouteDriver, startRouteDriver } from '../proxy/adapters/route-driver.ts'
import type { DataFolder } from '../startup/data-folder.ts'
import type { Store } from '../storage/store.ts'
import { isUnixSocketUrl, parseUnixSocketUrl } from '../util/unix-socket-url.ts'
import { hubRoutespec, isHubCatchAll } from './public-address.ts'
import { type PublicCertificate, publicScheme } from './public-tls.ts'
import { bracketed, hubConnectUrl, hubPrefixOf, reachable } from './settings.ts'

export interface ProxyInput {
  readonly config: Config
  readonly proxyAuthToken: string
  readonly logger: Logger
}

/** What a proxy that the hub starts is given besides. */
export interface StartedProxyInput extends ProxyInput {
  readonly certificate: PublicCertificate | undefined
  readonly tls: InternalTls | undefined
}

/** Whether the hub drives configurable-http-proxy by its REST API, instead of edges that follow. */
export function drivesProxy(config: Config): boolean {
  return config.JupyterHub.proxy === 'configurable-http-proxy'
}

/** Starts the proxy that the configuration chooses, or takes over the one that runs. */
export function startProxy(
  dataFolder: DataFolder,
  input: StartedProxyInput,
): Promise<ProxyProcess> {
  const { config } = input
  const edge = [process.execPath, '--disable-warning=ExperimentalWarning', entryPath(), 'edge']
  return drivesProxy(config)
    ? startProcess(dataFolder, {
        ...input,
        name: 'proxy',
        command: config.ConfigurableHTTPProxy.command,
        args: toArgs(proxyFlags(input)),
      })
    : startProcess(dataFolder, {
        ...input,
        name: 'edge',
        command: edge,
        args: [...toArgs(edgeFlags(input, dataFolder)), ...config.Orrery.edgeArgs],
        succession: { flag: '--successor', pidPath: edgePidPath(dataFolder) },
      })
}

function startProcess(
  dataFolder: DataFolder,
  input: StartedProxyInput & {
    name: 'edge' | 'proxy'
    command: readonly string[]
    args: readonly string[]
    succession?: { flag: string; pidPath: string }
  },
): Promise<ProxyProcess> {
  const { config, name, command, args } = input
  const { ip, port } = config.JupyterHub
  const socketPath = publicSocketPath(config)
  const { checkRunningIntervalMs, pidFile } = config.ConfigurableHTTPProxy
  return startProxyProcess({
    name,
    command,
    args: [
      ...args,
      ...sideSwitches(input.tls),
      ...(config.JupyterHub.subdomainHost === '' ? [] : ['--host-routing']),
    ],
    authToken: input.proxyAuthToken,
    healthUrl: new URL(
      socketPath === undefined
        ? `${publicScheme(config)}://${bracketed(reachable(ip))}:${port}/_chp_healthz`
        : `${publicScheme(config)}://localhost/_chp_healthz`,
    ),
    ...(socketPath !== undefined && { healthSocketPath: socketPath }),
    socketPaths: [socketPath, parseUnixSocketUrl(proxyApiUrl(config))?.socketPath].filter(
      (path) => path !== undefined,
    ),
    dataDir: dataFolder.path,
    checkIntervalMs: checkRunningIntervalMs,
    ...(name === 'proxy' && { pidFile }),
    ...(input.succession !== undefined && { succession: input.succession }),
    logger: input.logger,
  })
}

/** Source: contract proxy §9.2. */
function proxyFlags({ config, certificate, tls }: StartedProxyInput): Record<string, string> {
  const { logLevel } = config.ConfigurableHTTPProxy
  return {
    ...publicListenFlags(config),
    ...apiListenFlags(config),
    'error-target': `${hubConnectUrl(config)}error`,
    'log-level': logLevel,
    ...(certificate !== undefined && {
      'ssl-key': certificate.keyPath,
      'ssl-cert': certificate.certPath,
    }),
    ...(tls !== undefined && {
      ...sideFlags('api-ssl', tls.certificates.filesOf('proxy-api')),
      ...sideFlags('client-ssl', tls.certificates.filesOf('proxy-client')),
    }),
  }
}

function publicListenFlags(config: Config): Record<string, string> {
  const { ip, port } = config.JupyterHub
  const socket = publicSocketPath(config)
  if (socket !== undefined) return { socket }
  return { ...(ip !== '' && { ip }), port: String(port) }
}

function apiListenFlags(config: Config): Record<string, string> {
  const socket = parseUnixSocketUrl(proxyApiUrl(config))
  if (socket !== undefined) return { 'api-socket': socket.socketPath }
  const api = new URL(proxyApiUrl(config))
  return {
    'api-ip': api.hostname.replace(/^\[|\]$/g, ''),
    'api-port': api.port || (api.protocol === 'https:' ? '443' : '80'),
  }
}

/** The Unix socket that the public side listens on, in place of address and port. */
export function publicSocketPath(config: Config): string | undefined {
  return parseUnixSocketUrl(config.JupyterHub.bindUrl)?.socketPath
}

function edgeFlags(input: StartedProxyInput, dataFolder: DataFolder): Record<string, string> {
  const { config } = input
  const hubUrl = hubConnectUrl(config)
  return {
    ...proxyFlags(input),
    'hub-url': hubUrl,
    ...(isHubCatchAll(config) && { 'default-target': new URL(hubUrl).origin }),
    'snapshot-file': join(dataFolder.path, 'edge-routes.json'),
    'pid-file': edgePidPath(dataFolder),
  }
}

/** Source: contract proxy §9.2. */
function sideFlags(side: string, files: ComponentFiles): Record<string, string> {
  return {
    [`${side}-key`]: files.keyPath,
    [`${side}-cert`]: files.certPath,
    [`${side}-ca`]: files.caPath,
  }
}

/** Both sides show certificates, and none connects without. */
function sideSwitches(tls: InternalTls | undefined): string[] {
  const sides = tls === undefined ? [] : ['api-ssl', 'client-ssl']
  return sides.flatMap((side) => [`--${side}-request-cert`, `--${side}-reject-unauthorized`])
}

/**
 * Where the proxy's API is: by HTTPS with internal TLS, whatever scheme is configured.
 * @throws ConfigError for a Unix socket with internal TLS, which has no name to certify
 */
export function proxyApiUrl(config: Config): string {
  const { apiUrl } = config.ConfigurableHTTPProxy
  if (config.JupyterHub.internalSsl && isUnixSocketUrl(apiUrl)) {
    throw new ConfigError(
      'ConfigurableHTTPProxy.api_url is a Unix socket, where internal_ssl has no host name to ' +
        'certify: give an address and a port, or leave internal_ssl.',
    )
  }
  return config.JupyterHub.internalSsl ? apiUrl.replace(/^http:/, 'https:') : apiUrl
}

function toArgs(flags: Readonly<Record<string, string>>): string[] {
  return Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])
}

function edgePidPath(dataFolder: DataFolder): string {
  return join(dataFolder.path, 'edge.pid')
}

/**
 * Starts keeping the proxy in step with the hub's routes.
 * @throws ConfigError when the proxy cannot be reached or refuses the token
 */
export async function driveProxy(
  input: ProxyInput & {
    readonly edgeHub: EdgeHub
    readonly store: Store
    readonly tls: InternalTls | undefined
  },
): Promise<RouteDriver> {
  const { config, proxyAuthToken, logger, edgeHub, store, tls } = input
  const { checkRunningIntervalMs } = config.ConfigurableHTTPProxy
  const adapter = createRestClient({
    apiUrl: proxyApiUrl(config),
    authToken: proxyAuthToken,
    ...(tls !== undefined && { tls: tls.certificates.hubMaterial() }),
  })
  // The root cannot be asked for alone.
  const canary = hubRoutespec(config) === '/' ? hubPrefixOf(config) : hubRoutespec(config)
  try {
    await adapter.hasRoute(canary, AbortSignal.timeout(15_000))
  } catch (error) {
    await adapter.close()
    if (!(error instanceof ProxyError)) throw error
    const remedy = error.isRefused
      ? 'Give hub and proxy the same token: ConfigurableHTTPProxy.auth_token here, ' +
        'CONFIGPROXY_AUTH_TOKEN in the environment of the proxy.'
      : 'Start it, correct ConfigurableHTTPProxy.api_url, or let the hub start it: ' +
        'ConfigurableHTTPProxy.should_start = True.'
    throw new ConfigError(`The proxy cannot be used: ${error.message}. ${remedy}`, { cause: error })
  }
  return startRouteDriver({
    source: edgeHub,
    adapter,
    canary,
    probeIntervalMs: checkRunningIntervalMs,
    checkIntervalMs: config.JupyterHub.lastActivityIntervalMs,
    recordActivity: (routes) =>
      recordEdgeActivity(store, { edge: 'configurable-http-proxy', routes }, new Date()),
    logger,
  })
}

function entryPath(): string {
  return fileURLToPath(new URL('../main.ts', import.meta.url))
}
