import { HubError, messageOf } from '../domain/errors.ts'
import type { Server } from '../domain/records.ts'
import type { SpawnFailure } from '../domain/server-state.ts'
import { serverPath, serverRoutespec, serverUrl } from '../domain/urls.ts'
import { type Spawner, SpawnRefused, type SpawnRequest } from '../plugin-api/spawner.ts'
import { findRole } from '../storage/access.ts'
import { claimServerClient } from '../storage/oauth.ts'
import { updateOperation } from '../storage/operations.ts'
import { putRoute } from '../storage/routes.ts'
import { findServerById, updateServer } from '../storage/servers.ts'
import type { WriteTransaction } from '../storage/store.ts'
import { hashToken } from '../storage/token-hash.ts'
import { createToken, deleteTokens } from '../storage/tokens.ts'
import type { JsonObject } from '../util/json.ts'
import { DeadlineExceeded, withDeadline } from './deadline.ts'
import { secondsSince, spawnFailureLabels } from './observer.ts'
import { ProgressRecorder } from './progress-recorder.ts'
import { type Readiness, untilResponding } from './readiness.ts'
import { fullName, queueStop } from './requests.ts'
import { chooseClientId } from './server-client.ts'
import { serverEnvironment } from './server-environment.ts'
import { serverTokenScopes } from './server-scopes.ts'
import { deriveServerToken } from './server-token.ts'
import type { LifecycleSettings } from './settings.ts'
import {
  HubEnding,
  LeaseLost,
  SpawnCancelled,
  type Work,
  type WorkContext,
} from './work-context.ts'

/** What a server shows the hub who it is with. */
interface ServerIdentity {
  readonly apiToken: string
  readonly clientId: string
}

/** How long a new route may take to reach the edges before the server counts as ready anyway. */
const routeTimeoutMs = 2_000
const logTailTimeoutMs = 2_000
const logTailLines = 20

/**
 * Brings a server from `spawning` to `ready`, or to `stopping` with a failure. Every step finds out
 * from the store and the spawner how far an earlier hub came, so it may begin anywhere.
 */
export async function runSpawn(context: WorkContext, work: Work): Promise<void> {
  const { store, logger } = context
  const server = await findServerById(store.db, work.operation.serverId)
  if (server === undefined) return
  if (server.state.kind !== 'spawning') {
    await finish(context, work, 'cancelled')
    return
  }
  context.passed?.('spawn claimed', server.name)
  try {
    await spawn(context, work, server)
    observeSpawn(context, work, { status: 'success', reason: '' })
    logger.info({ server: fullName(server) }, 'server is ready')
  } catch (error) {
    if (error instanceof LeaseLost || error instanceof HubEnding) throw error
    await settleFailure(context, work, { serverId: server.id, error })
  }
}

function observeSpawn(
  context: WorkContext,
  work: Work,
  labels: { status: string; reason: string },
): void {
  const seconds = secondsSince(work.operation.createdAt, context.now())
  context.observe?.('server_spawn_duration_seconds', labels, seconds)
}

async function spawn(context: WorkContext, work: Work, found: Server): Promise<void> {
  const { settings, store } = context
  const spawner = context.spawnerOf(found.spawnerId ?? context.spawnerId)
  await using progress = new ProgressRecorder(store, work.operation.id, context.now)
  const apiToken = deriveServerToken(settings.cookieSecret, found.runId ?? '')
  const identity = { apiToken, clientId: await chooseClientId(store.db, found) }
  const request = spawnRequest(context, { server: found, identity, progress })

  const started = await withDeadline(
    { what: 'Starting the server', timeoutMs: settings.startTimeoutMs, parent: work.signal },
    async (signal) => {
      const prepared =
        found.spawnerState ??
        (await prepare(context, work, { server: found, spawner, request, identity, signal }))
      context.passed?.('spawn prepared', found.name)
      progress.report({ progress: 30, message: 'Spawning server...' })
      return spawner.start(request, prepared, signal)
    },
  )
  context.passed?.('spawn started', found.name)
  await storeSpawnerState(context, work, { serverId: found.id, state: started.state })

  progress.report({ progress: 70, message: 'Server started; waiting for it to answer' })
  const readiness = await withDeadline(
    {
      what: 'Waiting for the server to answer',
      timeoutMs: settings.httpTimeoutMs,
      parent: work.signal,
    },
    (signal) => untilAnswering({ context, spawner, found, started, signal }),
  )
  context.passed?.('spawn responding', found.name)
  await addRoute(context, work, { server: found, target: started.target })
  context.passed?.('spawn routed', found.name)
  await progress.flush()
  await becomeReady(context, work, {
    serverId: found.id,
    target: started.target,
    jupyterhubVersion: readiness.jupyterhubVersion,
  })
  context.passed?.('spawn ready', found.name)
}

