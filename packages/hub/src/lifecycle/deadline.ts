import { HubError } from '../domain/errors.ts'

/** Why a wait was given up. */
export class DeadlineExceeded extends Error {
  constructor(what: string, timeoutMs: number) {
    super(`${what} took longer than ${Math.round(timeoutMs / 100) / 10} s`)
    this.name = 'DeadlineExceeded'
  }
}

/**
 * Runs `work` with a signal that aborts after `timeoutMs` or with `parent`, and stops waiting for it
 * then: work that ignores its signal, such as a hanging plugin, holds nobody up.
 */
export async function withDeadline<T>(
  options: { what: string; timeoutMs: number; parent?: AbortSignal | undefined },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { what, timeoutMs, parent } = options
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(new DeadlineExceeded(what, timeoutMs)), timeoutMs)
  const forward = () => controller.abort(parent?.reason)
  parent?.addEventListener('abort', forward, { once: true })
  if (parent?.aborted === true) forward()
  const { signal } = controller
  const aborted = new Promise<never>((_, reject) => {
    const fail = () => reject(reasonOf(signal))
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail, { once: true })
  })
  const running = Promise.resolve().then(() => {
    signal.throwIfAborted()
    return work(signal)
  })
  running.catch(() => undefined) // when the deadline wins, nobody else waits for this one
  aborted.catch(() => undefined) // likewise, when the work wins
  try {
    return await Promise.race([running, aborted])
  } finally {
    clearTimeout(timer)
    parent?.removeEventListener('abort', forward)
  }
}

function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason
  return reason instanceof Error ? reason : new HubError('internal', { cause: reason })
}
