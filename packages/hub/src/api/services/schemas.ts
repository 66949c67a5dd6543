import { Type, type Static } from 'typebox'
import { FreeObject } from '../shared-schemas.ts'

/** Source: contract rest-api §6.5. Keys that the caller may not see are left out. */
export const ServiceModel = Type.Partial(
  Type.Object({
    kind: Type.Literal('service'),
    name: Type.String(),
    admin: Type.Boolean(),
    roles: Type.Array(Type.String()),
    url: Type.String({ description: 'Where the hub reaches it; empty for none.' }),
    prefix: Type.String({ description: 'Path of its pages; empty without `url`.' }),
    command: Type.Array(Type.String(), { description: 'Empty unless the hub runs it.' }),
    pid: Type.Integer({ description: '0 without a process of the hub.' }),
    info: FreeObject,
    display: Type.Boolean({ description: 'Whether pages link to it.' }),
  }),
  { title: 'Service', description: 'A program with an identity of its own.' },
)
export type ServiceModel = Static<typeof ServiceModel>

export const ServiceParams = Type.Object({
  name: Type.String({ description: 'Name of the service.' }),
})

const maxScopes = 10_000

/**
 * Keys of a service that the hub runs are known and, unless empty, refused.
 * Source: contract rest-api §10.2.
 */
export const CreateServiceBody = Type.Object(
  {
    name: Type.Optional(Type.String({ description: 'Ignored: the path has the name.' })),
    admin: Type.Optional(Type.Boolean({ description: 'Give it the role admin.' })),
    url: Type.Optional(Type.String({ description: 'Gives it pages below `/services/NAME/`.' })),
    api_token: Type.Optional(
      Type.String({ description: 'Token it speaks to the hub with, 8 characters at least.' }),
    ),
    oauth_client_id: Type.Optional(
      Type.String({ description: '`service-NAME` when left out; must begin with `service-`.' }),
    ),
    oauth_redirect_uri: Type.Optional(Type.String()),
    oauth_no_confirm: Type.Optional(
      Type.Boolean({ description: 'Do not ask visitors whether it may know who they are.' }),
    ),
    oauth_client_allowed_scopes: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: maxScopes,
        description: 'What its visitors may let it do.',
      }),
    ),
    info: Type.Optional(FreeObject),
    display: Type.Optional(Type.Boolean()),
    command: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Must be empty: only the configuration has those.',
      }),
    ),
    cwd: Type.Optional(Type.String({ description: 'No effect without a command.' })),
    environment: Type.Optional(FreeObject),
    user: Type.Optional(Type.String({ description: 'No effect without a command.' })),
  },
  { additionalProperties: false, minProperties: 1, title: 'CreateService' },
)
export type CreateServiceBody = Static<typeof CreateServiceBody>
