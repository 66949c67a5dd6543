import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PlacedCertificate } from './certificate-place.ts'
import { findClaim } from './claim.ts'
import type { Claim } from './claim.ts'
import { commandLine } from './process-table.ts'
import { openLog } from './server-log.ts'
import { exportLines, innerScript, outerScript, wrapperName } from './wrapper.ts'

/** The system user to become; `undefined` keeps the hub's own. */
export interface RunAs {
  readonly uid: number
  readonly gid: number
}

export interface LaunchOrder {
  readonly runId: string
  readonly runDir: string
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly home: string
  readonly runAs: RunAs | undefined
  /** Written to files by the user that the server runs as. */
  readonly certificate: PlacedCertificate | undefined
  readonly cgroups: readonly string[]
  /** Shell text that the wrapper runs before it claims the run; for tests of that instant. */
  readonly prelude: string
  /** Called with the names of variables that a shell cannot pass on. */
  readonly onLeftOut: (names: readonly string[]) => void
  readonly onStart: (pid: number) => void
  /** Called when a process that this hub started ends: its status, or minus the signal's number. */
  readonly onExit: (pid: number, status: number) => void
}

/** A single environment string may have 128 KiB. Source: execve(2), MAX_ARG_STRLEN. */
const maxEnvironmentBytes = 120 * 1024
const claimTimeoutMs = 15_000
const settleMs = 500

/**
 * Starts a wrapper and waits until the run is claimed, by it or by another of its kind.
 * Safe to call again for the same run: wrappers race for the claim and only one becomes a server.
 */
export async function launch(order: LaunchOrder, signal: AbortSignal): Promise<Claim> {
  const { text, leftOut } = exportLines(order.environment)
  if (leftOut.length > 0) order.onLeftOut(leftOut)
  if (Buffer.byteLength(text) > maxEnvironmentBytes) {
    throw new Error(`the environment of the server exceeds ${maxEnvironmentBytes} bytes`)
  }
  await mkdir(order.runDir, { recursive: true, mode: 0o700 })
  await using log = await openLog(order.runDir)
  signal.throwIfAborted()
  const { certificate } = order
  const child = spawn('/bin/sh', wrapperArguments(order), {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: {
      PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
      ORRERY_RUN_ID: order.runId,
      ORRERY_RUN_DIR: order.runDir,
      ORRERY_CGROUPS: order.cgroups.join('\n'),
      ORRERY_HOME: order.home,
      ORRERY_ENV: text,
      ...(certificate !== undefined && {
        ORRERY_TLS_DIR: certificate.folder,
        ORRERY_TLS_KEY: certificate.content.key,
        ORRERY_TLS_CERT: certificate.content.cert,
        ORRERY_TLS_CA: certificate.content.ca,
      }),
    },
  })
  let status: number | undefined
  let failure: unknown
  child.once('error', (error) => {
    failure = error
  })
  child.once('exit', (code, signalName) => {
    status = code ?? -signalNumber(signalName)
    if (child.pid !== undefined) order.onExit(child.pid, status)
  })
  if (child.pid !== undefined) order.onStart(child.pid)
  child.unref()

  for (const deadline = Date.now() + claimTimeoutMs; ; ) {
    if (failure !== undefined) throw new Error('cannot run /bin/sh', { cause: failure })
    const hasEnded = status !== undefined
    const claim = await findClaim(order.runDir)
    if (claim !== undefined) {
      if (claim.kind === 'process') await waitForCommand(claim.pid)
      return claim
    }
    signal.throwIfAborted()
    if (hasEnded) {
      throw new Error(
        `the start of the server could not be recorded in ${order.runDir} (wrapper status ` +
          `${status}): is the disk full, or without hard links?`,
      )
    }
    if (Date.now() > deadline) throw new Error('the wrapper of the server did not claim its run')
    await sleep(10)
  }
}

function wrapperArguments(order: LaunchOrder): string[] {
  const { runAs } = order
  const become =
    runAs === undefined
      ? []
      : ['setpriv', `--reuid=${runAs.uid}`, `--regid=${runAs.gid}`, '--init-groups', '--']
  const inner = ['/bin/sh', '-c', innerScript, wrapperName, ...order.command]
  return ['-c', outerScript(order.prelude), wrapperName, ...become, ...inner]
}

/** Gives the wrapper a moment to become the server, so that a missing command is noticed at once. */
async function waitForCommand(pid: number): Promise<void> {
  for (const deadline = Date.now() + settleMs; Date.now() < deadline; ) {
    if (!(await commandLine(pid)).split('\0').includes(wrapperName)) return
    await sleep(10)
  }
}

function signalNumber(name: NodeJS.Signals | null): number {
  return name === null ? 0 : constants.signals[name]
}
