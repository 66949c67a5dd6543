import type { Principal } from '../access/principal.ts'
import { serviceUrl } from '../domain/service-definition.ts'
import { listDisplayedServices } from '../storage/services.ts'
import type { ServiceLink } from './layout.ts'
import type { WebDeps } from './web-deps.ts'

/**
 * Services that pages link to for this person: those that are displayed and that the person may
 * open. Source: contract single-user-and-services §10.4.
 */
export async function listServiceLinks(
  deps: Pick<WebDeps, 'store' | 'settings'>,
  principal: Principal,
): Promise<readonly ServiceLink[]> {
  const held = principal.scopes.get('access:services')
  if (held === undefined) return []
  const services = await listDisplayedServices(deps.store.db)
  return services
    .filter(({ name }) => held === 'all' || held.service?.has(name) === true)
    .map(({ name }) => ({ name, href: serviceUrl(deps.settings, name) }))
}
