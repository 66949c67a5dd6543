import type { Server } from '../domain/records.ts'
import { escapePathSegment, serverPath, serverUrl } from '../domain/urls.ts'
import type { BindAddress, CertificatePaths } from '../plugin-api/spawner.ts'
import type { LifecycleSettings } from './settings.ts'

export interface EnvironmentInput {
  readonly server: Pick<Server, 'username' | 'name'>
  readonly apiToken: string
  readonly clientId: string
  readonly bind: BindAddress
  /** The server speaks HTTPS with it. */
  readonly certificate?: CertificatePaths | undefined
  readonly settings: LifecycleSettings
}

/**
 * Environment of a single-user server, complete but for what the spawner adds.
 * Source: contract single-user-and-services §2; later entries win, configured ones last.
 */
export function serverEnvironment(input: EnvironmentInput): Record<string, string> {
  const { server, apiToken, clientId, bind, certificate, settings } = input
  const prefix = serverPath(settings.baseUrl, server.username, server.name)
  const url = serverUrl(settings, server.username, server.name)
  const fullName = `${server.username}/${server.name}`
  const accessScopes = JSON.stringify([
    `access:servers!server=${fullName}`,
    `access:servers!user=${server.username}`,
  ])
  const publicOrigin = settings.publicUrl === '' ? '' : new URL(settings.publicUrl).origin
  return {
    ...settings.keptEnvironment,
    JUPYTERHUB_API_TOKEN: apiToken,
    JPY_API_TOKEN: apiToken,
    JUPYTERHUB_CLIENT_ID: clientId,
    ...(Object.keys(settings.cookieOptions).length > 0 && {
      JUPYTERHUB_COOKIE_OPTIONS: JSON.stringify(settings.cookieOptions),
    }),
    JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED: settings.cookieHostPrefixEnabled ? '1' : '0',
    JUPYTERHUB_HOST: publicOrigin,
    JUPYTERHUB_OAUTH_CALLBACK_URL: `${url}oauth_callback`,
    JUPYTERHUB_OAUTH_SCOPES: accessScopes,
    JUPYTERHUB_OAUTH_ACCESS_SCOPES: accessScopes,
    JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES: JSON.stringify(settings.oauthClientAllowedScopes),
    JUPYTERHUB_USER: server.username,
    JUPYTERHUB_SERVER_NAME: server.name,
    JUPYTERHUB_API_URL: settings.hubApiUrl,
    JUPYTERHUB_ACTIVITY_URL: `${settings.hubApiUrl}/users/${escapePathSegment(server.username)}/activity`,
    JUPYTERHUB_BASE_URL: settings.baseUrl,
    JUPYTERHUB_SERVICE_PREFIX: prefix,
    JUPYTERHUB_SERVICE_URL: `${certificate === undefined ? 'http' : 'https'}://${hostPart(bind.ip)}:${bind.port}${prefix}`,
    JUPYTERHUB_PUBLIC_URL: publicServerUrl(url, publicOrigin),
    JUPYTERHUB_PUBLIC_HUB_URL: publicOrigin === '' ? '' : `${publicOrigin}${settings.baseUrl}hub/`,
    ...certificateVariables(certificate),
    ...limitVariables(settings),
    ...(settings.notebookDir !== '' && {
      JUPYTERHUB_ROOT_DIR: fillTemplate(settings.notebookDir, server.username, prefix),
    }),
    ...(settings.defaultUrl !== '' && {
      JUPYTERHUB_DEFAULT_URL: fillTemplate(settings.defaultUrl, server.username, prefix),
    }),
    ...(settings.debug && { JUPYTERHUB_DEBUG: '1' }),
    ...(settings.disableUserConfig && { JUPYTERHUB_DISABLE_USER_CONFIG: '1' }),
    ...settings.environment,
  }
}

/** Source: JupyterHub 6.1 spawner.py, `get_env`. */
export function certificateVariables(paths: CertificatePaths | undefined): Record<string, string> {
  if (paths === undefined) return {}
  return {
    JUPYTERHUB_SSL_KEYFILE: paths.keyPath,
    JUPYTERHUB_SSL_CERTFILE: paths.certPath,
    JUPYTERHUB_SSL_CLIENT_CA: paths.caPath,
  }
}

function publicServerUrl(url: string, publicOrigin: string): string {
  if (!url.startsWith('/')) return url // the user's own host
  return publicOrigin === '' ? '' : `${publicOrigin}${url}`
}

function limitVariables({ limits }: LifecycleSettings): Record<string, string> {
  const entries: Array<[string, number | undefined]> = [
    ['MEM_LIMIT', limits.memLimitBytes],
    ['MEM_GUARANTEE', limits.memGuaranteeBytes],
    ['CPU_LIMIT', limits.cpuLimitCores],
    ['CPU_GUARANTEE', limits.cpuGuaranteeCores],
  ]
  return Object.fromEntries(
    entries.flatMap(([name, value]) => (value ? [[name, String(value)] as const] : [])),
  )
}

/**
 * `{username}`, `{base_url}` and the old `%U`, in one pass: what a name holds stays as it is, though
 * it may look like a placeholder. Source: contract spawners §7.
 */
function fillTemplate(template: string, username: string, prefix: string): string {
  return template.replace(/%U|\{username\}|\{base_url\}/g, (placeholder) =>
    placeholder === '{base_url}' ? prefix : username,
  )
}

function hostPart(ip: string): string {
  return ip.includes(':') ? `[${ip}]` : ip
}
