import { readAnswer } from './answer.ts'
import { type OperationId, sendOperation } from './call.ts'
import { EventStreamError, EventStreamParser } from './event-stream.ts'
import type { ProgressEvent } from './generated.ts'
import { ReplayFilter } from './replay-filter.ts'
import type { ClientError } from './result.ts'
import { byName, type ServerRef } from './server-ref.ts'
import { type CallOptions, describeFailure, type Transport } from './transport.ts'

/** What a start tells. The last one is `ready`, `failed` or `lost`. */
export type ServerEvent =
  | {
      readonly kind: 'progress'
      /** 0 to 100, where the spawner knows. */
      readonly progress: number | undefined
      readonly message: string
      readonly htmlMessage: string | undefined
    }
  /** The server accepts traffic at this path. */
  | { readonly kind: 'ready'; readonly url: string; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string; readonly htmlMessage: string | undefined }
  /** The stream cannot be followed (any more); the start may go on. */
  | { readonly kind: 'lost'; readonly error: ClientError }

export interface ProgressOptions extends CallOptions {
  /** How long to follow, reconnecting included; 15 min by default. */
  readonly timeoutMs?: number | undefined
  /** A connection this long without a byte is dead: hubs send one every 8 s. 30 s by default. */
  readonly silenceMs?: number | undefined
}

type Ending =
  | { readonly kind: 'done' }
  /** Worth another try. */
  | { readonly kind: 'dropped'; readonly error: ClientError; readonly retryAfterMs?: number }
  | { readonly kind: 'over'; readonly error: ClientError }

const defaultTimeoutMs = 15 * 60_000
const defaultSilenceMs = 30_000
const firstPauseMs = 200
const maxPauseMs = 5_000
/** A hub that restarts is back within these; an address that never answered is given up sooner. */
const maxDrops = 20
const maxDropsAtFirst = 3

/**
 * Follows the start of a server over as many connections as it takes. The hub tells a start from its
 * beginning each time; what was told before is not repeated.
 */
export async function* followProgress(
  transport: Transport,
  server: ServerRef,
  options: ProgressOptions = {},
): AsyncGenerator<ServerEvent, void, void> {
  const { signal, timeoutMs = defaultTimeoutMs, silenceMs = defaultSilenceMs } = options
  const deadline = AbortSignal.timeout(timeoutMs)
  const outer = [transport.options.signal, signal].filter((each) => each !== undefined)
  const ends = AbortSignal.any([...outer, deadline])
  const filter = new ReplayFilter()
  for (let drops = 0; ; ) {
    filter.restart()
    const before = filter.size
    const ending = yield* readOnce(transport, server, { ends, silenceMs, filter })
    if (ending.kind === 'done') return
    if (filter.size > before) drops = 0
    drops++
    const isOver = ending.kind === 'over' || ends.aborted
    if (isOver || drops >= (filter.size > 0 ? maxDrops : maxDropsAtFirst)) {
      const error = ends.aborted ? describeFailure(undefined, ends) : ending.error
      yield { kind: 'lost', error }
      return
    }
    await pause(ending.retryAfterMs ?? firstPauseMs * 2 ** (drops - 1), ends)
  }
}

interface Reading {
  readonly ends: AbortSignal
  readonly silenceMs: number
  readonly filter: ReplayFilter
}

/** One connection. Whoever stops listening closes it. */
async function* readOnce(
  transport: Transport,
  server: ServerRef,
  { ends, silenceMs, filter }: Reading,
): AsyncGenerator<ServerEvent, Ending, void> {
  const connection = new AbortController()
  const silence = new Silence(connection, silenceMs)
  try {
    const sent = await sendOperation(transport, progressOf(server), {
      request: { params: byName(server) },
      accept: 'text/event-stream, application/json',
      options: { signal: AbortSignal.any([ends, connection.signal]), timeoutMs: Infinity },
    })
    if (!sent.ok) return judge(sent.error)
    const { response, signal } = sent
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream')
    if (response.status !== 200 || isStream !== true || response.body === null) {
      const answer = await readAnswer(response, { signal, maxBytes: 65_536 })
      if (!answer.ok) return judge(answer.error)
      const { status } = response
      const message = 'The answer is no event stream: this is not a hub.'
      return { kind: 'over', error: { kind: 'malformed', message, status } }
    }
    return yield* readEvents(response.body, { filter, silence, signal })
  } finally {
    silence.end()
    connection.abort()
  }
}

