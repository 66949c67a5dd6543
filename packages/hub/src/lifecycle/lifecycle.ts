import type { Server, User } from '../domain/records.ts'
import type { JsonObject } from '../util/json.ts'

/** An event of the progress stream, in its wire form. Source: contract rest-api §8.8. */
export interface ProgressEvent {
  readonly progress?: number
  readonly message: string
  readonly html_message?: string
  readonly ready?: true
  readonly failed?: true
  readonly url?: string
}

export interface StartRequest {
  readonly user: User
  readonly serverName: string
  /** `undefined` re-uses what was chosen last time. */
  readonly userOptions?: JsonObject | undefined
  readonly displayName?: string | undefined
  /** For the audit record: `user ada`, `service culler`. */
  readonly actor: string
}

export interface StopRequest {
  readonly server: Server
  /** Deletes the named server once it is stopped. */
  readonly remove?: boolean
  readonly actor: string
}

/**
 * Moves servers through their lives. What a method promises is committed before it resolves; the
 * work itself is done by the reconciler, here or in another hub.
 */
export interface Lifecycle {
  /**
   * Requests a start. Answers `pending` when the server is starting already.
   * Fails with `server_already_running`, `server_pending` (stopping), `spawn_throttled`,
   * `active_server_limit`, `named_servers_disabled`, `named_server_limit`, `server_name_invalid`.
   */
  start(request: StartRequest): Promise<{ server: Server; operationId: number }>
  /** Requests a stop, cancels a pending start; nothing to do for a stopped server. */
  stop(request: StopRequest): Promise<{ server: Server; operationId: number | undefined }>
  /**
   * Waits until the server has left `spawning` or `stopping`, or `timeoutMs` have passed.
   * @returns the server as it then is; `undefined` once it is removed
   */
  settled(serverId: number, timeoutMs: number, signal?: AbortSignal): Promise<Server | undefined>
  /** Asks the spawner whether a ready server still runs; cleans up after a dead one. */
  verify(server: Server): Promise<Server>
  /**
   * Progress of the start under way, from its beginning, ending with a ready or failed event.
   * A ready or failed server yields its single last event.
   */
  progress(server: Server, signal: AbortSignal): AsyncIterable<ProgressEvent>
}
