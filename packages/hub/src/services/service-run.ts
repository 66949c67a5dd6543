import { randomBytes } from 'node:crypto'
import { Check } from 'typebox/value'
import { messageOf } from '../domain/errors.ts'
import type { ServiceRun } from '../domain/records.ts'
import { oauthClientOf } from '../domain/service-definition.ts'
import type { ServerTls } from '../lifecycle/work-context.ts'
import type { Spawner, SpawnRequest } from '../plugin-api/spawner.ts'
import { loadBootId } from '../spawners/local-process/process-table.ts'
import { type ProcessState, processStateSchema } from '../spawners/local-process/state.ts'
import { findOAuthClient, putOAuthClient } from '../storage/oauth.ts'
import { deleteServiceRun, findServiceRun, putServiceRun } from '../storage/service-runs.ts'
import { findService } from '../storage/services.ts'
import type { Store, WriteTransaction } from '../storage/store.ts'
import { hashToken } from '../storage/token-hash.ts'
import { createToken, deleteTokens } from '../storage/tokens.ts'
import { deriveServiceToken, fingerprintOf, serviceEnvironment } from './service-environment.ts'
import type { ManagedService, ServiceLogger, ServiceSettings } from './settings.ts'

export interface ServiceContext {
  readonly store: Store
  readonly settings: ServiceSettings
  readonly processes: Spawner<ProcessState>
  readonly logger: ServiceLogger
  readonly now: () => Date
  /** Services get certificates, to reach the hub and to be reached by HTTPS. */
  readonly tls?: ServerTls
  /** Told of points after which something is committed or running, for tests that crash there. */
  readonly passed?: (point: 'service prepared' | 'service started', name: string) => void
}

/** A process of a service. */
export interface RunningService {
  readonly runId: string
  readonly state: ProcessState
  readonly apiToken: string
  /** It ran before this hub. */
  readonly isAdopted: boolean
}

const stopMarginMs = 10_000

/**
 * The process of the service: the one that runs already, if it was started from this definition,
 * else a new one. What another definition started is ended first; there are never two.
 * Fails when the process cannot be started or ends at once.
 */
export async function adoptOrStart(
  context: ServiceContext,
  service: ManagedService,
  signal: AbortSignal,
): Promise<RunningService> {
  const stored = await findServiceRun(context.store.db, service.name)
  if (stored !== undefined) {
    const adopted = await adopt(context, { service, run: stored }, signal)
    if (adopted !== undefined) return adopted
    await endRun(context, stored)
  }
  const run = await prepare(context, service, signal)
  context.passed?.('service prepared', service.name)
  return launch(context, { service, run, isAdopted: false }, signal)
}

/** Ends what is left of a run, children included, and forgets it. */
export async function endRun(context: ServiceContext, run: ServiceRun): Promise<void> {
  const { processes, settings, store } = context
  const state = readState(run)
  if (state !== undefined && (await isHere(state))) {
    const { interruptTimeoutMs, termTimeoutMs, killTimeoutMs } = settings.process
    const timeoutMs = interruptTimeoutMs + termTimeoutMs + killTimeoutMs + stopMarginMs
    await processes.stop(state, AbortSignal.timeout(timeoutMs))
    await processes.forget?.(state)
  }
  await store.write((tx) => deleteServiceRun(tx, run))
}

/** `undefined` when there is nothing to take over. */
async function adopt(
  context: ServiceContext,
  input: { service: ManagedService; run: ServiceRun },
  signal: AbortSignal,
): Promise<RunningService | undefined> {
  const { service, run } = input
  const state = readState(run)
  if (state === undefined || !(await isHere(state))) return undefined
  if (run.fingerprint !== fingerprintOf(service, context.settings)) return undefined
  if (state.pid === undefined) {
    // A hub ended between storing the run and storing its process: go on there, if it goes on.
    return launch(context, { service, run, isAdopted: true }, signal).catch((error: unknown) => {
      const details = { service: service.name, cause: messageOf(error) }
      context.logger.warn(details, 'half a start of a service could not be taken over')
      return undefined
    })
  }
  if ((await context.processes.poll(state, signal)) !== null) return undefined
  const apiToken = tokenOf(context, service, run.runId)
  return { runId: run.runId, state, apiToken, isAdopted: true }
}

