import { setTimeout as delay } from 'node:timers/promises'
import { type Dispatcher, request } from 'undici'

/** Longest pause between two questions. Source: contract single-user-and-services §3.1, step 10. */
const maxPauseMs = 5_000
const firstPauseMs = 100
const answerTimeoutMs = 5_000

/** What a server's first answer says of it. */
export interface Readiness {
  /** Header `X-JupyterHub-Version`; `null` for an application that is no JupyterHub server. */
  readonly jupyterhubVersion: string | null
}

/**
 * Resolves once the server answers `GET <url>` with any status below 500; redirects are not
 * followed. Rejects when `signal` aborts, with the signal's reason.
 * @param dispatcher - connects to servers that ask for a certificate.
 */
export async function untilResponding(
  url: URL,
  signal: AbortSignal,
  dispatcher?: Dispatcher,
): Promise<Readiness> {
  for (let limitMs = firstPauseMs; ; limitMs = Math.min(limitMs * 2, maxPauseMs)) {
    signal.throwIfAborted()
    const readiness = await ask(url, signal, dispatcher)
    if (readiness !== undefined) return readiness
    await delay(limitMs / 2 + (Math.random() * limitMs) / 2, undefined, { signal })
  }
}

async function ask(
  url: URL,
  signal: AbortSignal,
  dispatcher: Dispatcher | undefined,
): Promise<Readiness | undefined> {
  try {
    const answer = await request(url, {
      signal,
      ...(dispatcher !== undefined && { dispatcher }),
      headersTimeout: answerTimeoutMs,
      bodyTimeout: answerTimeoutMs,
      headers: { connection: 'close' },
    })
    await answer.body.dump({ limit: 1_048_576 })
    if (answer.statusCode >= 500) return undefined
    return { jupyterhubVersion: versionOf(answer.headers['x-jupyterhub-version']) }
  } catch {
    return undefined // not listening yet, or resetting: ask again
  }
}

/** A version is short and plain; anything else counts as none. */
function versionOf(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && /^[\w.+!-]{1,64}$/.test(header) ? header : null
}
