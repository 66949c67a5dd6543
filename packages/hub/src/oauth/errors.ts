/**
 * A failure that the client of a flow is told of in the protocol's own words.
 * Source: RFC 6749 §4.1.2.1 and §5.2.
 */
export interface OAuthError {
  readonly error: OAuthErrorCode
  readonly description?: string
}

export type OAuthErrorCode =
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_request'
  | 'invalid_scope'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_response_type'
