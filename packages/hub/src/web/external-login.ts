import type { Authenticator } from '../plugin-api/authenticator.ts'

/** Where an authenticator without a form begins; `undefined` for the others. */
export function externalLoginUrl(
  authenticator: Authenticator,
  hubPrefix: string,
  next: string,
): string | undefined {
  const url = authenticator.loginUrl?.(hubPrefix)
  if (url === undefined || next === '') return url
  return `${url}${url.includes('?') ? '&' : '?'}next=${encodeURIComponent(next)}`
}
