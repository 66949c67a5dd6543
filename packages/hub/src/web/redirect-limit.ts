import { HubError } from '../domain/errors.ts'
import { jupyterhubVersion } from '../util/version.ts'

/** Redirects to a server whose package is of another time than the hub. */
const otherLimit = 2

/**
 * How often a browser may be sent back to a server that is ready and yet not reached.
 * Differs from JupyterHub: the major versions are compared, as servers do themselves, for no server
 * says exactly what this hub says. Source: contract single-user-and-services §3.4.
 * @param version - what the server said of its `jupyterhub` package
 */
export function redirectLimit(version: string | null, configured: number): number {
  return isOwnMajor(version) ? configured : Math.min(configured, otherLimit)
}

export function redirectLoop(version: string | null): HubError {
  const hint = isOwnMajor(version)
    ? 'The server says it is running, but requests for it keep coming back to the hub: the proxy may not reach it.'
    : `The server has jupyterhub version ${version ?? 'unknown'}, but the hub has ${jupyterhubVersion}. ` +
      'If this goes on, install a matching jupyterhub package in the environment of the server.'
  return new HubError('internal', { message: `Redirect loop detected. ${hint}` })
}

function isOwnMajor(version: string | null): boolean {
  return version?.split('.', 1)[0] === jupyterhubVersion.split('.', 1)[0]
}
