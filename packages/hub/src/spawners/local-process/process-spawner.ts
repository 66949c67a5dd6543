import { access, constants, mkdir, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Spawner, SpawnerContext, SpawnRequest, Started } from '../../plugin-api/spawner.ts'
import { placeCertificate } from './certificate-place.ts'
import { findClaim } from './claim.ts'
import type { Claim } from './claim.ts'
import { hasErrno } from '../../util/errno.ts'
import { launch } from './launch.ts'
import type { RunAs } from './launch.ts'
import type { LocalProcessOptions } from './options.ts'
import { findFreePort, isPortTaken } from './port.ts'
import { isRunning, listProcesses, loadBootId, startedWith } from './process-table.ts'
import type { ProcessId } from './process-table.ts'
import { createRunLimits } from './run-limits.ts'
import { runVariable } from './run-processes.ts'
import { tailLog, trimLog } from './server-log.ts'
import type { ProcessState } from './state.ts'
import { stopRun } from './stop-run.ts'
import { shellQuote } from './wrapper.ts'

/** Whose a server is on this machine. */
export interface ProcessOwner {
  readonly runAs: RunAs | undefined
  readonly home: string
  /** Set last, over everything else. */
  readonly environment: Readonly<Record<string, string>>
}

export interface ProcessSpawnerParts {
  /** Throws `SpawnRefused` when the user cannot have a server here. */
  readonly getOwner: (request: SpawnRequest, signal: AbortSignal) => Promise<ProcessOwner>
  /** Whether a start is refused while something listens on its port already; it is by default. */
  readonly claimsPort?: boolean
  /** What to do about a command that is not there, as a sentence. */
  readonly commandHint?: string
  /** See `LaunchOrder.prelude`. */
  readonly prelude?: string
}

const maxRememberedExits = 4096
const exitNoticeMs = 1_000
const jupyterHint =
  "For Jupyter: pip install jupyterlab jupyterhub, into a Python environment on the hub's PATH, or " +
  'set Spawner.cmd.'

/** The spawner behind `local-process` and `simple`, which differ in the owner of the processes. */
export function createProcessSpawner(
  context: SpawnerContext<LocalProcessOptions>,
  parts: ProcessSpawnerParts,
): Spawner<ProcessState> {
  const { options, dataDir, logger } = context
  const exits = new Map<string, number>()
  const children = new Set<number>()
  const warned = new Set<string>()

  const warnOnce = (message: string) => {
    if (warned.has(message)) return
    warned.add(message)
    logger.warn({}, message)
  }

  const rememberExit = (runId: string, pid: number, status: number) => {
    children.delete(pid)
    exits.set(`${runId} ${pid}`, status)
    const oldest = exits.keys().next()
    if (exits.size > maxRememberedExits && !oldest.done) exits.delete(oldest.value)
  }

  /** The parent learns of an exit a moment after `/proc` shows it. */
  const exitStatus = async (runId: string, pid: number): Promise<number | undefined> => {
    for (const deadline = Date.now() + exitNoticeMs; children.has(pid); ) {
      if (Date.now() > deadline) break
      await sleep(10)
    }
    return exits.get(`${runId} ${pid}`)
  }

  const adopt = async (state: ProcessState, claim: Claim): Promise<Started<ProcessState>> => {
    if (claim.kind === 'tombstone') throw new Error('this run was stopped before it started')
    const { pid, startTicks } = claim
    if (claim.bootId !== (await loadBootId()) || !(await isRunning(claim))) {
      throw new Error(await describeExit(state, await exitStatus(state.runId, pid)))
    }
    return { target: toTarget(state), state: { ...state, bootId: claim.bootId, pid, startTicks } }
  }

  return {
    async prepare(request, signal) {
      signal.throwIfAborted()
      if (!/^[0-9a-f]{32}$/.test(request.runId)) throw new TypeError('runId is 32 hex characters')
      const { ip } = request.bind
      const port = request.bind.port === 0 ? await findFreePort(ip) : request.bind.port
      const runDir = join(dataDir, 'runs', request.runId)
      const tls = request.issueCertificate === undefined ? {} : { tls: true }
      return { runId: request.runId, ip, port, runDir, bootId: await loadBootId(), ...tls }
    },

    async start(request, state, signal) {
      const earlier = await findClaim(state.runDir)
      if (earlier !== undefined) return await adopt(state, earlier)
      const owner = await parts.getOwner(request, signal)
      const certificate = await placeCertificate({ request, state, owner, dataDir })
      const environment = {
        ...baseEnvironment(options),
        ...request.environment({ ip: state.ip, port: state.port }, certificate?.paths),
        ...owner.environment,
        [runVariable]: request.runId,
      }
      const command = toCommandLine(options, request)
      await assertCommandExists(command, environment, parts.commandHint ?? jupyterHint)
      if (parts.claimsPort !== false && (await isPortTaken(state.ip, state.port))) {
        // Whoever listens may be the server itself, started by a hub that was killed.
        const claim = await findClaim(state.runDir)
        if (claim !== undefined) return await adopt(state, claim)
        throw new Error(`port ${state.port} is taken by another program; start the server again`)
      }
      await mkdir(state.runDir, { recursive: true, mode: 0o700 })
      const claim = await launch(
        {
          runId: request.runId,
          runDir: state.runDir,
          command,
          environment,
          home: owner.home,
          runAs: owner.runAs,
          certificate,
          cgroups: await createRunLimits(request, state.runDir, warnOnce),
          prelude: parts.prelude ?? '',
          onStart: (pid) => children.add(pid),
          onExit: (pid, status) => rememberExit(request.runId, pid, status),
          onLeftOut: (names) => logger.warn({ names }, 'variables that a shell cannot pass on'),
        },
        signal,
      )
      return await adopt(state, claim)
    },

    async poll(state, signal) {
      signal.throwIfAborted()
      const id = await findServer(state)
      if (id === undefined) return 0
      if (id.bootId === (await loadBootId()) && (await isRunning(id))) {
        await trimLog(state.runDir)
        return null
      }
      return (await exitStatus(state.runId, id.pid)) ?? 0
    },

    async stop(state, signal) {
      await stopRun(state, { options, logger, signal })
    },

    async logTail(state, lines) {
      return await tailLog(state.runDir, lines)
    },

    async forget(state) {
      for (const key of exits.keys()) if (key.startsWith(`${state.runId} `)) exits.delete(key)
      await forgetRun(state.runDir)
    },
  }
}

