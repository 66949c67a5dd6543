import type { FastifyRequest } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import { callerOf, paramOf, type RouteAccess } from '../authorize.ts'
import type { ApiApp } from '../context.ts'
import { OwnedServerParams, OwnerParams } from './schemas.ts'
import type { ShareAddress } from './shares.ts'

/** The ways to write a server below `/shares` and `/share-codes`; the default server has no name. */
export const serverPaths = [
  { suffix: '/', params: OwnerParams, hide: true },
  { suffix: '/:server_name', params: OwnedServerParams, hide: false },
] as const

export type ServerPath = (typeof serverPaths)[number]

export function needs(scope: string, resource: 'user' | 'server' | 'group'): RouteAccess {
  return { kind: 'scopes', anyOf: [scope], resource }
}

/** The server in the path, for whoever asks. */
export function addressOf(request: FastifyRequest): ShareAddress {
  return {
    caller: callerOf(request),
    owner: paramOf(request, 'name'),
    server: paramOf(request, 'server_name', ''),
  }
}

/** What an owner's servers as a whole do not have answers 405, after the scope was looked at. */
export function refuseOnOwner(app: ApiApp, url: string): void {
  for (const method of ['POST', 'PATCH', 'DELETE'] as const) {
    app.route({
      method,
      url,
      schema: { hide: true },
      config: { access: needs('shares', 'user') },
      handler: async () => {
        throw new HubError('method_not_allowed')
      },
    })
  }
}
