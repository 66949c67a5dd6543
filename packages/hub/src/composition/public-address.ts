import type { Config } from '../config/options/classes.ts'
import { ConfigError } from '../domain/errors.ts'
import { createSubdomains, type Subdomains } from '../domain/subdomains.ts'

/**
 * What people type, ending in the base URL: `public_url`, else the host that subdomains are below.
 * @throws ConfigError when its path is not the base URL
 */
export function publicUrlOf(config: Config): URL | undefined {
  const { publicUrl, baseUrl, subdomainHost } = config.JupyterHub
  if (publicUrl === '') return subdomainHost === '' ? undefined : new URL(baseUrl, subdomainHost)
  const url = new URL(publicUrl)
  url.search = ''
  url.hash = ''
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  if (url.pathname === '/') url.pathname = baseUrl
  if (url.pathname.endsWith(baseUrl)) return url
  throw new ConfigError(
    `JupyterHub.public_url = '${publicUrl}' has to end in base_url, which is '${baseUrl}'.`,
  )
}

/** A host for each user and service; `undefined` when all share one. */
export function subdomainsOf(config: Config): Subdomains | undefined {
  const { subdomainHost, subdomainHook, publicUrl } = config.JupyterHub
  if (subdomainHost === '') return undefined
  return createSubdomains({
    host: new URL(subdomainHost),
    hook: subdomainHook,
    ...(publicUrl !== '' && { publicUrl: new URL(publicUrl) }),
  })
}

/** The hub's own route; everything that no other route takes, unless configured otherwise. */
export function hubRoutespec(config: Config): string {
  const { hubRoutespec: configured, baseUrl, subdomainHost } = config.JupyterHub
  if (configured === '') return subdomainHost === '' ? baseUrl : '/'
  const closed = configured.endsWith('/') ? configured : `${configured}/`
  return subdomainHost !== '' || closed.startsWith('/') ? closed : `/${closed}`
}

/** Whether requests without any route of their own are the hub's. */
export function isHubCatchAll(config: Config): boolean {
  const routespec = hubRoutespec(config)
  return routespec === '/' || routespec === config.JupyterHub.baseUrl
}

/**
 * `Proxy.extra_routes` by routespec, with the final slash that it needs.
 * @throws ConfigError for a host name where there are none, or none where there have to be
 */
export function extraRoutes(config: Config): Map<string, string> {
  const { subdomainHost } = config.JupyterHub
  const entries = Object.entries(config.Proxy.extraRoutes).map(([routespec, target]) => {
    const isPath = routespec.startsWith('/')
    if (target === '') throw new ConfigError(`Proxy.extra_routes: '${routespec}' has no target.`)
    if (subdomainHost === '' && !isPath) {
      throw new ConfigError(`Proxy.extra_routes: '${routespec}' has to begin with a slash.`)
    }
    if (subdomainHost !== '' && isPath) {
      throw new ConfigError(
        `Proxy.extra_routes: '${routespec}' has to begin with a host name, because JupyterHub.subdomain_host is set.`,
      )
    }
    return [routespec.endsWith('/') ? routespec : `${routespec}/`, target] as const
  })
  return new Map(entries)
}
