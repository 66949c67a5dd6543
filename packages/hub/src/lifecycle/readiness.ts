import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'

/** Longest pause between two questions. Source: contract single-user-and-services §3.1, step 10. */
const maxPauseMs = 5_000
const firstPauseMs = 100
const answerTimeoutMs = 5_000

/**
 * Resolves once the server answers `GET <url>` with any status below 500; redirects are not
 * followed. Rejects when `signal` aborts, with the signal's reason.
 */
export async function untilResponding(url: URL, signal: AbortSignal): Promise<void> {
  for (let limitMs = firstPauseMs; ; limitMs = Math.min(limitMs * 2, maxPauseMs)) {
    signal.throwIfAborted()
    if (await isResponding(url, signal)) return
    await delay(limitMs / 2 + (Math.random() * limitMs) / 2, undefined, { signal })
  }
}

async function isResponding(url: URL, signal: AbortSignal): Promise<boolean> {
  try {
    const answer = await request(url, {
      signal,
      headersTimeout: answerTimeoutMs,
      bodyTimeout: answerTimeoutMs,
      headers: { connection: 'close' },
    })
    await answer.body.dump({ limit: 1_048_576 })
    return answer.statusCode < 500
  } catch {
    return false // not listening yet, or resetting: ask again
  }
}
