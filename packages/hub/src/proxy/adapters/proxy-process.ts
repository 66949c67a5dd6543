import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { ConfigError, messageOf } from '../../domain/errors.ts'
import {
  findProcess,
  isAlive,
  type ProcessIdentity,
  signalProcess,
} from '../../util/process-identity.ts'
import { orreryVersion } from '../../util/version.ts'
import { isLeftOver } from '../data-plane/listen.ts'

export interface ProxyProcessOptions {
  /** What it is called in the names of its files and in messages. */
  readonly name: 'edge' | 'proxy'
  /** Program and the arguments before the proxy's own. */
  readonly command: readonly string[]
  /** The proxy's arguments, in configurable-http-proxy's form. */
  readonly args: readonly string[]
  readonly authToken: string
  /** Answers `/_chp_healthz` once the proxy serves. */
  readonly healthUrl: URL
  /** The Unix socket on which it answers that. */
  readonly healthSocketPath?: string
  /** Unix sockets that the proxy listens on. */
  readonly socketPaths?: readonly string[]
  /** For a proxy that shares its ports: one with other arguments takes over from the one that runs. */
  readonly succession?: {
    /** Tells it to listen beside another. */
    readonly flag: string
    /** Where it writes its process id once it serves; the arguments say so too. */
    readonly pidPath: string
  }
  /** Receives the process id. */
  readonly pidFile?: string
  readonly dataDir: string
  readonly checkIntervalMs: number
  readonly logger: {
    info(details: object, message: string): void
    warn(details: object, message: string): void
    error(details: object, message: string): void
  }
}

export interface ProxyProcess {
  /** It ran already, with connections that a start which fails must not cut. */
  readonly wasRunning: boolean
  /** Ends the proxy and stops watching it. */
  stop(): Promise<void>
  /** Stops watching; the proxy serves on, and the next hub takes it over. */
  release(): void
}

interface ProcessRecord extends ProcessIdentity {
  readonly args: readonly string[]
  /** Of the hub that started it: with another version comes another edge. */
  readonly version: string
  /** Serves beside it until it is told to end. */
  readonly predecessor?: ProcessIdentity
}

/** Sockets are for the hub's user and group. Source: JupyterHub 6.1 proxy.py, `command_umask`. */
const socketUmask = 0o007
const startTimeoutMs = 15_000
const stopTimeoutMs = 15_000
const maxRestartPauseMs = 10_000
const logTailBytes = 2_000

/**
 * Runs a proxy as a process of its own, which outlives the hub: a hub that starts finds the proxy
 * of the one before by its record (pid and start time) and keeps it, with every connection it
 * holds. A proxy that ends is started again.
 */
export async function startProxyProcess(options: ProxyProcessOptions): Promise<ProxyProcess> {
  const { logger } = options
  const ending = new AbortController()
  const isEnding = () => ending.signal.aborted
  const found = await adoptOrStart(options)
  let current: ProcessIdentity = found
  const watching = watch()

  async function watch(): Promise<void> {
    for (let pauseMs = 100; !isEnding(); ) {
      await untilDead(current, options.checkIntervalMs, ending.signal)
      if (isEnding()) return
      logger.error({ pid: current.pid }, `the ${options.name} has ended; starting it again`)
      try {
        current = await start(options)
        pauseMs = 100
      } catch (error) {
        logger.error(
          { cause: messageOf(error) },
          `the ${options.name} could not be started; trying again`,
        )
        await pause(pauseMs, ending.signal)
        pauseMs = Math.min(pauseMs * 2, maxRestartPauseMs)
      }
    }
  }

  return {
    wasRunning: found.wasRunning,
    async stop() {
      ending.abort()
      await Promise.all(
        [current, ...(found.predecessor === undefined ? [] : [found.predecessor])].map((target) =>
          end(target, stopSignal(options)),
        ),
      )
      forget(options)
      // One that another program took meanwhile is not ours to remove.
      if (options.name === 'proxy') await clearSockets(options).catch(() => undefined)
      await watching
    },
    release() {
      ending.abort()
    },
  }
}

interface Found extends ProcessIdentity {
  readonly wasRunning: boolean
  /** Draining. */
  readonly predecessor?: ProcessIdentity
}

