import type { FastifyRequest } from 'fastify'
import { browserOrigin } from '../../web/client-address.ts'
import type { SessionConfig } from '../../web/session-config.ts'

/** Path of the provider below the origin: that of the hub's OAuth endpoints. */
export function issuerPath(hubPrefix: string): string {
  return `${hubPrefix}api/oauth2`
}

/**
 * The issuer's name, `https://host/hub/api/oauth2`. Its origin is that of `public_url`; without it
 * that of the request, which a client uses alike for discovery and for the token endpoint.
 */
export function issuerOf(
  request: FastifyRequest,
  config: Pick<SessionConfig, 'publicUrl' | 'hubPrefix'>,
): string {
  const { protocol, host } = browserOrigin(request, config)
  return `${protocol}://${host}${issuerPath(config.hubPrefix)}`
}
