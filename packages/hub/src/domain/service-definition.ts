import { maxNameLength, shorten } from './names.ts'
import type { JsonObject } from '../util/json.ts'
import type { Place } from './urls.ts'

/** A service as the configuration or a request describes it. */
export interface ServiceDefinition {
  readonly name: string
  readonly admin: boolean
  /** Where it listens, `''` when it serves no HTTP. Its path is ignored. */
  readonly url: string
  /** Program and arguments of a service that the hub runs; empty for one that somebody else runs. */
  readonly command: readonly string[]
  readonly info: JsonObject
  /** Whether pages link to it. */
  readonly display: boolean
  readonly apiToken: string | undefined
  /** Scopes that tokens of its visitors may have, besides identification and access. */
  readonly oauthClientAllowedScopes: readonly string[]
  readonly oauthNoConfirm: boolean
  /** `undefined` is `service-NAME`. */
  readonly oauthClientId: string | undefined
  /** `undefined` is `oauth_callback` below its path. */
  readonly oauthRedirectUri: string | undefined
}

/** Shortest token that people may choose. Source: contract single-user-and-services §10.5. */
export const minTokenLength = 8
const maxUrlLength = 2047
const clientIdPrefix = 'service-'

/**
 * What keeps a definition from becoming a service, as a sentence; `undefined` when nothing does.
 * Source: JupyterHub 6.1, `Service` traits; contract single-user-and-services §10.1.
 */
export function findServiceProblem(service: ServiceDefinition): string | undefined {
  const { name, url, apiToken, oauthClientId, oauthRedirectUri } = service
  const problem = findNameProblem(name) ?? (url === '' ? undefined : findUrlProblem(url))
  if (problem !== undefined) return problem
  if (apiToken !== undefined && apiToken.length < minTokenLength) {
    return `'api_token' has ${apiToken.length} characters; the least is ${minTokenLength}.`
  }
  if (apiToken !== undefined && !/^[!-~]+$/.test(apiToken)) {
    return "'api_token' must be printable ASCII without spaces, or no request could carry it."
  }
  if (oauthClientId !== undefined && !isClientId(oauthClientId)) {
    return `'oauth_client_id' must begin with '${clientIdPrefix}' and be printable ASCII without spaces.`
  }
  if (!usesOAuth(service)) return undefined
  if (redirectUriOf(service, { baseUrl: '/' }) === '') {
    return "'oauth_redirect_uri' is needed for OAuth without 'url'."
  }
  return oauthRedirectUri === undefined ? undefined : findRedirectProblem(oauthRedirectUri)
}

/** Path of a service below the base URL, `/services/NAME/`. */
export function servicePath(baseUrl: string, name: string): string {
  return `${baseUrl}services/${encodeURI(name).replaceAll('?', '%3F').replaceAll('#', '%23')}/`
}

/** The path of a service, or with subdomains its full URL. */
export function serviceUrl(place: Place, name: string): string {
  return `${place.subdomains?.serviceOrigin(name) ?? ''}${servicePath(place.baseUrl, name)}`
}

/** What the proxy is told: the path, with subdomains after the host name. */
export function serviceRoutespec(place: Place, name: string): string {
  return `${place.subdomains?.serviceHost(name) ?? ''}${servicePath(place.baseUrl, name)}`
}

/** What the OAuth client of a service is; `undefined` for a service without OAuth. */
export function oauthClientOf(
  service: ServiceDefinition,
  place: Place,
): { id: string; redirectUri: string; description: string; allowedScopes: string[] } | undefined {
  if (!usesOAuth(service)) return undefined
  const { name, oauthClientId, oauthClientAllowedScopes } = service
  return {
    id: oauthClientId ?? `${clientIdPrefix}${name}`,
    redirectUri: redirectUriOf(service, place),
    description: `JupyterHub service ${name}`,
    allowedScopes: [
      ...new Set([...oauthClientAllowedScopes, `access:services!service=${name}`]),
    ].toSorted(),
  }
}

/** A service without URL has OAuth when any of its OAuth fields is given. */
function usesOAuth(service: ServiceDefinition): boolean {
  const { url, oauthClientId, oauthRedirectUri, oauthNoConfirm } = service
  return url !== '' || oauthNoConfirm || Boolean(oauthClientId) || Boolean(oauthRedirectUri)
}

function redirectUriOf(service: ServiceDefinition, place: Place): string {
  const { name, url, oauthRedirectUri } = service
  if (oauthRedirectUri !== undefined) return oauthRedirectUri
  return url === '' ? '' : `${serviceUrl(place, name)}oauth_callback`
}

function findNameProblem(name: string): string | undefined {
  if (name === '') return "'name' must not be empty."
  const shown = shorten(name, 100)
  if (name.length > maxNameLength) return `'name' has more than ${maxNameLength} characters.`
  if (name.includes('/')) return `the name '${shown}' must not contain '/'.`
  if (/^\.+$/.test(name)) return `the name '${shown}' must not be a relative path.`
  if (name !== name.trim()) return `the name '${shown}' must not start or end with space.`
  if (/\p{Cc}|\p{Cs}/u.test(name)) return `the name '${shown}' has control characters.`
  if (/%[0-9a-f]{2}/i.test(name)) return `the name '${shown}' must not be escaped.`
  return undefined
}

function findUrlProblem(url: string): string | undefined {
  if (url.length > maxUrlLength) return `'url' has more than ${maxUrlLength} characters.`
  const parsed = URL.parse(url)
  if (
    parsed === null ||
    /[\p{Cc}\p{Cs}\s]/u.test(url) ||
    !['http:', 'https:'].includes(parsed.protocol)
  ) {
    return `'url' must be http://… or https://…, with a host.`
  }
  return undefined
}

/** It becomes the name of a cookie. */
function isClientId(id: string): boolean {
  return id.startsWith(clientIdPrefix) && id.length <= maxNameLength && /^[!-~]+$/.test(id)
}

/** Browsers are sent there: a path of this origin, or an address that is no script. */
function findRedirectProblem(uri: string): string | undefined {
  if (uri.length > maxUrlLength)
    return `'oauth_redirect_uri' has more than ${maxUrlLength} characters.`
  if (/[\p{Cc}\p{Cs}\s]/u.test(uri)) return "'oauth_redirect_uri' has spaces or control characters."
  if (/^\/(?![/\\])/.test(uri)) return undefined
  const scheme = URL.parse(uri)?.protocol
  if (scheme !== undefined && !['javascript:', 'data:', 'vbscript:'].includes(scheme))
    return undefined
  return "'oauth_redirect_uri' must be a whole URL, or a path that begins with '/'."
}
