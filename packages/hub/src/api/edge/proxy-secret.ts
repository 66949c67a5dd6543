import { createHash, timingSafeEqual } from 'node:crypto'

/** Secrets told at run time that are remembered; the configured one always is. */
const maxAdded = 4

/** What edges present to subscribe. */
export interface ProxySecret {
  accepts(token: string): boolean
  /** Serves edges with this secret as well, for as long as the process runs. */
  add(token: string): void
}

/** @param configured - `proxy.auth_token`; `''` accepts nobody. */
export function createProxySecret(configured: string): ProxySecret {
  const first = sha256(configured)
  let added: readonly Buffer[] = []
  return {
    accepts(token) {
      if (token === '') return false
      const hash = sha256(token)
      return [first, ...added].some((known) => timingSafeEqual(hash, known))
    },
    add(token) {
      added = [sha256(token), ...added].slice(0, maxAdded)
    },
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
