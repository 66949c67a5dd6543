import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import type { Config } from '../config/options/classes.ts'
import { ConfigError } from '../domain/errors.ts'
import type { WorkContext } from '../lifecycle/work-context.ts'
import { type EdgeProcess, startEdgeProcess } from '../proxy/adapters/edge-process.ts'
import type { DataFolder } from '../startup/data-folder.ts'
import { lockDataFolder } from '../startup/data-folder.ts'
import { ensureSecretFile } from '../startup/secret-file.ts'
import { openStore } from '../storage/open.ts'
import { orreryVersion } from '../util/version.ts'
import { type Hub, startHub, writePidFile } from './hub.ts'
import { isHubCatchAll, publicUrlOf } from './public-address.ts'
import { bracketed, hubConnectUrl, reachable } from './settings.ts'

export interface StartInput {
  readonly config: Config
  readonly cookieSecret: Buffer
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly logger: Logger
  /** Run the edge as well, or the hub alone. */
  readonly withEdge: boolean
  readonly passed?: WorkContext['passed']
}

/** A started Orrery. */
export interface RunningProgram {
  /** Stops what the configuration says is stopped with the hub, then the hub. */
  shutDown(reason: string): Promise<void>
}

/** A hub that was asked to end stops servers for so long, then leaves them to the next hub. */
const stopServersTimeoutMs = 90_000

/** Starts hub and edge and prints where to go. Throws `ConfigError` with the remedy. */
export async function startProgram(input: StartInput): Promise<RunningProgram> {
  const { config, logger } = input
  logger.info({ version: orreryVersion }, 'Orrery starts')
  const dataFolder = lockDataFolder(config.Orrery.dataDir)
  try {
    return await startIn(dataFolder, input)
  } catch (error) {
    dataFolder.release()
    throw error
  }
}

async function startIn(dataFolder: DataFolder, input: StartInput): Promise<RunningProgram> {
  const { config, logger } = input
  const { dbUrl, upgradeDb, pidFile, cleanupServers, cleanupProxy } = config.JupyterHub
  const removePidFile = writePidFile(pidFile)
  const store = await openStore({ url: dbUrl, directory: input.cwd, upgrade: upgradeDb })
  const proxyAuthToken =
    config.ConfigurableHTTPProxy.authToken || ensureSecretFile(join(dataFolder.path, 'proxy_token'))
  const hasEdge = input.withEdge && config.Proxy.shouldStart
  // Side by side: the edge waits for its hub by itself, and a start takes half the time.
  const edgeStarting = hasEdge
    ? startEdge(dataFolder, { config, proxyAuthToken, logger })
    : undefined
  edgeStarting?.catch(() => undefined) // awaited below, after the hub
  let hub: Hub | undefined
  let edge: EdgeProcess | undefined
  try {
    hub = await startHub({ ...input, withEdge: hasEdge, store, proxyAuthToken, dataFolder })
    edge = await edgeStarting
  } catch (error) {
    const started = await edgeStarting?.catch(() => undefined)
    if (started?.wasRunning === true) started.release()
    else await started?.stop()
    await hub?.close()
    await store.close()
    removePidFile()
    throw error
  }
  announce(config, { logger, setupPath: hub.setupPath })
  const started = { hub, edge }

  return {
    async shutDown(reason) {
      logger.info({ reason }, 'Orrery ends')
      if (cleanupServers) await started.hub.lifecycle.stopAll('hub', stopServersTimeoutMs)
      if (cleanupProxy) await started.edge?.stop()
      else started.edge?.release()
      await started.hub.close()
      await store.close()
      removePidFile()
      dataFolder.release()
    },
  }
}

async function startEdge(
  dataFolder: DataFolder,
  input: { config: Config; proxyAuthToken: string; logger: Logger },
): Promise<EdgeProcess> {
  const { config, proxyAuthToken, logger } = input
  const { ip, port } = config.JupyterHub
  const { apiUrl, logLevel, checkRunningIntervalMs, command } = config.ConfigurableHTTPProxy
  if (config.JupyterHub.proxy !== 'edge' || command[0] !== 'configurable-http-proxy') {
    throw new ConfigError(
      'JupyterHub.proxy_class: this version of Orrery runs its own edge only. Leave proxy_class and ' +
        'ConfigurableHTTPProxy.command unset.',
    )
  }
  const api = new URL(apiUrl)
  const hubUrl = hubConnectUrl(config)
  const flags: Readonly<Record<string, string>> = {
    ...(ip !== '' && { ip }),
    port: String(port),
    'api-ip': api.hostname.replace(/^\[|\]$/g, ''),
    'api-port': api.port || '80',
    'hub-url': hubUrl,
    ...(isHubCatchAll(config) && { 'default-target': new URL(hubUrl).origin }),
    'error-target': `${hubUrl}error`,
    'log-level': logLevel,
    'snapshot-file': join(dataFolder.path, 'edge-routes.json'),
  }
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])
  if (config.JupyterHub.subdomainHost !== '') args.push('--host-routing')
  return startEdgeProcess({
    command: [process.execPath, '--disable-warning=ExperimentalWarning', entryPath(), 'edge'],
    args,
    authToken: proxyAuthToken,
    healthUrl: new URL(`http://${bracketed(reachable(ip))}:${port}/_chp_healthz`),
    dataDir: dataFolder.path,
    checkIntervalMs: checkRunningIntervalMs,
    logger,
  })
}

function entryPath(): string {
  return fileURLToPath(new URL('../main.ts', import.meta.url))
}

function announce(config: Config, input: { logger: Logger; setupPath: string | undefined }): void {
  const { ip, port, baseUrl } = config.JupyterHub
  const host = ip === '' || ip === '0.0.0.0' || ip === '::' ? '127.0.0.1' : ip
  const origin = publicUrlOf(config)?.origin ?? `http://${bracketed(host)}:${port}`
  input.logger.info({}, `Orrery is now running at ${origin}${baseUrl}`)
  if (input.setupPath === undefined) return
  // For the person at the terminal, and not for the log: the link is a secret until it is used.
  process.stdout.write(
    `\n    No administrator has an account yet. Open this link once to make yours (valid for 24 hours):\n\n` +
      `    ${origin}${input.setupPath}\n\n`,
  )
}
