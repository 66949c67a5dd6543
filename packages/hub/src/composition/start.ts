import { join } from 'node:path'
import type { Logger } from 'pino'
import type { ShutdownRequest } from '../api/hub/shutdown.ts'
import type { Config } from '../config/options/classes.ts'
import type { InternalTls } from '../internal-tls/internal-tls.ts'
import type { WorkContext } from '../lifecycle/work-context.ts'
import type { ProxyProcess } from '../proxy/adapters/proxy-process.ts'
import type { RouteDriver } from '../proxy/adapters/route-driver.ts'
import type { DataFolder } from '../startup/data-folder.ts'
import { lockDataFolder } from '../startup/data-folder.ts'
import { ensureSecretFile } from '../startup/secret-file.ts'
import { openStore } from '../storage/open.ts'
import { orreryVersion } from '../util/version.ts'
import { requireUsableKeys } from './auth-states.ts'
import { type Hub, startHub, writePidFile } from './hub.ts'
import { openConfiguredTls } from './internal-tls.ts'
import { toUnixSocketUrl } from '../util/unix-socket-url.ts'
import { driveProxy, drivesProxy, publicSocketPath, startProxy } from './proxies.ts'
import { publicUrlOf } from './public-address.ts'
import {
  type PublicCertificate,
  publicCertificate,
  publicScheme,
  publicSchemeWarning,
} from './public-tls.ts'
import { bracketed } from './settings.ts'

export interface StartInput {
  readonly config: Config
  readonly cookieSecret: Buffer
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly logger: Logger
  /** Run the edge as well, or the hub alone. */
  readonly withEdge: boolean
  readonly passed?: WorkContext['passed']
  /** Called when the API is asked to shut the hub down. */
  readonly onShutdownRequest: (request: ShutdownRequest) => void
}

/** A started Orrery. */
export interface RunningProgram {
  /** Stops what the request, or else the configuration, says is stopped with the hub, then the hub. */
  shutDown(reason: string, request?: ShutdownRequest): Promise<void>
}

/** A hub that was asked to end stops servers for so long, then leaves them to the next hub. */
const stopServersTimeoutMs = 90_000

/** Starts hub and edge and prints where to go. Throws `ConfigError` with the remedy. */
export async function startProgram(input: StartInput): Promise<RunningProgram> {
  const { config, logger } = input
  logger.info({ version: orreryVersion }, 'Orrery starts')
  // Before anything is started.
  requireUsableKeys(config)
  const certificate = startsProxy(input) ? publicCertificate(input) : undefined
  const warning = startsProxy(input) ? publicSchemeWarning(config) : undefined
  if (warning !== undefined) logger.warn({}, warning)
  const dataFolder = lockDataFolder(config.Orrery.dataDir)
  let tls: InternalTls | undefined
  try {
    tls = await openConfiguredTls(input)
    return await startIn(dataFolder, { ...input, tls, certificate })
  } catch (error) {
    await tls?.close()
    dataFolder.release()
    throw error
  }
}

function startsProxy({ withEdge, config }: StartInput): boolean {
  return withEdge && config.Proxy.shouldStart
}

async function startIn(
  dataFolder: DataFolder,
  input: StartInput & {
    readonly tls: InternalTls | undefined
    readonly certificate: PublicCertificate | undefined
  },
): Promise<RunningProgram> {
  const { config, logger, tls, certificate } = input
  const { dbUrl, upgradeDb, pidFile, cleanupServers, cleanupProxy } = config.JupyterHub
  const removePidFile = writePidFile(pidFile)
  const store = await openStore({ url: dbUrl, directory: input.cwd, upgrade: upgradeDb })
  const proxyAuthToken =
    config.ConfigurableHTTPProxy.authToken || ensureSecretFile(join(dataFolder.path, 'proxy_token'))
  const isDriven = drivesProxy(config)
  const proxyInput = { config, proxyAuthToken, logger }
  // Side by side: the edge waits for its hub by itself, and a start takes half the time.
  const proxyStarting = startsProxy(input)
    ? startProxy(dataFolder, { ...proxyInput, certificate, tls })
    : undefined
  proxyStarting?.catch(() => undefined) // awaited below, after the hub
  let hub: Hub | undefined
  let proxy: ProxyProcess | undefined
  let driver: RouteDriver | undefined
  try {
    const withEdge = startsProxy(input) || isDriven
    const shutDown = input.onShutdownRequest
    hub = await startHub({ ...input, shutDown, withEdge, store, proxyAuthToken, dataFolder })
    proxy = await proxyStarting
    if (isDriven) {
      driver = await driveProxy({ ...proxyInput, edgeHub: hub.edgeHub, store, tls })
      hub.proxy.attach(driver)
    }
  } catch (error) {
    const started = await proxyStarting?.catch(() => undefined)
    if (started?.wasRunning === true) started.release()
    else await started?.stop()
    await hub?.close()
    await store.close()
    removePidFile()
    throw error
  }
  announce(config, { logger, setupPath: hub.setupPath })
  const started = { hub, proxy, driver }

  return {
    async shutDown(reason, request = {}) {
      logger.info({ reason }, 'Orrery ends')
      await started.hub.stopServices()
      const { servers: stopsServers = cleanupServers, proxy: stopsProxy = cleanupProxy } = request
      if (stopsServers) await started.hub.lifecycle.stopAll('hub', stopServersTimeoutMs)
      await started.driver?.close()
      if (stopsProxy) await started.proxy?.stop()
      else started.proxy?.release()
      await started.hub.close()
      await tls?.close()
      await store.close()
      removePidFile()
      dataFolder.release()
    },
  }
}

function announce(config: Config, input: { logger: Logger; setupPath: string | undefined }): void {
  const { ip, port, baseUrl } = config.JupyterHub
  const socket = publicSocketPath(config)
  const host = ip === '' || ip === '0.0.0.0' || ip === '::' ? '127.0.0.1' : ip
  const address =
    socket === undefined ? `${publicScheme(config)}://${bracketed(host)}:${port}` : undefined
  const origin = publicUrlOf(config)?.origin ?? address
  const shown = origin ?? toUnixSocketUrl(socket ?? '')
  input.logger.info({}, `Orrery is now running at ${shown}${baseUrl}`)
  if (input.setupPath === undefined) return
  // For the person at the terminal, and not for the log: the link is a secret until it is used.
  process.stdout.write(
    `\n    No administrator has an account yet. Open this link once to make yours (valid for 24 hours):\n\n` +
      // What stands in front of a socket has an address that is not known here without `public_url`.
      `    ${origin ?? 'https://ADDRESS-OF-THIS-HUB'}${input.setupPath}\n\n`,
  )
}