async function* readEvents(
  body: ReadableStream<Uint8Array>,
  { filter, silence, signal }: { filter: ReplayFilter; silence: Silence; signal: AbortSignal },
): AsyncGenerator<ServerEvent, Ending, void> {
  const reader = body.getReader()
  const parser = new EventStreamParser()
  for (;;) {
    let texts: readonly string[]
    try {
      const { done, value } = await reader.read()
      if (done) {
        const message = 'The hub closed the stream before the start was over.'
        return { kind: 'dropped', error: { kind: 'unreachable', message } }
      }
      silence.restart()
      texts = parser.push(value)
    } catch (error) {
      if (error instanceof EventStreamError) return notAnEvent(error.message)
      return judge(describeFailure(error, signal))
    }
    for (const text of texts) {
      const event = toServerEvent(text)
      if (event === undefined) return notAnEvent('an event is not what the API describes')
      if (event.kind !== 'progress') {
        yield event
        return { kind: 'done' }
      }
      if (!filter.hasHad(text)) yield event
    }
  }
}

/** Which failures another connection may mend. */
function judge(error: ClientError): Ending {
  if (error.kind === 'unreachable' || error.kind === 'timeout') return { kind: 'dropped', error }
  if (error.kind === 'refused' && (error.status === 429 || error.status >= 500)) {
    const { retryAfterMs } = error
    return { kind: 'dropped', error, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  }
  return { kind: 'over', error }
}

function notAnEvent(what: string): Ending {
  return {
    kind: 'over',
    error: { kind: 'malformed', message: `In the stream ${what}.`, status: 200 },
  }
}

/** Source: contract rest-api §8.8, events. */
function toServerEvent(text: string): ServerEvent | undefined {
  const event = parseObject(text)
  if (typeof event?.message !== 'string') return undefined
  const { message, url, html_message: html } = event
  const htmlMessage = typeof html === 'string' ? html : undefined
  if (event.ready === true)
    return { kind: 'ready', message, url: typeof url === 'string' ? url : '' }
  if (event.failed === true) return { kind: 'failed', message, htmlMessage }
  const progress = typeof event.progress === 'number' ? event.progress : undefined
  return { kind: 'progress', progress, message, htmlMessage }
}

/** Spawners of third parties have a say in these: no field is taken for granted. */
function parseObject(text: string): { readonly [K in keyof ProgressEvent]?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function progressOf({ server = '' }: ServerRef): OperationId & `follow${string}` {
  return server === '' ? 'followDefaultServerProgress' : 'followServerProgress'
}

/** Ends a connection on which nothing arrives. */
class Silence {
  readonly #connection: AbortController
  readonly #afterMs: number
  #timer: ReturnType<typeof setTimeout>

  constructor(connection: AbortController, afterMs: number) {
    this.#connection = connection
    this.#afterMs = afterMs
    this.#timer = this.#start()
  }

  restart(): void {
    clearTimeout(this.#timer)
    this.#timer = this.#start()
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  #start() {
    const reason = new DOMException('nothing arrived', 'TimeoutError')
    return setTimeout(() => this.#connection.abort(reason), this.#afterMs)
  }
}

/** Ends early, without failing, when the signal is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const finish = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, Math.min(ms, maxPauseMs))
    signal.addEventListener('abort', finish, { once: true })
  })
}
