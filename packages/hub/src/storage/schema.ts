import type { ColumnType, Generated } from 'kysely'

/**
 * Columns are the same on both databases: instants are milliseconds since 1970 in 64-bit
 * integers, flags are 0 or 1, JSON is text. Neither database's own types decide what comes back.
 */
type Id = Generated<number>
type Reference = ColumnType<number, number, never>

export interface Schema {
  users: {
    id: Id
    name: string
    admin: number
    created_at: number
    last_activity_at: number | null
    cookie_id: string
    disabled: Generated<number>
    user_info: string | null
    encrypted_auth_state: string | null
  }
  user_passwords: { user_id: Reference; password_hash: string; updated_at: number }
  groups: { id: Id; name: string; properties: string }
  group_members: { group_id: Reference; user_id: Reference }
  roles: { id: Id; name: string; description: string; scopes: string; managed: Generated<number> }
  user_roles: { role_id: Reference; user_id: Reference; managed: Generated<number> }
  group_roles: { role_id: Reference; group_id: Reference }
  service_roles: { role_id: Reference; service_id: Reference }
  services: {
    id: Id
    name: string
    admin: number
    url: string
    info: string
    display: number
    from_config: number
    command: string
    oauth_no_confirm: number
  }
  service_runs: {
    name: string
    run_id: string
    fingerprint: string
    state: string
    started_at: number
  }
  servers: {
    id: Id
    user_id: number
    name: string
    display_name: string | null
    state: string
    state_since: number
    version: number
    run_id: string | null
    started_at: number | null
    last_activity_at: number | null
    created_at: number
    target: string | null
    user_options: string | null
    spawner_id: string | null
    spawner_state: string | null
    jupyterhub_version: string | null
    failure: string | null
  }
  operations: {
    id: Id
    server_id: number
    user_id: number
    kind: string
    state: string
    step: string
    request: string
    owner: string | null
    lease_expires_at: number | null
    deadline_at: number | null
    attempt: number
    cancel_requested: number
    created_at: number
    finished_at: number | null
  }
  progress_events: { id: Id; operation_id: number; at: number; data: string }
  audit_events: { id: Id; at: number; actor: string; action: string; subject: string; data: string }
  routes: { routespec: string; target: string; data: string; seq: number; deleted: number }
  counters: { name: string; value: number }
  api_tokens: {
    id: Id
    hashed: string
    prefix: string
    user_id: number | null
    service_id: number | null
    server_id: number | null
    client_id: string
    session_id: string | null
    note: string
    scopes: string
    created_at: number
    expires_at: number | null
    last_activity_at: number | null
  }
  oauth_clients: {
    id: string
    description: string
    secret_hash: string
    redirect_uri: string
    allowed_scopes: string
    server_id: number | null
    service_id: number | null
  }
  browser_sessions: {
    id: string
    user_id: number
    opened_with: string
    signed_in_at: number
    expires_at: number
  }
  signing_keys: { kid: string; public_key: string; encrypted_key: string; created_at: number }
  oauth_codes: {
    hashed: string
    client_id: string
    user_id: number
    redirect_uri: string
    session_id: string
    scopes: string
    code_challenge: string | null
    code_challenge_method: string | null
    nonce: string | null
    signed_in_at: number | null
    expires_at: number
  }
  shares: {
    id: Id
    owner_id: number
    server_id: number
    user_id: number | null
    group_id: number | null
    scopes: string
    created_at: number
    expires_at: number | null
  }
  share_codes: {
    id: Id
    hashed: string
    prefix: string
    server_id: number
    scopes: string
    created_at: number
    expires_at: number
    exchange_count: Generated<number>
    last_exchanged_at: number | null
  }
  setup_links: { hashed: string; created_at: number; expires_at: number; used_at: number | null }
  login_failures: { key: string; failures: number; window_start: number; blocked_until: number }
  leases: { name: string; owner: string; expires_at: number }
}
