/** What a failure is called, its default HTTP status and the text people read. */
interface ErrorEntry {
  readonly status: number
  readonly message: string
}

/**
 * Every failure the hub tells a client about. Codes are published: they are neither renamed nor
 * reused. `docs/reference/errors.md` has a row for each, and a test keeps the two equal.
 */
export const errorCatalogue = {
  bad_request: { status: 400, message: 'Bad Request' },
  body_invalid: { status: 400, message: 'Invalid JSON in body of request' },
  credentials_missing: { status: 403, message: 'Missing or invalid credentials.' },
  scope_missing: { status: 403, message: 'Action is not authorized with current scopes' },
  forbidden: { status: 403, message: 'Forbidden' },
  xsrf_missing: { status: 403, message: "'_xsrf' argument missing" },
  xsrf_mismatch: { status: 403, message: 'XSRF cookie does not match argument' },
  login_refused: { status: 403, message: 'Invalid username or password' },
  login_throttled: { status: 429, message: 'Too many failed sign-in attempts' },
  resource_hidden: { status: 404, message: 'No access to resources or resources not found' },
  not_found: { status: 404, message: 'Not Found' },
  user_not_found: { status: 404, message: 'No such user' },
  server_not_found: { status: 404, message: 'No such server' },
  service_not_found: { status: 404, message: 'No such service' },
  group_not_found: { status: 404, message: 'No such group' },
  role_not_found: { status: 404, message: 'No such role' },
  token_not_found: { status: 404, message: 'No such token' },
  method_not_allowed: { status: 405, message: 'Method Not Allowed' },
  service_not_modifiable: { status: 405, message: 'Service is not modifiable at runtime' },
  user_exists: { status: 409, message: 'User already exists' },
  group_exists: { status: 409, message: 'Group already exists' },
  role_conflict: { status: 409, message: 'The roles from the authenticator cannot be used' },
  server_exists: { status: 409, message: 'Server already exists' },
  service_exists: { status: 409, message: 'Service already exists' },
  service_invalid: { status: 400, message: 'Invalid service data' },
  user_disabled: { status: 403, message: 'The user is disabled' },
  username_invalid: { status: 400, message: 'Invalid username' },
  server_name_invalid: { status: 400, message: 'Invalid server_name' },
  display_name_invalid: { status: 400, message: 'Invalid display_name' },
  named_servers_disabled: { status: 400, message: 'Named servers are not enabled.' },
  named_server_limit: { status: 400, message: 'Too many named servers' },
  server_already_running: { status: 400, message: 'Server is already running' },
  server_pending: { status: 400, message: 'Server has a pending action' },
  server_active: { status: 400, message: 'Server is running; stop it first' },
  server_not_running: { status: 424, message: 'Server is not running' },
  spawn_throttled: { status: 429, message: 'Too many servers are starting. Try again soon.' },
  active_server_limit: { status: 429, message: 'The limit of active servers is reached.' },
  spawn_failed: { status: 500, message: 'The server failed to start' },
  spawn_timeout: { status: 500, message: 'The server did not start in time' },
  stop_failed: { status: 500, message: 'The server could not be stopped' },
  token_scopes_invalid: { status: 400, message: 'Not assigning requested scopes' },
  payload_too_large: { status: 413, message: 'Payload Too Large' },
  too_many_requests: { status: 429, message: 'Too Many Requests' },
  proxy_unreachable: { status: 503, message: 'The proxy gave no answer' },
  store_busy: { status: 503, message: 'The database is busy. Nothing was changed; try again.' },
  store_unavailable: {
    status: 503,
    message: 'The database cannot be written. Nothing was changed; tell an administrator.',
  },
  internal: { status: 500, message: 'Internal Server Error' },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errorCatalogue

export interface HubErrorOptions {
  /** Text for people; the catalogue's when left out. */
  readonly message?: string
  /** HTTP status where it differs from the catalogue's (a spawner may choose its own). */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** A failure with a published code. `message` may be shown to users; `cause` goes to the log only. */
export class HubError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ErrorCode, options: HubErrorOptions = {}) {
    const entry = errorCatalogue[code]
    super(options.message ?? entry.message, { cause: options.cause })
    this.name = 'HubError'
    this.code = code
    this.status = options.status ?? entry.status
    this.headers = options.headers ?? {}
  }
}

/** A configuration that cannot be used: ends the program with exit code 1 before it listens. */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ConfigError'
  }
}

/** Message of anything thrown, for logs and for causes that are not `Error`s. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
