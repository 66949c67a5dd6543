import { allowsOpenId } from '../domain/identity-scopes.ts'
import type { OAuthClient, OAuthCode } from '../domain/records.ts'
import { holdBrowserSession } from '../storage/browser-sessions.ts'
import { consumeOAuthCode, findOAuthClient, findOAuthCode } from '../storage/oauth.ts'
import type { Store } from '../storage/store.ts'
import { newOAuthSecret } from '../storage/token-hash.ts'
import { createToken } from '../storage/tokens.ts'
import type { BasicCredentials } from './basic-credentials.ts'
import type { ClientAuthenticator } from './client-authentication.ts'
import type { OAuthError } from './errors.ts'
import type { FormFields } from './form.ts'
import { isVerifierOf } from './pkce.ts'

/** The body of a successful exchange. Source: RFC 6749 §5.1; contract rest-api §11.4. */
export interface TokenAnswer {
  readonly access_token: string
  /** Seconds; absent when the token never expires. */
  readonly expires_in?: number
  readonly token_type: 'Bearer'
  /** Raw scopes, separated by spaces. */
  readonly scope: string
  /** Signed statement about the user; of OpenID Connect requests only. */
  readonly id_token?: string
}

export type ExchangeResult =
  | { readonly kind: 'ok'; readonly answer: TokenAnswer }
  | { readonly kind: 'error'; readonly status: 400 | 401; readonly error: OAuthError }
  | { readonly kind: 'throttled'; readonly retryAfterSeconds: number }

export interface ExchangeOptions {
  readonly store: Store
  readonly authenticator: ClientAuthenticator
  readonly address: string
  /** Lifetime of the token; 0 is for ever. */
  readonly tokenExpiresInSeconds: number
  readonly requirePkce: boolean
  /** Client id and secret of an `Authorization: Basic` header. */
  readonly basic?: BasicCredentials | undefined
  /** Makes the ID token of an OpenID Connect request. */
  readonly idTokenFor: (code: OAuthCode, accessToken: string) => Promise<string | undefined>
  readonly now: () => Date
}

const singleParameters = [
  'client_id',
  'client_secret',
  'grant_type',
  'redirect_uri',
  'code',
  'code_verifier',
]
const maxCodeLength = 512

/**
 * Exchanges a code for an access token. Of any number of attempts with one code exactly one
 * succeeds, and a failed one leaves the code as it was.
 * Source: contract single-user-and-services §5.6; RFC 6749 §4.1.3.
 */
export async function exchangeCode(
  form: FormFields | undefined,
  options: ExchangeOptions,
): Promise<ExchangeResult> {
  if (form === undefined) return failed('invalid_request', 'Malformed form.')
  const grantType = form.get('grant_type')
  if (grantType !== 'authorization_code' && grantType !== 'refresh_token') {
    return failed('unsupported_grant_type')
  }
  const value = form.get('code') ?? ''
  if (grantType === 'authorization_code' && form.get('code') === undefined) {
    return failed('invalid_request', 'Missing code parameter.')
  }
  if (grantType === 'refresh_token' && form.get('refresh_token') === undefined) {
    return failed('invalid_request', 'Missing refresh token parameter.')
  }
  const duplicate = singleParameters.find((name) => form.getAll(name).length > 1)
  if (duplicate !== undefined) return failed('invalid_request', `Duplicate ${duplicate} parameter.`)
  const client = await authenticate(form, options)
  if ('kind' in client) return client
  if (grantType === 'refresh_token') return failed('unauthorized_client')
  if (value.length > maxCodeLength) return failed('invalid_grant')
  const code = await findOAuthCode(options.store.db, value, options.now())
  const error =
    code === undefined ? failed('invalid_grant') : checkCode(code, client, form, options)
  if (code === undefined || error !== undefined) return error ?? failed('invalid_grant')
  return issueToken(value, code, options)
}

async function authenticate(
  form: FormFields,
  options: ExchangeOptions,
): Promise<OAuthClient | ExchangeResult> {
  const { clientId, secret, isBasic } = credentialsOf(form, options.basic)
  const client = clientId === '' ? undefined : await findOAuthClient(options.store.db, clientId)
  // In JupyterHub the header plays no part: it counts where OpenID Connect is spoken.
  const isMeant = !isBasic || (client !== undefined && allowsOpenId(client.allowedScopes))
  const result = await options.authenticator.check({
    clientId,
    client,
    secret: isMeant ? secret : '',
    address: options.address,
  })
  if (result.kind === 'throttled') return result
  if (result.kind === 'refused' || client === undefined) {
    return { kind: 'error', status: 401, error: { error: 'invalid_client' } }
  }
  return client
}

function credentialsOf(form: FormFields, basic: BasicCredentials | undefined) {
  const clientId = form.get('client_id')
  const secret = form.get('client_secret')
  const isBasic =
    basic !== undefined && secret === undefined && (clientId ?? basic.clientId) === basic.clientId
  if (isBasic) return { ...basic, isBasic }
  return { clientId: clientId ?? '', secret: secret ?? '', isBasic }
}

function checkCode(
  code: OAuthCode,
  client: OAuthClient,
  form: FormFields,
  options: Pick<ExchangeOptions, 'requirePkce'>,
): ExchangeResult | undefined {
  if (code.clientId !== client.id) return failed('invalid_grant')
  const verifier = form.get('code_verifier')
  if (code.codeChallenge !== null) {
    if (verifier === undefined) return failed('invalid_request', 'Code verifier required.')
    const method = code.codeChallengeMethod ?? 'plain'
    if (!isVerifierOf(verifier, { challenge: code.codeChallenge, method })) {
      return failed('invalid_grant')
    }
  } else if (options.requirePkce) {
    if (verifier === undefined) return failed('invalid_request', 'Code verifier required.')
    return failed('invalid_grant', 'Challenge not found')
  }
  const redirectUri = form.get('redirect_uri')
  if (redirectUri !== undefined && redirectUri !== code.redirectUri) {
    return failed('invalid_request', 'Mismatching redirect URI.')
  }
  return undefined
}

async function issueToken(
  value: string,
  code: OAuthCode,
  options: ExchangeOptions,
): Promise<ExchangeResult> {
  const { store, tokenExpiresInSeconds: lifetime } = options
  const now = options.now()
  const accessToken = newOAuthSecret()
  const idToken = code.scopes.includes('openid')
    ? await options.idTokenFor(code, accessToken)
    : undefined
  const issued = await store.write(async (transaction) => {
    const session = { id: code.sessionId, userId: code.userId, now }
    // After a log-out nothing is given out any more for the session that it ended.
    if (!(await holdBrowserSession(transaction, session))) return false
    if (!(await consumeOAuthCode(transaction, value))) return false
    await createToken(
      transaction,
      {
        value: accessToken,
        owner: { kind: 'user', id: code.userId },
        scopes: code.scopes,
        note: '',
        clientId: code.clientId,
        sessionId: code.sessionId,
        expiresAt: lifetime > 0 ? new Date(now.getTime() + lifetime * 1000) : null,
      },
      now,
    )
    return true
  })
  if (!issued) return failed('invalid_grant')
  return {
    kind: 'ok',
    answer: {
      access_token: accessToken,
      ...(lifetime > 0 && { expires_in: lifetime }),
      token_type: 'Bearer',
      scope: code.scopes.join(' '),
      ...(idToken !== undefined && { id_token: idToken }),
    },
  }
}

function failed(error: OAuthError['error'], description?: string): ExchangeResult {
  return {
    kind: 'error',
    status: 400,
    error: description === undefined ? { error } : { error, description },
  }
}
