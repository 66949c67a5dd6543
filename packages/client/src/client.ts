import { createCall } from './call.ts'
import { createGroupsResource } from './resources/groups.ts'
import { createHubResource } from './resources/hub.ts'
import { createRolesResource } from './resources/roles.ts'
import { createRoutesResource } from './resources/routes.ts'
import { createServersResource } from './resources/servers.ts'
import { createServicesResource } from './resources/services.ts'
import { createSharesResource } from './resources/shares.ts'
import { createTokensResource } from './resources/tokens.ts'
import { createUsersResource } from './resources/users.ts'
import { type ClientOptions, createTransport } from './transport.ts'

/**
 * A client of a hub's REST API. Calls answer with a {@link Result}: what can be expected to go wrong
 * is a value. Holds no connection and needs no end; `signal` stops what is under way.
 *
 * @example
 * const hub = createClient({ url: 'http://127.0.0.1:8081/hub/api', token })
 * const started = await hub.servers.startAndWait({ user: 'ada' })
 * console.log(started.ok ? started.value.url : started.error.message)
 */
export function createClient(options: ClientOptions) {
  const transport = createTransport(options)
  const call = createCall(transport)
  return {
    /** Any operation of the API by its name, for what has no method of its own. */
    call,
    hub: createHubResource(call),
    users: createUsersResource(call),
    servers: createServersResource(call, transport),
    tokens: createTokensResource(call),
    groups: createGroupsResource(call),
    services: createServicesResource(call),
    shares: createSharesResource(call),
    roles: createRolesResource(call),
    routes: createRoutesResource(call),
  }
}

export type Client = ReturnType<typeof createClient>
