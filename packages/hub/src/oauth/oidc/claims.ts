import { createHash } from 'node:crypto'
import type { User } from '../../domain/records.ts'
import type { Json, JsonObject } from '../../util/json.ts'

export interface ClaimSources {
  readonly user: User
  readonly groups: readonly string[]
  /** Scopes granted; each brings its claims. */
  readonly scopes: readonly string[]
}

/** Claims that `user_info` holds under other names. Source: OpenID Connect Core 1.0 §5.1. */
const profileClaims = {
  name: ['display_name', 'name'],
  picture: ['avatar_url', 'picture'],
  given_name: ['given_name'],
  family_name: ['family_name'],
  locale: ['locale'],
} as const satisfies Record<string, readonly string[]>

export const supportedClaims = [
  'sub',
  'preferred_username',
  ...Object.keys(profileClaims),
  'email',
  'email_verified',
  'groups',
]

/**
 * Names a user for ever: it survives a rename, never passes to whoever takes the name next, and is
 * another in another database.
 */
export function subjectOf(user: Pick<User, 'id' | 'createdAt'>): string {
  return `u${user.id.toString(36)}-${user.createdAt.getTime().toString(36)}`
}

/** What a client is told of a user. Source: OpenID Connect Core 1.0 §5.4. */
export function claimsOf({ user, groups, scopes }: ClaimSources): JsonObject {
  const info = user.userInfo ?? {}
  return {
    sub: subjectOf(user),
    ...(scopes.includes('profile') && { preferred_username: user.name, ...profileOf(user) }),
    ...(scopes.includes('email') && emailOf(info)),
    ...(scopes.includes('groups') && { groups: [...groups] }),
  }
}

function profileOf(user: User): JsonObject {
  const info = user.userInfo ?? {}
  const entries = Object.entries(profileClaims).flatMap(([claim, names]) => {
    const value = names.map((name) => textOf(info[name])).find((text) => text !== undefined)
    return value === undefined ? [] : [[claim, value] as const]
  })
  return { name: user.name, ...Object.fromEntries(entries) }
}

function emailOf(info: JsonObject): JsonObject {
  const email = textOf(info['email'])
  const verified = info['email_verified']
  if (email === undefined) return {}
  return { email, ...(typeof verified === 'boolean' && { email_verified: verified }) }
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Ties an ID token to its access token. Source: OpenID Connect Core 1.0 §3.1.3.6. */
export function accessTokenHash(accessToken: string): string {
  const digest = createHash('sha256').update(accessToken, 'ascii').digest()
  return digest.subarray(0, digest.length / 2).toString('base64url')
}