/** Renamed away at once, so that a late wrapper finds nothing to claim. */
async function forgetRun(runDir: string): Promise<void> {
  const away = `${runDir}.over`
  try {
    await rm(away, { recursive: true, force: true })
    await rename(runDir, away)
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error
  }
  await rm(away, { recursive: true, force: true })
}

/** Throws when a start may still be under way: then it is neither running nor over. */
async function findServer(
  state: ProcessState,
): Promise<(ProcessId & { readonly bootId: string }) | undefined> {
  const { pid, startTicks, bootId } = state
  if (pid !== undefined && startTicks !== undefined) return { pid, startTicks, bootId }
  const claim = await findClaim(state.runDir)
  if (claim !== undefined) return claim.kind === 'process' ? claim : undefined
  const mark = `${runVariable}=${state.runId}`
  for (const row of await listProcesses()) {
    if (!row.isZombie && (await startedWith(row.pid, mark))) {
      throw new Error('the server is being started; whether it runs is not known yet')
    }
  }
  return undefined
}

async function describeExit(state: ProcessState, status: number | undefined): Promise<string> {
  const tail = await tailLog(state.runDir, 20)
  const what = status === undefined ? 'The server ended' : `The server ended with status ${status}`
  return `${what} before it was ready. ${tail === '' ? 'It wrote nothing.' : `Its last lines:\n${tail}`}`
}

/** Wildcards are reached over loopback. Source: JupyterHub 6.0, `ip or 127.0.0.1`. */
function toTarget({ ip, port, tls }: ProcessState): URL {
  const host = ip === '' || ip === '0.0.0.0' ? '127.0.0.1' : ip === '::' ? '::1' : ip
  return new URL(
    `${tls === true ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
  )
}

function baseEnvironment(options: LocalProcessOptions): Record<string, string> {
  const environment: Record<string, string> = { PATH: '/usr/local/bin:/usr/bin:/bin' }
  for (const name of options.envKeep) {
    const value = process.env[name]
    if (value !== undefined) environment[name] = value
  }
  return environment
}

/** Source: JupyterHub 6.0, `LocalProcessSpawner.shell_cmd`. */
function toCommandLine(options: LocalProcessOptions, request: SpawnRequest): readonly string[] {
  if (options.shellCmd.length === 0) return request.command
  return [...options.shellCmd, request.command.map(shellQuote).join(' ')]
}

/** Says what to install; whether the user may run it shows when it is run. */
async function assertCommandExists(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  hint: string,
): Promise<void> {
  const [program] = command
  if (program === undefined || program === '') throw new Error('the command is empty')
  if (program.includes('/')) return
  const path = environment['PATH'] ?? ''
  for (const folder of path.split(delimiter)) {
    const isThere = await access(join(folder, program), constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return
  }
  throw new Error(`The command "${program}" was not found in PATH=${path}. ${hint}`)
}
