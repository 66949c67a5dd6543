import type { Call } from '../call.ts'
import type { Token } from '../generated.ts'
import { type Result, succeed } from '../result.ts'
import type { CallOptions } from '../transport.ts'

export interface NewTokenOptions {
  /** What the token is for. */
  readonly note?: string | undefined
  /** As long as the hub allows, for ever where it does, when left out. */
  readonly lifetimeMs?: number | undefined
  /** Without scopes, everything that the owner may do. */
  readonly scopes?: readonly string[] | undefined
}

export function createTokensResource(call: Call) {
  return {
    /** By last use. Values are never shown again. */
    list: async (user: string, options?: CallOptions): Promise<Result<readonly Token[]>> => {
      const result = await call('listTokens', { params: { name: user } }, options)
      return result.ok ? succeed(result.value.api_tokens, result.status) : result
    },
    get: (user: string, id: string, options?: CallOptions) =>
      call('getToken', { params: { name: user, token_id: id } }, options),
    /** The answer has the value, this once. */
    create: (user: string, token: NewTokenOptions = {}, options?: CallOptions) => {
      const { note, lifetimeMs, scopes } = token
      const expires_in =
        lifetimeMs === undefined ? undefined : Math.max(1, Math.round(lifetimeMs / 1000))
      return call(
        'createToken',
        { params: { name: user }, body: { note, scopes, expires_in } },
        options,
      )
    },
    /** A token of an OAuth client takes the user's other tokens of it along. */
    revoke: (user: string, id: string, options?: CallOptions) =>
      call('deleteToken', { params: { name: user, token_id: id } }, options),
  }
}
