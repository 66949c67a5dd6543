import type { Subdomains } from './subdomains.ts'

/**
 * Percent-encodes one path segment as the reference does: UTF-8, upper-case hex, leaving
 * `A-Z a-z 0-9 _ . - ~ @`. Differs from `encodeURIComponent`, which keeps `!'()*` and encodes `@`.
 * Source: JupyterHub 6.0, `url_escape_path`; contract single-user-and-services §1.2.
 */
export function escapePathSegment(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%40', '@')
}

/** `/user/ada/` or `/user/ada/lab-1/` below the base URL (which begins and ends with `/`). */
export function serverPath(baseUrl: string, username: string, serverName: string): string {
  const user = `${baseUrl}user/${escapePathSegment(username)}/`
  return serverName === '' ? user : `${user}${escapePathSegment(serverName)}/`
}

/** Where a deployment is: one host for all, or one for each user. */
export interface Place {
  /** Begins and ends with `/`. */
  readonly baseUrl: string
  readonly subdomains?: Subdomains | undefined
}

/** The server's path, or with subdomains its full URL. Source: JupyterHub 6.1 user.py, `server_url`. */
export function serverUrl(place: Place, username: string, serverName: string): string {
  const origin = place.subdomains?.userOrigin(username) ?? ''
  return `${origin}${serverPath(place.baseUrl, username, serverName)}`
}

/** What the proxy is told: the path, with subdomains after the host name. */
export function serverRoutespec(place: Place, username: string, serverName: string): string {
  const host = place.subdomains?.userHost(username) ?? ''
  return `${host}${serverPath(place.baseUrl, username, serverName)}`
}

/**
 * OAuth client id of a server; it becomes a cookie name, so it keeps its literal `%XX`.
 * Source: contract single-user-and-services §1.2 (`@` encoded, `/` left as it is).
 */
export function serverClientId(username: string, serverName: string): string {
  const name = `jupyterhub-user-${quoteClientPart(username)}`
  return serverName === '' ? name : `${name}-${quoteClientPart(serverName)}`
}

function quoteClientPart(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%2F', '/')
}
