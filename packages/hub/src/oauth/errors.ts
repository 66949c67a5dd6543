/**
 * A failure that the client of a flow is told of in the protocol's own words.
 * Source: RFC 6749 §4.1.2.1 and §5.2.
 */
export interface OAuthError {
  readonly error: OAuthErrorCode
  readonly description?: string
}

export type OAuthErrorCode =
  | 'account_selection_required'
  | 'consent_required'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_request'
  | 'invalid_scope'
  | 'login_required'
  | 'request_not_supported'
  | 'request_uri_not_supported'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_response_type'
