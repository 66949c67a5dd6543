import type { SessionConfig } from './session-config.ts'
import { readSignedValue, signValue } from './signed-value.ts'

const dayMs = 86_400_000

/** What a login cookie says. */
export interface LoginCookie {
  /** The user's; replaced when all of the user's log-ins shall end. */
  readonly cookieId: string
  /** Browser session that it belongs to, and ends with. */
  readonly sessionId: string
}

type Signing = Pick<SessionConfig, 'cookieSecret' | 'cookieMaxAgeDays'> & {
  /** Name of the cookie. */
  readonly name: string
  readonly now: Date
}

/**
 * Value of a login cookie: cookie id and session id, signed. Differs from JupyterHub, which signs
 * the cookie id alone: a copied cookie then outlives the log-out.
 * Source: contract single-user-and-services §6.1 (the signature).
 */
export function signLogin(login: LoginCookie, signing: Omit<Signing, 'cookieMaxAgeDays'>): string {
  const { cookieSecret: secret, name, now } = signing
  return signValue(`${login.cookieId}:${login.sessionId}`, { secret, name, now })
}

/** Those of several cookies of one name that are genuine and not too old, in the order sent. */
export function readLogins(values: readonly string[], signing: Signing): LoginCookie[] {
  const { cookieSecret: secret, name, now } = signing
  const maxAgeMs = signing.cookieMaxAgeDays * dayMs
  return values.flatMap((value) => {
    const text = readSignedValue(value, { secret, name, now, maxAgeMs })
    const [, cookieId, sessionId] = /^([^:]+):([\w-]+)$/.exec(text ?? '') ?? []
    return cookieId === undefined || sessionId === undefined ? [] : [{ cookieId, sessionId }]
  })
}
