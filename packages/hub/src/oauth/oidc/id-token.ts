import { SignJWT } from 'jose'
import type { OAuthCode } from '../../domain/records.ts'
import { listGroupNamesOf } from '../../storage/access.ts'
import type { Store } from '../../storage/store.ts'
import { findUserById } from '../../storage/users.ts'
import { accessTokenHash, claimsOf } from './claims.ts'
import { signingAlgorithm, type SigningKeys } from './signing-keys.ts'

const lifetimeSeconds = 3600

/** Signs what the client is told of the user who agreed. Source: OpenID Connect Core 1.0 §2. */
export async function createIdToken(
  input: { code: OAuthCode; accessToken: string; issuer: string; now: Date },
  deps: { store: Store; keys: SigningKeys },
): Promise<string | undefined> {
  const { code, accessToken, issuer } = input
  const { store, keys } = deps
  const user = await findUserById(store.db, code.userId)
  if (user === undefined) return undefined
  const groups = (await listGroupNamesOf(store.db, [user.id])).get(user.id) ?? []
  const seconds = Math.floor(input.now.getTime() / 1000)
  const { kid, key } = await keys.current()
  return new SignJWT({
    ...claimsOf({ user, groups, scopes: code.scopes }),
    at_hash: accessTokenHash(accessToken),
    ...(code.nonce !== null && { nonce: code.nonce }),
    ...(code.signedInAt !== null && { auth_time: Math.floor(code.signedInAt.getTime() / 1000) }),
  })
    .setProtectedHeader({ alg: signingAlgorithm, kid, typ: 'JWT' })
    .setIssuer(issuer)
    .setAudience(code.clientId)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + lifetimeSeconds)
    .sign(key)
}
