import { createHmac, hkdfSync } from 'node:crypto'
import { oauthClientOf, servicePath, serviceUrl } from '../domain/service-definition.ts'
import { certificateVariables } from '../lifecycle/server-environment.ts'
import type { CertificatePaths } from '../plugin-api/spawner.ts'
import type { ManagedService, ServiceSettings } from './settings.ts'

/**
 * Environment of a service that the hub runs, complete but for what its process gets from the
 * hub's own and from its system user.
 * Differs from JupyterHub: the scopes that visitors may give it and its callback URL are the
 * configured ones, where JupyterHub always says none and the default.
 * Source: contract single-user-and-services §10.3; observed: JupyterHub 6.1.1.
 */
export function serviceEnvironment(
  service: ManagedService,
  settings: ServiceSettings,
  { apiToken, certificate }: { apiToken: string; certificate?: CertificatePaths | undefined },
): Record<string, string> {
  const { name, url, user, oauthClientId } = service
  const { baseUrl, hubApiUrl, publicUrl } = settings
  const accessScopes = JSON.stringify(['access:services', `access:services!service=${name}`])
  const client = oauthClientOf(service, settings)
  const prefix = url === '' ? '' : servicePath(baseUrl, name)
  const publicOrigin = publicUrl === '' ? '' : new URL(publicUrl).origin
  return {
    JUPYTERHUB_API_TOKEN: apiToken,
    JPY_API_TOKEN: apiToken,
    JUPYTERHUB_CLIENT_ID: client?.id ?? oauthClientId ?? `service-${name}`,
    JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED: '0',
    JUPYTERHUB_HOST: publicOrigin,
    JUPYTERHUB_OAUTH_CALLBACK_URL: client?.redirectUri ?? 'oauth_callback',
    JUPYTERHUB_OAUTH_SCOPES: accessScopes,
    JUPYTERHUB_OAUTH_ACCESS_SCOPES: accessScopes,
    JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES: JSON.stringify(service.oauthClientAllowedScopes),
    JUPYTERHUB_USER: user,
    JUPYTERHUB_SERVER_NAME: '',
    JUPYTERHUB_API_URL: hubApiUrl,
    JUPYTERHUB_BASE_URL: baseUrl,
    JUPYTERHUB_PUBLIC_URL: url === '' ? '' : publicServiceUrl(service, settings, publicOrigin),
    JUPYTERHUB_PUBLIC_HUB_URL: publicOrigin === '' ? '' : `${publicOrigin}${baseUrl}hub/`,
    // Nothing listens there: a service without URL gets it all the same.
    JUPYTERHUB_SERVICE_URL: 'http://127.0.0.1:0/',
    ...certificateVariables(certificate),
    ...service.environment,
    JUPYTERHUB_SERVICE_NAME: name,
    ...(url !== '' && { JUPYTERHUB_SERVICE_URL: url, JUPYTERHUB_SERVICE_PREFIX: prefix }),
  }
}

function publicServiceUrl(
  { name }: ManagedService,
  settings: ServiceSettings,
  publicOrigin: string,
): string {
  const url = serviceUrl(settings, name)
  if (!url.startsWith('/')) return url // a host of its own
  return publicOrigin === '' ? '' : `${publicOrigin}${url}`
}

/**
 * The token of one run of a service that has none configured, derived from the hub's secret: a hub
 * that takes over half a start can give the service the same one, although only its hash is stored.
 * @returns 32 lower-case hex characters
 */
export function deriveServiceToken(secret: Buffer, runId: string): string {
  return hmac(secret, 'orrery service token', runId).slice(0, 32)
}

/**
 * Tells whether a running service is what the configuration says now. It covers secrets, hence it
 * is keyed: whoever reads the database cannot try values.
 */
export function fingerprintOf(service: ManagedService, settings: ServiceSettings): string {
  const { command, cwd, user, apiToken } = service
  const environment = serviceEnvironment(service, settings, { apiToken: apiToken ?? '' })
  const sorted = Object.entries(environment).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const text = JSON.stringify([command, cwd, user, sorted])
  return hmac(settings.cookieSecret, 'orrery service fingerprint', text)
}

function hmac(secret: Buffer, purpose: string, text: string): string {
  const key = Buffer.from(hkdfSync('sha256', secret, '', purpose, 32))
  return createHmac('sha256', key).update(text).digest('hex')
}
