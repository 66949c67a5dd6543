import type { Call } from '../call.ts'
import type { Server, ServerEdit, ServerStart } from '../generated.ts'
import { followProgress, pause, type ProgressOptions, type ServerEvent } from '../progress.ts'
import { type ClientError, fail, type Result, succeed } from '../result.ts'
import { byName, type ServerRef } from '../server-ref.ts'
import { type CallOptions, describeFailure, type Transport } from '../transport.ts'

export interface StopOptions extends CallOptions {
  /** Delete the named server too, with its options and shares, once it has stopped. */
  readonly remove?: boolean | undefined
}

export interface StartAndWaitOptions extends ProgressOptions {
  readonly body?: ServerStart | undefined
  /** Told of every event of the start, the last one included. */
  readonly onEvent?: ((event: ServerEvent) => void) | undefined
}

const stopPollMs = 500
const defaultStopTimeoutMs = 5 * 60_000

export function createServersResource(call: Call, transport: Transport) {
  const get = (server: ServerRef, options?: CallOptions): Promise<Result<Server>> =>
    call(isDefault(server) ? 'getDefaultServer' : 'getServer', { params: byName(server) }, options)

  /** `starting` when it takes longer: follow it with `progress`. */
  const start = async (server: ServerRef, body: ServerStart = {}, options?: CallOptions) => {
    const id = isDefault(server) ? 'startDefaultServer' : 'startServer'
    const result = await call(id, { params: byName(server), body }, options)
    if (!result.ok) return result
    return succeed(
      result.status === 201 ? ('ready' as const) : ('starting' as const),
      result.status,
    )
  }

  /** `stopping` when it takes longer: `get` tells. Cancels a start. */
  const stop = async (server: ServerRef, { remove, ...options }: StopOptions = {}) => {
    const id = isDefault(server) ? 'stopDefaultServer' : 'stopServer'
    const body = remove === true ? { remove } : undefined
    const result = await call(id, { params: byName(server), body }, options)
    if (!result.ok) return result
    return succeed(
      result.status === 204 ? ('stopped' as const) : ('stopping' as const),
      result.status,
    )
  }

  const progress = (server: ServerRef, options?: ProgressOptions) =>
    followProgress(transport, server, options)

  /** Starts the server, unless it runs, and waits until it is ready. */
  const startAndWait = async (
    server: ServerRef,
    options: StartAndWaitOptions = {},
  ): Promise<Result<Server>> => {
    const { body, onEvent, ...following } = options
    const { signal } = following
    const started = await start(server, body, { signal })
    if (!started.ok)
      return isRunning(started.error) ? readyOr(started, server, { signal }) : started
    if (started.value === 'ready') return get(server, { signal })
    for await (const event of progress(server, following)) {
      onEvent?.(event)
      if (event.kind === 'ready') return get(server, { signal })
      if (event.kind === 'failed') return fail({ kind: 'spawn_failed', message: event.message })
      if (event.kind === 'lost') return fail(event.error)
    }
    return fail({ kind: 'aborted', message: 'The start was not followed to its end.' })
  }

  /** The hub refuses to start what runs; for somebody who wants it to run, that is fine. */
  const readyOr = async (refusal: Result<Server>, server: ServerRef, options: CallOptions) => {
    const found = await get(server, options)
    return found.ok && found.value.ready ? found : refusal
  }

  /** Stops the server and waits until nothing of it runs; 5 min by default. */
  const stopAndWait = async (
    server: ServerRef,
    { timeoutMs = defaultStopTimeoutMs, signal, remove }: StopOptions = {},
  ): Promise<Result<'stopped'>> => {
    const outer = [transport.options.signal, signal].filter((each) => each !== undefined)
    const ends = AbortSignal.any([...outer, AbortSignal.timeout(timeoutMs)])
    const stopped = await stop(server, { signal: ends, remove })
    if (!stopped.ok) return stopped
    for (let isDone = stopped.value === 'stopped'; !isDone; ) {
      await pause(stopPollMs, ends)
      if (ends.aborted) return fail(describeFailure(undefined, ends))
      const found = await get(server, { signal: ends })
      const isGone = !found.ok && found.error.kind === 'refused' && found.error.status === 404
      if (!found.ok && !isGone) return found
      isDone = isGone || (found.ok && found.value.stopped && remove !== true)
    }
    return succeed('stopped', 204)
  }

  return {
    get,
    /** Creates a named server without starting it. */
    create: (server: ServerRef, body: ServerStart = {}, options?: CallOptions) =>
      call(
        isDefault(server) ? 'createDefaultServer' : 'createServer',
        { params: byName(server), body },
        options,
      ),
    start,
    startAndWait,
    stop,
    stopAndWait,
    /** Stops a named server and deletes it. */
    remove: (server: ServerRef, options?: CallOptions) =>
      stop(server, { ...options, remove: true }),
    /** Renames a stopped server, or changes what it will start with. */
    edit: (server: ServerRef, body: ServerEdit, options?: CallOptions) =>
      call(
        isDefault(server) ? 'updateDefaultServer' : 'updateServer',
        { params: byName(server), body },
        options,
      ),
    /** The events of a start, over dropped connections; see {@link ServerEvent}. */
    progress,
  }
}

function isDefault({ server = '' }: ServerRef): boolean {
  return server === ''
}

function isRunning(error: ClientError): boolean {
  return error.kind === 'refused' && error.status === 400
}