/** Stores what identifies the run, its token and its OAuth client, before anything is started. */
async function prepare(
  context: WorkContext,
  work: Work,
  input: {
    server: Server
    spawner: Spawner
    request: SpawnRequest
    identity: ServerIdentity
    signal: AbortSignal
  },
): Promise<JsonObject> {
  const { server, spawner, request, identity, signal } = input
  const state = await spawner.prepare(request, signal)
  const now = context.now()
  await changeServer(
    context,
    work,
    async (tx, current) => {
      await updateServer(tx, current, { spawnerId: context.spawnerId, spawnerState: state })
      await registerServer(tx, { context, server: current, identity, now })
      await updateOperation(tx, work.hold, { step: 'prepared' })
    },
    server.id,
  )
  return state
}

/** The server's API token and OAuth client. Source: contract single-user-and-services §3.1, 4-5. */
async function registerServer(
  tx: WriteTransaction,
  input: { context: WorkContext; server: Server; identity: ServerIdentity; now: Date },
): Promise<void> {
  const { context, server, identity, now } = input
  const { apiToken, clientId } = identity
  const { settings } = context
  const path = serverPath(settings.baseUrl, server.username, server.name)
  const scopes = serverTokenScopes({
    configured: settings.serverTokenScopes,
    server,
    roleScopes: (await findRole(tx.db, 'server'))?.scopes ?? [],
  })
  await deleteTokens(tx, { serverId: server.id })
  await createToken(
    tx,
    {
      value: apiToken,
      owner: { kind: 'user', id: server.userId },
      scopes,
      note: `Server at ${path}`,
      serverId: server.id,
    },
    now,
  )
  const claimed = await claimServerClient(tx, {
    id: clientId,
    description: `Server at ${path}`,
    secretHash: hashToken(apiToken),
    redirectUri: `${serverUrl(settings, server.username, server.name)}oauth_callback`,
    allowedScopes: [
      ...new Set([
        ...settings.oauthClientAllowedScopes,
        `access:servers!server=${fullName(server)}`,
      ]),
    ].toSorted(),
    serverId: server.id,
    serviceId: null,
  })
  if (claimed) return
  throw new HubError('spawn_failed', {
    message: 'Another server took the OAuth client id of this one just now. Start it again.',
  })
}

async function storeSpawnerState(
  context: WorkContext,
  work: Work,
  input: { serverId: number; state: JsonObject },
): Promise<void> {
  await changeServer(
    context,
    work,
    async (tx, server) => {
      await updateServer(tx, server, { spawnerState: input.state })
      await updateOperation(tx, work.hold, { step: 'started' })
    },
    input.serverId,
  )
}

/** Waits for HTTP, but no longer than the process lives: one that has died will never answer. */
async function untilAnswering(input: {
  context: WorkContext
  spawner: Spawner
  found: Server
  started: { target: URL; state: JsonObject }
  signal: AbortSignal
}): Promise<Readiness> {
  const { context, spawner, found, started, signal } = input
  const path = serverPath(context.settings.baseUrl, found.username, found.name)
  const over = new AbortController()
  const both = AbortSignal.any([signal, over.signal])
  try {
    return await Promise.race([
      untilResponding(new URL(`${path}api`, started.target), both, context.tls?.dispatcher()),
      untilExited(spawner, started.state, both),
    ])
  } finally {
    over.abort()
  }
}

/** Rejects when the server's process ends; never resolves. */
async function untilExited(
  spawner: Spawner,
  state: JsonObject,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    const status = await spawner.poll(state, signal).catch(() => null) // unknown is not stopped
    if (status !== null) {
      throw new HubError('spawn_failed', {
        message: `The server ended with exit status ${status} before it answered`,
      })
    }
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, 500)
      signal.addEventListener(
        'abort',
        () => {
          clearTimeout(timer)
          reject(new SpawnCancelled())
        },
        { once: true },
      )
    })
  }
}

/** Publishes the route and waits until the proxies have it, or have had time enough. */
async function addRoute(
  context: WorkContext,
  work: Work,
  input: { server: Server; target: URL },
): Promise<void> {
  const since = context.now()
  const seq = await publishRoute(context, work, input)
  const applied = await context.edges.untilApplied(seq, routeTimeoutMs)
  const labels = { status: applied ? 'success' : 'failure' }
  context.observe?.('proxy_add_duration_seconds', labels, secondsSince(since, context.now()))
}

function publishRoute(
  context: WorkContext,
  work: Work,
  input: { server: Server; target: URL },
): Promise<number> {
  const { server, target } = input
  return context.store.write(async (tx) => {
    if (!(await updateOperation(tx, work.hold, { step: 'routed' }))) {
      throw new LeaseLost(work.operation.id)
    }
    return putRoute(tx, {
      routespec: serverRoutespec(context.settings, server.username, server.name),
      target: target.origin,
      data: { user: server.username, server_name: server.name },
    })
  })
}

