import { userInfo } from 'node:os'
import type { Setup } from '../model.ts'
import { groups, password, principals, scopeServices } from './principals.ts'

export interface HubAddresses {
  readonly publicPort: number
  readonly hubPort: number
  readonly proxyApiPort: number
  /** Of the managed and of the external service. */
  readonly servicePorts: readonly [number, number]
}

export interface ConfigInput {
  readonly setup: Setup
  readonly addresses: HubAddresses
  readonly folder: string
  /** The Python of the reference's environment; runs the stand-in. */
  readonly python: string
  readonly standIn: string
}

/** `jupyterhub_config.py`, the same file for every hub but for ports and folders. */
export function configText(input: ConfigInput): string {
  const lines = [...common(input), ...(input.setup === 'main' ? main(input) : variant())]
  return `${lines.join('\n')}\n`
}

function common({ addresses, folder, python: interpreter, standIn }: ConfigInput): string[] {
  return [
    'import json',
    "c.JupyterHub.ip = '127.0.0.1'",
    `c.JupyterHub.port = ${addresses.publicPort}`,
    `c.JupyterHub.hub_port = ${addresses.hubPort}`,
    `c.ConfigurableHTTPProxy.api_url = 'http://127.0.0.1:${addresses.proxyApiPort}'`,
    'c.JupyterHub.log_level = 20',
    `c.JupyterHub.cookie_secret = bytes.fromhex('${'5a'.repeat(32)}')`,
    `c.CryptKeeper.keys = ['${'5b'.repeat(32)}']`,
    "c.JupyterHub.authenticator_class = 'dummy'",
    `c.DummyAuthenticator.password = ${python(password)}`,
    'c.Authenticator.allow_all = True',
    "c.Authenticator.admin_users = {'admin'}",
    'c.Authenticator.enable_auth_state = True',
    "c.JupyterHub.spawner_class = 'simple'",
    `c.SimpleLocalProcessSpawner.home_dir_template = ${python(`${folder}/homes/{username}`)}`,
    // Orrery's own: as root, its servers would run as somebody who cannot read the clone.
    ...(process.getuid?.() === 0
      ? [`c.SimpleLocalProcessSpawner.run_as = ${python(userInfo().username)}`]
      : []),
    `c.Spawner.cmd = [${python(interpreter)}, ${python(standIn)}]`,
    `c.Spawner.environment = {'STAND_IN_FOLDER': ${python(folder)}}`,
    'c.JupyterHub.trust_user_provided_tokens = True',
    `c.JupyterHub.api_tokens = ${python(tokensOf('user'))}`,
    `c.JupyterHub.load_groups = ${python(groups)}`,
  ]
}

function main({ addresses, python: interpreter, standIn, folder }: ConfigInput): string[] {
  const [managed, external] = addresses.servicePorts
  const services = [
    ...Object.entries(tokensOf('service')).map(([api_token, name]) => ({
      name,
      api_token,
      ...(name === 'boss' && { admin: true }),
    })),
    {
      name: 'external',
      url: `http://127.0.0.1:${external}`,
      api_token: 'token-of-external-0123456789abcdef',
      oauth_client_allowed_scopes: ['read:users!user'],
      info: { team: 'data', size: 3 },
    },
    {
      name: 'trusted',
      api_token: 'token-of-trusted-0123456789abcdef',
      oauth_client_id: 'service-trusted-app',
      oauth_redirect_uri: 'http://127.0.0.1:9/callback',
      oauth_no_confirm: true,
      display: false,
    },
    {
      name: 'managed',
      url: `http://127.0.0.1:${managed}`,
      api_token: 'token-of-managed-0123456789abcdef',
      command: [interpreter, standIn],
      environment: { STAND_IN_FOLDER: folder, SHOP: 'open' },
    },
  ]
  const roles = [
    ...Object.entries(scopeServices)
      .filter(([, scopes]) => scopes.length > 0)
      .map(([name, scopes]) => ({ name: `role-${name}`, scopes, services: [name] })),
    { name: 'library', scopes: ['custom:library:write'], groups: ['g2'], users: ['dave'] },
    { name: 'visitor', scopes: ['access:services!service=external'], users: ['ana', 'eve'] },
    { name: 'robots', scopes: ['admin-ui', 'read:hub'], services: ['robot'] },
    {
      name: 'sharing',
      scopes: ['self', 'shares!user', 'read:users:name', 'read:groups:name'],
      users: ['sharer'],
    },
  ]
  return [
    'c.Spawner.http_timeout = 60',
    'c.JupyterHub.allow_named_servers = True',
    'c.JupyterHub.named_server_limit_per_user = 6',
    "c.JupyterHub.tornado_settings = {'slow_spawn_timeout': 6, 'slow_stop_timeout': 2}",
    `c.JupyterHub.custom_scopes = ${python({
      'custom:library:read': { description: 'Read the library' },
      'custom:library:write': {
        description: 'Change the library',
        subscopes: ['custom:library:read'],
      },
    })}`,
    `c.JupyterHub.services = ${python(services)}`,
    `c.JupyterHub.load_roles = ${python(roles)}`,
  ]
}

/** Everything that shows on the wire, set to something else than the default. */
function variant(): string[] {
  return [
    'c.Spawner.http_timeout = 3',
    "c.JupyterHub.base_url = '/deep/lab/'",
    'c.JupyterHub.api_page_default_limit = 2',
    'c.JupyterHub.api_page_max_limit = 3',
    'c.JupyterHub.authenticate_prometheus = False',
    'c.JupyterHub.token_expires_in_max_seconds = 3600',
    'c.JupyterHub.redirect_to_server = False',
    'c.JupyterHub.use_legacy_stopped_server_status_code = True',
    'c.JupyterHub.shutdown_on_logout = True',
    'c.JupyterHub.cookie_max_age_days = 2',
    'c.JupyterHub.active_server_limit = 2',
    "c.JupyterHub.public_url = 'https://hub.example.org/deep/lab/'",
    `c.JupyterHub.tornado_settings = ${python({
      slow_spawn_timeout: 8,
      headers: {
        'Access-Control-Allow-Origin': 'https://app.example.org',
        'Access-Control-Allow-Headers': 'accept, content-type, authorization, x-extra',
        'Content-Security-Policy': "frame-ancestors 'self'",
      },
    })}`,
    `c.JupyterHub.services = ${python([
      { name: 'boss', api_token: principals.get('boss')?.token ?? '', admin: true },
    ])}`,
    `c.JupyterHub.load_roles = ${python([
      { name: 'user', scopes: ['self', 'read:hub'] },
      { name: 'server', scopes: ['users:activity!user', 'access:servers!server'] },
    ])}`,
  ]
}

function tokensOf(kind: 'user' | 'service'): Record<string, string> {
  const found = [...principals].filter(([, principal]) => principal.kind === kind)
  return Object.fromEntries(found.map(([name, { token }]) => [token, name]))
}

/** A value as an expression of Python: JSON's own text, read by Python's parser. */
function python(value: unknown): string {
  return `json.loads(${JSON.stringify(JSON.stringify(value))})`
}
