import { isDeepStrictEqual } from 'node:util'
import { HubError } from '../domain/errors.ts'
import type { Service } from '../domain/records.ts'
import {
  oauthClientOf,
  type ServiceDefinition,
  serviceRoutespec,
} from '../domain/service-definition.ts'
import type { Place } from '../domain/urls.ts'
import {
  deleteClientsOfService,
  findOAuthClient,
  listClientIdsOfService,
  putOAuthClient,
} from '../storage/oauth.ts'
import { findRoute, putRoute, removeRoute } from '../storage/routes.ts'
import { createService, deleteService, putService } from '../storage/services.ts'
import type { WriteTransaction } from '../storage/store.ts'
import { hashToken, isTokenOf } from '../storage/token-hash.ts'
import { createToken, findTokenByValue } from '../storage/tokens.ts'

export interface RegisterOptions extends Place {
  readonly fromConfig: boolean
  /** Tokens that people chose are hashed slowly unless they are trusted to be random. */
  readonly trustTokens: boolean
  readonly now: Date
}

/**
 * Makes a service what its definition says: row, OAuth client, token and route. What was so before
 * stays untouched, so that a start of the hub disturbs no session and no edge.
 * The definition has no problem (see `findServiceProblem`).
 * Fails with `service_invalid` when its OAuth client is another's, and with `service_exists` when it
 * does not come from the configuration and the name is taken.
 * @returns the service's id
 */
export async function registerService(
  tx: WriteTransaction,
  service: ServiceDefinition,
  options: RegisterOptions,
): Promise<number> {
  const { name, admin, url, command, info, display, oauthNoConfirm } = service
  const { fromConfig } = options
  const row = { name, admin, url, command, info, display, oauthNoConfirm, fromConfig }
  const id = fromConfig ? await putService(tx, row) : await createService(tx, row)
  if (id === undefined) throw new HubError('service_exists')
  await registerClient(tx, { service, id, options })
  if (service.apiToken !== undefined) {
    await addServiceToken(tx, { serviceId: id, value: service.apiToken, options })
  }
  await routeService(tx, { name, url }, options)
  return id
}

/** A token that people chose. One that somebody has already stays with its owner, as in JupyterHub. */
export async function addServiceToken(
  tx: WriteTransaction,
  input: { serviceId: number; value: string; options: Omit<RegisterOptions, keyof Place> },
): Promise<void> {
  const { serviceId, value, options } = input
  if ((await findTokenByValue(tx.db, value, options.now)) !== undefined) return
  await createToken(
    tx,
    {
      value,
      owner: { kind: 'service', id: serviceId },
      scopes: ['inherit'],
      note: options.fromConfig ? 'from config' : '',
      stretched: !options.trustTokens,
    },
    options.now,
  )
}

/** Ends a service: its tokens, its visitors' tokens and its route go with it. */
export async function unregisterService(
  tx: WriteTransaction,
  service: Pick<Service, 'id' | 'name'>,
  place: Place,
): Promise<void> {
  await deleteService(tx, service.id)
  await removeRoute(tx, serviceRoutespec(place, service.name))
}

async function registerClient(
  tx: WriteTransaction,
  input: { service: ServiceDefinition; id: number; options: RegisterOptions },
): Promise<void> {
  const { service, id, options } = input
  const client = oauthClientOf(service, options)
  for (const old of await listClientIdsOfService(tx.db, id)) {
    if (old !== client?.id) await deleteClientsOfService(tx, id, old)
  }
  if (client === undefined) return
  const before = await findOAuthClient(tx.db, client.id)
  if (before !== undefined && before.serviceId !== id) {
    throw new HubError('service_invalid', {
      message: `the OAuth client '${client.id}' belongs to somebody else.`,
    })
  }
  const secretHash = secretHashOf(service.apiToken, before?.secretHash ?? '', options)
  const after = { ...client, secretHash, serverId: null, serviceId: id }
  if (!isDeepStrictEqual(before, after)) await putOAuthClient(tx, after)
}

/**
 * The hash of before when it fits. A service that the hub runs without a configured token gets a
 * new one with each of its runs; until then the client keeps that of the last.
 */
function secretHashOf(token: string | undefined, before: string, options: RegisterOptions): string {
  if (token === undefined) return before
  if (before !== '' && isTokenOf(before, token)) return before
  return hashToken(token, { stretched: !options.trustTokens })
}

/** Idempotent; edges are told of changes only. */
export async function routeService(
  tx: WriteTransaction,
  service: Pick<Service, 'name' | 'url'>,
  place: Place,
): Promise<void> {
  const routespec = serviceRoutespec(place, service.name)
  if (service.url === '') return removeRoute(tx, routespec)
  const route = { routespec, target: new URL(service.url).origin, data: { service: service.name } }
  const { target, data } = (await findRoute(tx.db, routespec)) ?? {}
  if (target !== route.target || !isDeepStrictEqual(data, route.data)) await putRoute(tx, route)
}
