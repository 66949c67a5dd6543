import { allowsOpenId } from '../../domain/identity-scopes.ts'
import type { OAuthClient } from '../../domain/records.ts'
import type { OAuthError } from '../errors.ts'
import type { FormFields } from '../form.ts'

/** What an OpenID Connect request says beyond OAuth 2. */
export interface AuthenticationRequest {
  readonly nonce: string | null
  /** Nothing may be shown: the answer is a code or an error. */
  readonly silent: boolean
  /** The user shall be asked though everything was agreed to before. */
  readonly askAgain: boolean
  /** Longest time since the user signed in; `undefined` is any. */
  readonly maxAgeSeconds: number | undefined
}

const maxNonceLength = 512
const prompts = ['none', 'login', 'consent', 'select_account']

/** Whether the request is one of OpenID Connect, of a client that may make such. */
export function isAuthenticationRequest(
  scopes: readonly string[] | undefined,
  client: OAuthClient,
): boolean {
  return scopes?.includes('openid') === true && allowsOpenId(client.allowedScopes)
}

/** Source: OpenID Connect Core 1.0 §3.1.2.1, §3.1.2.6. */
export function readAuthenticationRequest(query: FormFields): AuthenticationRequest | OAuthError {
  const duplicate = ['nonce', 'prompt', 'max_age'].find((name) => query.getAll(name).length > 1)
  if (duplicate !== undefined) return invalid(`Duplicate ${duplicate} parameter.`)
  if (query.get('request') !== undefined) return { error: 'request_not_supported' }
  if (query.get('request_uri') !== undefined) return { error: 'request_uri_not_supported' }
  if ((query.get('response_mode') ?? 'query') !== 'query') {
    return invalid('Unsupported response_mode.')
  }
  const nonce = query.get('nonce') ?? null
  if (nonce !== null && nonce.length > maxNonceLength) return invalid('The nonce is too long.')
  const prompt = (query.get('prompt') ?? '').split(' ').filter((word) => word !== '')
  if (prompt.some((word) => !prompts.includes(word))) return invalid('Unknown prompt.')
  if (prompt.includes('none') && prompt.length > 1) return invalid('prompt=none stands alone.')
  const maxAge = query.get('max_age')
  if (maxAge !== undefined && !/^\d{1,9}$/.test(maxAge)) return invalid('Malformed max_age.')
  // Signing in again is not something a page of the hub can ask of who is signed in.
  if (prompt.includes('login')) return { error: 'login_required' }
  if (prompt.includes('select_account')) return { error: 'account_selection_required' }
  return {
    nonce,
    silent: prompt.includes('none'),
    askAgain: prompt.includes('consent'),
    maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge),
  }
}

/** Whether the user signed in too long ago for this request. */
export function isTooOld(
  { maxAgeSeconds }: AuthenticationRequest,
  signedInAt: Date | undefined,
  now: Date,
): boolean {
  if (maxAgeSeconds === undefined) return false
  return signedInAt === undefined || now.getTime() - signedInAt.getTime() > maxAgeSeconds * 1000
}

function invalid(description: string): OAuthError {
  return { error: 'invalid_request', description }
}
