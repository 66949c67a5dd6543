import type { OAuthClient } from '../domain/records.ts'
import type { OAuthError } from './errors.ts'
import { encodeField, type FormFields } from './form.ts'
import { type CodeChallenge, maxChallengeLength, toChallengeMethod } from './pkce.ts'

/** A well-formed request for a code. */
export interface AuthorizeRequest {
  readonly client: OAuthClient
  /** The registered one. */
  readonly redirectUri: string
  /** `state` as it stood in the query, still percent-encoded; `undefined` when absent. */
  readonly rawState: string | undefined
  /** `undefined` when absent: whatever the client may have. */
  readonly scopes: readonly string[] | undefined
  readonly challenge: CodeChallenge | undefined
}

/** Only after the redirect URI is known to be the client's own may the browser be sent there. */
export type AuthorizeCheck =
  | { readonly kind: 'ok'; readonly request: AuthorizeRequest }
  | { readonly kind: 'refused'; readonly message: string }
  | {
      readonly kind: 'redirect'
      readonly redirectUri: string
      readonly rawState: string | undefined
      readonly error: OAuthError
    }

/** Source: contract single-user-and-services §5.2; the last two are ours, RFC 6749 §3.1. */
const singleParameters = [
  'client_id',
  'response_type',
  'redirect_uri',
  'scope',
  'state',
  'code_challenge',
  'code_challenge_method',
]
const maxScopes = 500

export interface AuthorizeCheckOptions {
  /** Looks a client up by its id. */
  readonly findClient: (id: string) => Promise<OAuthClient | undefined>
  /** `oauth_require_pkce` */
  readonly requirePkce: boolean
}

/**
 * Checks everything about an authorization request that does not depend on the user, in the
 * order of the reference.
 * Source: contract single-user-and-services §5.2.
 */
export async function checkAuthorizeRequest(
  query: FormFields | undefined,
  options: AuthorizeCheckOptions,
): Promise<AuthorizeCheck> {
  if (query === undefined) return refused('Malformed query.')
  const duplicate = singleParameters.find((name) => query.getAll(name).length > 1)
  if (duplicate !== undefined) return refused(`Duplicate ${duplicate} parameter.`)
  const clientId = query.get('client_id') ?? ''
  if (clientId === '') return refused('Missing client_id parameter.')
  const client = await options.findClient(clientId)
  if (client === undefined || client.secretHash === '') {
    return refused('Invalid client_id parameter value.')
  }
  const redirectUri = query.get('redirect_uri') ?? client.redirectUri
  if (!isRedirectUri(redirectUri)) return refused('Invalid redirect URI.')
  if (redirectUri !== client.redirectUri) return refused('Mismatching redirect URI.')
  const rawState = query.getRaw('state') || undefined
  const checked = checkGrant(query, options)
  if ('error' in checked) return { kind: 'redirect', redirectUri, rawState, error: checked }
  return { kind: 'ok', request: { client, redirectUri, rawState, ...checked } }
}

function checkGrant(
  query: FormFields,
  options: AuthorizeCheckOptions,
): OAuthError | Pick<AuthorizeRequest, 'scopes' | 'challenge'> {
  const responseType = query.get('response_type')
  if (responseType === undefined) return invalidRequest('Missing response_type parameter.')
  if (responseType !== 'code') return { error: 'unsupported_response_type' }
  const challenge = checkChallenge(query, options.requirePkce)
  if (challenge !== undefined && 'error' in challenge) return challenge
  const scopes = query
    .get('scope')
    ?.split(/\s+/)
    .filter((scope) => scope !== '')
  // Observed: JupyterHub 6.1, an empty scope parameter is an unknown scope.
  if (scopes !== undefined && (scopes.length === 0 || scopes.length > maxScopes)) {
    return { error: 'invalid_scope' }
  }
  return { challenge, scopes }
}

function checkChallenge(
  query: FormFields,
  requirePkce: boolean,
): OAuthError | CodeChallenge | undefined {
  const challenge = query.get('code_challenge') ?? ''
  if (challenge === '') return requirePkce ? invalidRequest('Code challenge required.') : undefined
  const method = toChallengeMethod(query.get('code_challenge_method') ?? 'plain')
  if (method === undefined) return invalidRequest('Transform algorithm not supported.')
  if (challenge.length > maxChallengeLength) return invalidRequest('Invalid code challenge.')
  return { challenge, method }
}

/** The client's redirect URI with the answer in its query, `state` echoed byte for byte. */
export function redirectWith(
  target: { readonly redirectUri: string; readonly rawState: string | undefined },
  fields: readonly (readonly [name: string, value: string])[],
): string {
  const { redirectUri, rawState } = target
  const parts = fields.map(([name, value]) => `${name}=${encodeField(value)}`)
  if (rawState !== undefined) parts.push(`state=${toHeaderSafe(rawState)}`)
  return `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${parts.join('&')}`
}

/** Where the browser goes when the client is told of an error. */
export function errorRedirect(
  target: { readonly redirectUri: string; readonly rawState: string | undefined },
  error: OAuthError,
): string {
  const { description } = error
  return redirectWith(target, [
    ['error', error.error],
    ...(description === undefined ? [] : [['error_description', description] as const]),
  ])
}

/** A path of this host, or an absolute URI without fragment. */
function isRedirectUri(uri: string): boolean {
  return uri.startsWith('/') || /^[a-z][a-z0-9+.-]*:[^#]+$/i.test(uri)
}

/** Raw bytes of a query that no header may carry become escapes of the same bytes. */
function toHeaderSafe(raw: string): string {
  return raw.replace(/[^\x21-\x7e]|["<>\\^`{|}#]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    // Node hands over request lines byte by byte, so up to 255 a character is a byte.
    if (code > 0xff) return encodeURIComponent(character)
    return `%${code.toString(16).toUpperCase().padStart(2, '0')}`
  })
}

function invalidRequest(description: string): OAuthError {
  return { error: 'invalid_request', description }
}

function refused(message: string): AuthorizeCheck {
  return { kind: 'refused', message }
}
