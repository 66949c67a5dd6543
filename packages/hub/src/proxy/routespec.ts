/**
 * Names of routes. A *routespec* is what a hub says (`/user/a%40b/`, or `host/user/ada/` with one
 * host per user): escaped, ends in `/`. A *route path* is how the table and the REST API of the
 * proxy know it: decoded once, leading `/`, no final `/`, the root is `/`.
 * Source: configurable-http-proxy 5.3, `/api/routes` (contract proxy §2.2, §9.5).
 */

/** Longest routespec accepted, in characters. */
export const maxRoutespecLength = 8192

/** Route path of a routespec; `undefined` when it is too long or its encoding is broken. */
export function findRoutePath(routespec: string): string | undefined {
  if (routespec.length > maxRoutespecLength || !routespec.isWellFormed()) return undefined
  try {
    return cleanRoutePath(decodeURIComponent(routespec))
  } catch {
    return undefined
  }
}

/** Routespec that a hub would write for a route path. */
export function routespecOf(path: string): string {
  return path === '/'
    ? '/'
    : `${path.split('/').map(encodeURIComponent).join('/').replaceAll('%40', '@')}/`
}

/** Gives a decoded path its leading `/` and takes the final ones away. */
export function cleanRoutePath(decodedPath: string): string {
  const segments = splitPath(decodedPath)
  return `/${segments.join('/')}`
}

/**
 * Segments between the outer slashes; none for the root. Empty segments inside count, so that
 * `/user//ada` is not `/user/ada`.
 */
export function splitPath(decodedPath: string): string[] {
  let start = 0
  let end = decodedPath.length
  while (start < end && decodedPath[start] === '/') start += 1
  while (end > start && decodedPath[end - 1] === '/') end -= 1
  return start === end ? [] : decodedPath.slice(start, end).split('/')
}

/**
 * Host name of a `Host` header as host routing sees it: lower case, no port, IPv6 without
 * brackets; `undefined` when missing or unusable as a segment.
 */
export function hostSegment(hostHeader: string | undefined): string | undefined {
  const host = hostHeader?.trim().toLowerCase() ?? ''
  const name = host.startsWith('[') ? host.slice(1, host.indexOf(']')) : host.replace(/:\d*$/, '')
  return name === '' || name.includes('/') ? undefined : name
}