async function adoptOrStart(options: ProxyProcessOptions): Promise<Found> {
  const { logger, name } = options
  const startNew = async () => ({ ...(await start(options)), wasRunning: false })
  const found = readRecord(options)
  if (found === undefined) return startNew()
  // A hub that was killed between start and end of a succession left it behind.
  if (found.predecessor !== undefined) dismiss(options, found, found.predecessor)
  if (!isAlive(found)) return startNew()
  const sameArguments = JSON.stringify(found.args) === JSON.stringify(options.args)
  // What is not ours is no other for a hub of another version.
  const isSame = sameArguments && (options.name !== 'edge' || found.version === orreryVersion)
  if (isSame && (await isHealthy(options))) {
    logger.info({ pid: found.pid }, `taking over the running ${name}`)
    return { ...found, wasRunning: true }
  }
  logger.info({ pid: found.pid }, `replacing the running ${name}`)
  if (options.succession !== undefined) {
    try {
      return await succeed(options, found)
    } catch (error) {
      // One of an earlier version does not share its ports.
      const cause = messageOf(error)
      logger.warn({ cause }, `the ${name} cannot start beside the running one, which ends first`)
    }
  }
  await end(found, stopSignal(options))
  return startNew()
}

/** Starts a proxy beside the one that runs, and tells that one to end once the new one serves. */
async function succeed(options: ProxyProcessOptions, found: ProcessRecord): Promise<Found> {
  const predecessor = { pid: found.pid, startTicks: found.startTicks }
  const current = await start(options, predecessor)
  dismiss(options, { ...current, args: options.args, version: orreryVersion }, predecessor)
  return { ...current, wasRunning: false, predecessor }
}

/** Tells it once: a second time would cut its connections. */
function dismiss(place: Place, current: ProcessRecord, predecessor: ProcessIdentity): void {
  if (isAlive(predecessor)) signalProcess(predecessor, 'SIGTERM')
  const { pid, startTicks, args, version } = current
  writeRecord(place, { pid, startTicks, args, version })
}

async function start(
  options: ProxyProcessOptions,
  predecessor?: ProcessIdentity,
): Promise<ProcessIdentity> {
  const [program = '', ...first] = options.command
  const logPath = join(options.dataDir, `${options.name}.log`)
  rmSync(logPath, { force: true }) // a predecessor goes on writing to its own
  const log = openSync(logPath, 'w', 0o600)
  const { succession, socketPaths: sockets = [] } = options
  const beside = succession === undefined || predecessor === undefined ? [] : [succession.flag]
  if (options.name === 'proxy') await clearSockets(options)
  const child = withUmask(sockets.length === 0 ? undefined : socketUmask, () =>
    spawn(program, [...first, ...options.args, ...beside], {
      detached: true, // a session of its own: signals to the hub's terminal are not the edge's
      stdio: ['ignore', log, log],
      env: { ...process.env, CONFIGPROXY_AUTH_TOKEN: options.authToken },
    }),
  )
  closeSync(log)
  child.unref()
  const spawned = new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
  await spawned
  const identity = findProcess(child.pid ?? 0)
  try {
    if (identity !== undefined) {
      const { args } = options
      writeRecord(options, {
        ...identity,
        args,
        version: orreryVersion,
        ...(predecessor !== undefined && { predecessor }),
      })
    }
    await untilHealthy(options, child, logPath)
  } catch (error) {
    child.kill('SIGKILL') // without a record nobody would find it, and it would hold the port
    forget(options)
    throw error
  }
  return identity ?? { pid: child.pid ?? 0, startTicks: '' }
}

/**
 * configurable-http-proxy leaves the files of its sockets behind when it is killed, and does not
 * start where one is.
 * @throws ConfigError where another program listens
 */
async function clearSockets({ name, socketPaths = [] }: ProxyProcessOptions): Promise<void> {
  for (const path of socketPaths) {
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined) continue
    if (!found.isSocket() || !(await isLeftOver(path))) {
      throw new ConfigError(
        `The ${name} could not start: ${path} is taken by another program; stop it, or choose ` +
          'another path in JupyterHub.bind_url or ConfigurableHTTPProxy.api_url.',
      )
    }
    rmSync(path, { force: true })
  }
}

/** Runs something that starts a process, with the permissions of that process's files. */
function withUmask<Result>(mask: number | undefined, run: () => Result): Result {
  if (mask === undefined) return run()
  const before = process.umask(mask)
  try {
    return run()
  } finally {
    process.umask(before)
  }
}

