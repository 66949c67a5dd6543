import type { Token } from '../../domain/records.ts'
import { toWireTime, toWireTimeOrNull } from '../timestamps.ts'
import type { TokenModel } from './schemas.ts'

export function viewToken(token: Token, scopes: readonly string[]): TokenModel {
  const { owner } = token
  return {
    ...(owner.kind === 'user' ? { user: owner.name } : { service: owner.name }),
    id: toWireTokenId(token.id),
    kind: 'api_token',
    roles: [],
    scopes: [...scopes],
    created: toWireTime(token.createdAt),
    last_activity: toWireTimeOrNull(token.lastActivityAt),
    expires_at: toWireTimeOrNull(token.expiresAt),
    note: token.note,
    session_id: token.sessionId,
    oauth_client: token.clientDescription === '' ? token.clientId : token.clientDescription,
  }
}

export function toWireTokenId(id: number): string {
  return `a${id}`
}

/** The number of `a17`; `undefined` for any other text. */
export function parseWireTokenId(text: string): number | undefined {
  const digits = /^a(\d{1,15})$/.exec(text)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
