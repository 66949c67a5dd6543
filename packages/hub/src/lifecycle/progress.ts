import type { Operation, Server } from '../domain/records.ts'
import type { SpawnFailure } from '../domain/server-state.ts'
import { type Place, serverUrl } from '../domain/urls.ts'
import {
  findLastSpawn,
  findOperation,
  listProgress,
  listQueuedSpawns,
  countRunningSpawnsByUser,
} from '../storage/operations.ts'
import { findServerById } from '../storage/servers.ts'
import type { Store } from '../storage/store.ts'
import type { JsonObject } from '../util/json.ts'
import { nextChange } from './changes.ts'
import type { ProgressEvent } from './lifecycle.ts'
import { fairOrder } from './spawn-queue.ts'

/** How far down the queue a place is worked out; beyond it, it says "more than". */
const queueLookAhead = 1_000

export const requestedEvent: ProgressEvent = { progress: 0, message: 'Server requested' }
export const cancelledEvent: ProgressEvent = {
  progress: 100,
  failed: true,
  message: 'Spawn cancelled',
}

/** Source: contract rest-api §8.8. */
export function readyEvent(place: Place, server: Pick<Server, 'username' | 'name'>): ProgressEvent {
  const url = serverUrl(place, server.username, server.name)
  return {
    progress: 100,
    ready: true,
    message: `Server ready at ${url}`,
    html_message: `Server ready at <a href="${url}">${url}</a>`,
    url,
  }
}

export function failedEvent(failure: SpawnFailure): ProgressEvent {
  return {
    progress: 100,
    failed: true,
    message: `Spawn failed: ${failure.message}`,
    ...(failure.htmlMessage !== undefined && { html_message: failure.htmlMessage }),
  }
}

/**
 * Progress of a server's start from its beginning to its last event, whoever runs it. Ends
 * without a last event when `signal` aborts or the server is removed.
 */
export async function* followProgress(
  options: { store: Store; place: Place; serverId: number },
  signal: AbortSignal,
): AsyncGenerator<ProgressEvent> {
  const { store, place, serverId } = options
  let after = 0
  let lastInLine = 0
  const first = await findServerById(store.db, serverId)
  const isOver = first?.state.kind === 'ready' || first?.state.kind === 'stopped'
  const spawn = isOver ? undefined : await findLastSpawn(store.db, serverId)
  while (!signal.aborted) {
    const change = nextChange(store, {
      topics: ['progress', 'operation', 'server'],
      ids: spawn === undefined ? [serverId] : [serverId, spawn.id],
      signal,
    })
    try {
      const server = await findServerById(store.db, serverId)
      if (server === undefined) return
      if (spawn !== undefined) {
        const events = await listProgress(store.db, { operationId: spawn.id, after })
        for (const event of events) {
          after = event.id
          yield toProgressEvent(event.data)
        }
      }
      const last = await lastEvent({ store, place, server, spawn })
      if (last !== undefined) {
        yield last
        return
      }
      const inLine = spawn === undefined ? 0 : await placeInLine(store, spawn.id)
      if (inLine !== 0 && inLine !== lastInLine) {
        lastInLine = inLine
        yield { progress: 0, message: waitingMessage(inLine) }
      }
      await change.changed
    } finally {
      change.stop()
    }
  }
}

/** The event that ends the stream, once the start is over. */
async function lastEvent(input: {
  store: Store
  place: Place
  server: Server
  spawn: Operation | undefined
}): Promise<ProgressEvent | undefined> {
  const { store, place, server, spawn } = input
  switch (server.state.kind) {
    case 'ready':
      return readyEvent(place, server)
    case 'stopped':
      return server.state.lastFailure === undefined
        ? cancelledEvent
        : failedEvent(server.state.lastFailure)
    case 'stopping': {
      // After a failed start the message comes with the end of the clean-up.
      const operation = spawn && (await findOperation(store.db, spawn.id))
      return operation?.state === 'failed' ? undefined : cancelledEvent
    }
    case 'spawning': {
      // A newer start has begun since this stream was opened: the one that was watched is over.
      const current = await findLastSpawn(store.db, server.id)
      return current?.id === spawn?.id ? undefined : cancelledEvent
    }
  }
}

/** 1 for the next in line; 0 when the start is not waiting. */
async function placeInLine(store: Store, operationId: number): Promise<number> {
  const queued = await listQueuedSpawns(store.db, queueLookAhead)
  if (!queued.some((spawn) => spawn.id === operationId)) {
    return queued.length === queueLookAhead ? queueLookAhead : 0
  }
  const order = fairOrder(queued, await countRunningSpawnsByUser(store.db))
  return order.findIndex((spawn) => spawn.id === operationId) + 1
}

function waitingMessage(place: number): string {
  if (place === 1) return 'Waiting for a free place: you are next in line'
  if (place >= queueLookAhead) return `Waiting in line: more than ${queueLookAhead} are before you`
  return `Waiting in line: place ${place}`
}

function toProgressEvent(data: JsonObject): ProgressEvent {
  const { progress, message, html_message } = data
  return {
    ...(typeof progress === 'number' && { progress }),
    message: typeof message === 'string' ? message : '',
    ...(typeof html_message === 'string' && { html_message }),
  }
}