async function untilHealthy(
  options: ProxyProcessOptions,
  child: ChildProcess,
  logPath: string,
): Promise<void> {
  const giveUpAt = Date.now() + startTimeoutMs
  while (Date.now() < giveUpAt) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new ConfigError(`The ${options.name} could not start: ${logTail(logPath)}`)
    }
    if (await isServing(options, child)) return
    await delay(25)
  }
  child.kill('SIGKILL')
  throw new ConfigError(
    `The ${options.name} did not answer in ${startTimeoutMs / 1000} s: ${logTail(logPath)}`,
  )
}

/** Where two share a port, either may answer: the new one says by its process id that it serves. */
async function isServing(options: ProxyProcessOptions, child: ChildProcess): Promise<boolean> {
  if (options.succession === undefined) return isHealthy(options)
  try {
    return readFileSync(options.succession.pidPath, 'utf8') === String(child.pid)
  } catch {
    return false // not yet
  }
}

async function isHealthy(
  options: Pick<ProxyProcessOptions, 'healthUrl' | 'healthSocketPath'>,
): Promise<boolean> {
  const { healthUrl, healthSocketPath: socketPath } = options
  const dispatcher = new Agent({
    connect: {
      rejectUnauthorized: false, // the certificate is for the public name, which is not where we ask
      ...(socketPath !== undefined && { socketPath }),
    },
  })
  try {
    const answer = await request(healthUrl, {
      dispatcher,
      headersTimeout: 2_000,
      bodyTimeout: 2_000,
      headers: { connection: 'close' },
    })
    const body = await answer.body.text()
    return answer.statusCode === 200 && body.includes('"status"')
  } catch {
    return false
  } finally {
    await dispatcher.destroy()
  }
}

async function untilDead(
  target: ProcessIdentity,
  intervalMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && isAlive(target)) {
    // Often enough that a crash costs a second at most, whatever the configured interval.
    await pause(Math.min(intervalMs, 500), signal)
  }
}

/** Ends at once with the signal: whoever stops the watch waits for it, maybe with nothing else to do. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { ref: false, signal }).catch(() => undefined)
}

/** The edge leaves WebSockets time on SIGTERM, which nobody is served by when no successor is there. */
function stopSignal({ succession }: ProxyProcessOptions): 'SIGINT' | 'SIGTERM' {
  return succession === undefined ? 'SIGTERM' : 'SIGINT'
}

async function end(target: ProcessIdentity, signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
  signalProcess(target, signal)
  const giveUpAt = Date.now() + stopTimeoutMs
  while (isAlive(target)) {
    if (Date.now() > giveUpAt) signalProcess(target, 'SIGKILL')
    await delay(20)
  }
}

type Place = Pick<ProxyProcessOptions, 'name' | 'dataDir' | 'pidFile'>

function recordPath({ name, dataDir }: Place): string {
  return join(dataDir, `${name}.json`)
}

function writeRecord(place: Place, record: ProcessRecord): void {
  const path = recordPath(place)
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 })
  renameSync(`${path}.new`, path)
  if (place.pidFile !== undefined) writeFileSync(place.pidFile, String(record.pid))
}

function forget(place: Place): void {
  rmSync(recordPath(place), { force: true })
  if (place.pidFile !== undefined) rmSync(place.pidFile, { force: true })
}

function readRecord(place: Place): ProcessRecord | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(recordPath(place), 'utf8'))
    if (typeof value !== 'object' || value === null) return undefined
    if (!('pid' in value) || !('startTicks' in value) || !('args' in value)) return undefined
    const { pid, startTicks, args } = value
    if (typeof pid !== 'number' || typeof startTicks !== 'string' || !Array.isArray(args)) {
      return undefined
    }
    const before = 'predecessor' in value ? value.predecessor : undefined
    return {
      pid,
      startTicks,
      args: args.map(String),
      version: 'version' in value ? String(value.version) : '',
      ...(isIdentity(before) && { predecessor: before }),
    }
  } catch {
    return undefined // no record, or one that was torn: then there is no edge to take over
  }
}

function isIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== 'object' || value === null) return false
  if (!('pid' in value) || !('startTicks' in value)) return false
  return typeof value.pid === 'number' && typeof value.startTicks === 'string'
}

function logTail(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-logTailBytes).trim()
  } catch {
    return ''
  }
}
