import { buildPath } from './path.ts'
import { type ClientError, fail, type Failure } from './result.ts'

export interface ClientOptions {
  /** The API's address, as in `JUPYTERHUB_API_URL`; in browsers also a path, `/hub/api`. */
  readonly url: string | URL
  /** An API token. Without one, browsers send the login cookie. */
  readonly token?: string | undefined
  /** The page's XSRF token; goes with the login cookie. */
  readonly xsrf?: string | undefined
  /** `globalThis.fetch` by default. */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** Ends everything that this client does. */
  readonly signal?: AbortSignal | undefined
  /** How long an answer may take, 60 s by default: a start waits some seconds by itself. */
  readonly timeoutMs?: number | undefined
  /** Longest answer that is read, 64 MiB by default. */
  readonly maxAnswerBytes?: number | undefined
}

/** What each call may say besides. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
}

/** One request, as text: the typed layer has made it. */
export interface RawRequest {
  readonly method: string
  readonly template: string
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, QueryValue | undefined>>
  /** Sent as JSON unless it is `undefined`. */
  readonly body: unknown
  readonly accept: string
}

export type QueryValue = string | number | boolean

export interface Transport {
  readonly options: ClientOptions
  /**
   * Sends a request. The answer's body has not been read; it, too, ends with the signals.
   * `signal` is what the request runs under, the deadline included.
   */
  send(
    request: RawRequest,
    options: CallOptions,
  ): Promise<{ ok: true; response: Response; signal: AbortSignal } | Failure>
}

const defaultTimeoutMs = 60_000

export function createTransport(options: ClientOptions): Transport {
  const base = baseUrl(options.url)
  const send: Transport['send'] = async (request, call) => {
    const path = buildPath(request.template, request.params)
    if (path === undefined) return fail(unspeakable(request))
    const timeoutMs = call.timeoutMs ?? options.timeoutMs ?? defaultTimeoutMs
    const signals = [options.signal, call.signal, deadline(timeoutMs)]
    const signal = AbortSignal.any(signals.filter((each) => each !== undefined))
    try {
      const response = await (options.fetch ?? globalThis.fetch)(
        `${base}${path}${queryString(request.query)}`,
        {
          method: request.method,
          headers: headersOf(options, request),
          ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
          credentials: options.token === undefined ? 'same-origin' : 'omit',
          redirect: 'manual', // the API never redirects: whoever does is not the hub
          cache: 'no-store',
          signal,
        },
      )
      return { ok: true, response, signal }
    } catch (error) {
      return fail(describeFailure(error, signal))
    }
  }
  return { options, send }
}

/** What made a request or the reading of its answer fail. */
export function describeFailure(error: unknown, signal: AbortSignal): ClientError {
  if (signal.aborted) {
    const reason: unknown = signal.reason
    return reason instanceof DOMException && reason.name === 'TimeoutError'
      ? { kind: 'timeout', message: 'The hub did not answer in time.' }
      : { kind: 'aborted', message: 'The request was aborted.' }
  }
  return {
    kind: 'unreachable',
    message: `The hub could not be reached: ${causeOf(error)}`,
    cause: error,
  }
}

/** No deadline for `Infinity`. */
function deadline(timeoutMs: number): AbortSignal | undefined {
  return Number.isFinite(timeoutMs) ? AbortSignal.timeout(timeoutMs) : undefined
}

function baseUrl(url: string | URL): string {
  const { location } = globalThis as { location?: { href: string } } // browsers have one
  const absolute = new URL(url, location?.href)
  return `${absolute.origin}${absolute.pathname.replace(/\/+$/, '')}`
}

function headersOf(options: ClientOptions, request: RawRequest): Record<string, string> {
  const { token, xsrf } = options
  return {
    Accept: request.accept,
    // Said without a body too: the hub trusts the login cookie on POST for this type alone.
    ...(request.method !== 'GET' && { 'Content-Type': 'application/json' }),
    ...(token !== undefined && { Authorization: `token ${token}` }),
    ...(token === undefined && xsrf !== undefined && { 'X-XSRFToken': xsrf }),
  }
}

function queryString(query: RawRequest['query']): string {
  const given = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) given.set(key, String(value))
  }
  return given.size === 0 ? '' : `?${given.toString()}`
}

function unspeakable(request: RawRequest): ClientError {
  const bad = Object.values(request.params).find((value) => /^\.{0,2}$/.test(value))
  return { kind: 'invalid', message: `'${bad ?? ''}' can be no name in a URL.` }
}

/** Node's fetch says what happened only in the cause. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const { code, message } = cause as { code?: unknown; message?: unknown }
  if (typeof message === 'string' && message !== '') return message
  return typeof code === 'string' ? code : String(cause)
}
