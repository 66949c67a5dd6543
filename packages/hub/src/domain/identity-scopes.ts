/**
 * What an OpenID Connect client may ask to be told of a user. They are no scopes of the hub: they
 * allow nothing, and only clients whose allowed scopes name `openid` may ask for them.
 */
export const identityScopes = ['openid', 'profile', 'email', 'groups'] as const
export type IdentityScope = (typeof identityScopes)[number]

export function isIdentityScope(text: string): text is IdentityScope {
  return identityScopes.some((scope) => scope === text)
}

/** Whether a client with these allowed scopes speaks OpenID Connect. */
export function allowsOpenId(allowedScopes: readonly string[]): boolean {
  return allowedScopes.includes('openid')
}
