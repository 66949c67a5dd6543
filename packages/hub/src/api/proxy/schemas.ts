import { Type, type Static } from 'typebox'
import { FreeObject } from '../shared-schemas.ts'

/** Source: contract rest-api §10.3. */
export const RouteModel = Type.Object(
  {
    routespec: Type.String({ description: 'Path or `host/path`, ending in a slash.' }),
    target: Type.String({ description: '`proto://host:port` that requests go to.' }),
    data: FreeObject,
  },
  {
    title: 'ProxyRoute',
    description:
      'A route of the hub; `data` names the hub, user and server, or service, with the last ' +
      'activity of a server.',
  },
)
export type RouteModel = Static<typeof RouteModel>

export const RouteTable = Type.Record(Type.String(), RouteModel, {
  description: 'Routes by routespec.',
})

/** Other keys are ignored. */
export const ProxyBody = Type.Object(
  {
    api_url: Type.Optional(
      Type.String({ maxLength: 2048, description: 'Where the proxy is; edges need none.' }),
    ),
    auth_token: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1024,
        description: 'Secret that the proxy presents.',
      }),
    ),
  },
  { title: 'ProxyChange' },
)