async function becomeReady(
  context: WorkContext,
  work: Work,
  input: { serverId: number; target: URL; jupyterhubVersion: string | null },
): Promise<void> {
  const now = context.now()
  await changeServer(
    context,
    work,
    async (tx, server) => {
      await updateServer(tx, server, {
        state: { kind: 'ready', startedAt: server.startedAt ?? now, target: input.target },
        lastActivityAt: now,
        jupyterhubVersion: input.jupyterhubVersion,
      })
      await updateOperation(tx, work.hold, { state: 'succeeded', finishedAt: now })
    },
    input.serverId,
  )
}

/**
 * Changes a server that is still spawning, under our lease.
 * Throws `SpawnCancelled` when somebody stopped it meanwhile, `LeaseLost` when the work is not ours.
 */
async function changeServer(
  context: WorkContext,
  work: Work,
  change: (tx: WriteTransaction, server: Server) => Promise<void>,
  serverId: number,
): Promise<void> {
  await context.store.write(async (tx) => {
    if (!(await updateOperation(tx, work.hold, {}))) throw new LeaseLost(work.operation.id)
    const server = await findServerById(tx.db, serverId)
    if (server?.state.kind !== 'spawning') throw new SpawnCancelled()
    await change(tx, server)
  })
}

/** Ends the operation and hands what may still run to a stop operation, which does not give up. */
async function settleFailure(
  context: WorkContext,
  work: Work,
  input: { serverId: number; error: unknown },
): Promise<void> {
  const { store } = context
  const server = await findServerById(store.db, input.serverId)
  const cancelled = input.error instanceof SpawnCancelled || server?.state.kind !== 'spawning'
  if (server === undefined || cancelled) {
    await finish(context, work, 'cancelled')
    return
  }
  observeSpawn(context, work, spawnFailureLabels(input.error))
  const failure = await describeFailure(context, server, input.error)
  const { code, status, message } = failure
  context.logger.warn(
    { server: fullName(server), code, status, cause: messageOf(input.error) },
    message,
  )
  const now = context.now()
  await store.write(async (tx) => {
    if (!(await updateOperation(tx, work.hold, { state: 'failed', finishedAt: now }))) {
      throw new LeaseLost(work.operation.id)
    }
    const current = await findServerById(tx.db, server.id)
    if (current?.state.kind !== 'spawning') return
    await updateServer(tx, current, { state: { kind: 'stopping', since: now } })
    await queueStop(tx, current, { failure }, now)
  })
}

async function finish(context: WorkContext, work: Work, state: 'cancelled'): Promise<void> {
  await context.store.write(async (tx) => {
    await updateOperation(tx, work.hold, { state, finishedAt: context.now() })
  })
}

/** In words that a user, or whoever the user shows them to, can act on. */
async function describeFailure(
  context: WorkContext,
  server: Server,
  error: unknown,
): Promise<SpawnFailure> {
  const at = context.now()
  if (error instanceof SpawnRefused) {
    const { status, message, htmlMessage } = error
    return {
      code: 'spawn_failed',
      status,
      message,
      ...(htmlMessage !== undefined && { htmlMessage }),
      at,
    }
  }
  const tail = await readLogTail(context, server)
  const code = error instanceof DeadlineExceeded ? 'spawn_timeout' : 'spawn_failed'
  const status = error instanceof HubError ? error.status : 500
  const message = messageOf(error)
  // A spawner may have quoted the log already.
  const isQuoted = tail === '' || message.includes(tail)
  return { code, status, message: isQuoted ? message : `${message}\nIts last lines:\n${tail}`, at }
}

async function readLogTail(context: WorkContext, server: Server): Promise<string> {
  if (server.spawnerState === null) return ''
  const spawner = context.spawnerOf(server.spawnerId ?? context.spawnerId)
  const state = server.spawnerState
  try {
    return await withDeadline(
      { what: 'Reading the log', timeoutMs: logTailTimeoutMs },
      async () => (await spawner.logTail?.(state, logTailLines)) ?? '',
    )
  } catch {
    return '' // the log is a help, not a need
  }
}

function spawnRequest(
  context: WorkContext,
  input: { server: Server; identity: ServerIdentity; progress: ProgressRecorder },
): SpawnRequest {
  const { server, identity, progress } = input
  const { settings, tls } = context
  return {
    runId: server.runId ?? '',
    username: server.username,
    serverName: server.name,
    command: settings.command,
    bind: { ip: settings.bindIp, port: settings.bindPort },
    userOptions: server.userOptions ?? {},
    limits: settings.limits,
    environment: (bind, certificate) =>
      serverEnvironment({ server, ...identity, bind, certificate, settings }),
    ...(tls !== undefined && {
      issueCertificate: (names) =>
        tls.issue(server.username, [...userNames(settings, server.username), ...names]),
    }),
    report: (event) => progress.report(event),
  }
}

/** The user's own host, with subdomains. Source: JupyterHub 6.1 user.py, `trusted_alt_names`. */
function userNames({ subdomains }: LifecycleSettings, username: string): string[] {
  return subdomains === undefined ? [] : [`DNS:${subdomains.userHost(username)}`]
}