/** Stores run, token and client secret before anything is started: a crash then loses nothing. */
async function prepare(
  context: ServiceContext,
  service: ManagedService,
  signal: AbortSignal,
): Promise<ServiceRun> {
  const { store, processes, settings, now } = context
  const runId = randomBytes(16).toString('hex')
  const state = await processes.prepare(spawnRequest(context, service, runId), signal)
  const fingerprint = fingerprintOf(service, settings)
  const run: ServiceRun = { name: service.name, runId, fingerprint, state, startedAt: now() }
  await store.write(async (tx) => {
    await putServiceRun(tx, run)
    if (service.apiToken === undefined) await giveToken(tx, { context, service, runId })
  })
  return run
}

async function launch(
  context: ServiceContext,
  input: { service: ManagedService; run: ServiceRun; isAdopted: boolean },
  signal: AbortSignal,
): Promise<RunningService> {
  const { service, run, isAdopted } = input
  const { runId } = run
  const prepared = readState(run)
  if (prepared === undefined) throw new TypeError('the stored run of a service is damaged')
  const request = spawnRequest(context, service, runId)
  const apiToken = tokenOf(context, service, runId)
  const { state } = await context.processes
    .start(request, prepared, signal)
    .catch((error: unknown) => {
      // It may quote what the service wrote.
      throw new Error(messageOf(error).replaceAll(apiToken, '[secret]'))
    })
  context.passed?.('service started', service.name)
  await context.store.write((tx) => putServiceRun(tx, { ...run, state }))
  return { runId, state, apiToken, isAdopted }
}

const generatedNote = 'generated at startup'

/** The service's token of this run takes the place of the one before, which stops working. */
async function giveToken(
  tx: WriteTransaction,
  input: { context: ServiceContext; service: ManagedService; runId: string },
): Promise<void> {
  const { context, service, runId } = input
  const found = await findService(tx.db, service.name)
  if (found === undefined) throw new Error('it is no longer in the database')
  const value = deriveServiceToken(context.settings.cookieSecret, runId)
  await deleteTokens(tx, { serviceId: found.id, note: generatedNote })
  const owner = { kind: 'service', id: found.id } as const
  const token = { value, owner, scopes: ['inherit'], note: generatedNote }
  await createToken(tx, token, context.now())
  const clientId = oauthClientOf(service, context.settings)?.id
  const client = clientId === undefined ? undefined : await findOAuthClient(tx.db, clientId)
  if (client?.serviceId !== found.id) return
  await putOAuthClient(tx, { ...client, secretHash: hashToken(value) })
}

function tokenOf(context: ServiceContext, service: ManagedService, runId: string): string {
  return service.apiToken ?? deriveServiceToken(context.settings.cookieSecret, runId)
}

function spawnRequest(
  context: ServiceContext,
  service: ManagedService,
  runId: string,
): SpawnRequest {
  const { settings, tls } = context
  return {
    runId,
    username: service.name,
    serverName: '',
    command: service.command,
    // It chooses its address itself; the state of a process wants one.
    bind: { ip: '127.0.0.1', port: 1 },
    userOptions: {},
    limits: {},
    environment: (_bind, certificate) =>
      serviceEnvironment(service, settings, {
        apiToken: tokenOf(context, service, runId),
        certificate,
      }),
    ...(tls !== undefined && {
      issueCertificate: (names) => tls.issue(service.name, [...names, ...hostIn(service.url)]),
    }),
    report: () => undefined,
  }
}

function readState(run: ServiceRun): ProcessState | undefined {
  return Check(processStateSchema, run.state) ? run.state : undefined
}

/**
 * Whether the run is of this machine, and of this boot of it. Another machine ends what its hub
 * left there when that hub starts again; a token that was generated is gone by then.
 */
async function isHere(state: ProcessState): Promise<boolean> {
  return state.bootId === (await loadBootId())
}

/** Where it is reached, should that be by HTTPS. */
function hostIn(url: string): string[] {
  return URL.canParse(url) ? [new URL(url).hostname.replace(/^\[|\]$/g, '')] : []
}
