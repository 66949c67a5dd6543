/**
 * What a call gives. Whatever can be expected to go wrong is a value; only mistakes in the calling
 * program throw.
 */
export type Result<T> = Success<T> | Failure

export interface Success<T> {
  readonly ok: true
  readonly value: T
  /** HTTP status. */
  readonly status: number
}

export interface Failure {
  readonly ok: false
  readonly error: ClientError
}

/** Why a call failed. `message` is for people. */
export type ClientError =
  /** The hub said no. `message` is its own text. */
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly message: string
      /** From `Retry-After`. */
      readonly retryAfterMs?: number
    }
  /** A server did not come up, or its start was cancelled. */
  | { readonly kind: 'spawn_failed'; readonly message: string }
  /** No answer: no connection, or it broke. */
  | { readonly kind: 'unreachable'; readonly message: string; readonly cause?: unknown }
  /** The deadline has passed. What was asked for may happen nevertheless. */
  | { readonly kind: 'timeout'; readonly message: string }
  /** The caller's signal was aborted. */
  | { readonly kind: 'aborted'; readonly message: string }
  /** The answer is not one of a hub, or too long. */
  | { readonly kind: 'malformed'; readonly message: string; readonly status: number }
  /** Nothing was sent: a name that no URL can hold. */
  | { readonly kind: 'invalid'; readonly message: string }

/** For programs that prefer exceptions: see {@link unwrap}. */
export class HubRequestError extends Error {
  readonly reason: ClientError

  constructor(reason: ClientError) {
    super(reason.message)
    this.name = 'HubRequestError'
    this.reason = reason
  }
}

/** The value of a success. @throws HubRequestError with the reason of a failure */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw new HubRequestError(result.error)
}

export function succeed<T>(value: T, status: number): Success<T> {
  return { ok: true, value, status }
}

export function fail(error: ClientError): Failure {
  return { ok: false, error }
}
