import { Type, type Static } from 'typebox'
import { envelopeSchema, pageQueryFields } from '../pagination.ts'
import { nullable, Timestamp } from '../shared-schemas.ts'

const SharedServerModel = Type.Object(
  {
    user: Type.Object({ name: Type.String({ description: 'Owner of the server.' }) }),
    name: Type.String({ description: 'Empty for the default server.' }),
    url: Type.String({ description: 'Path of the server, ending in a slash.' }),
    full_url: nullable(Type.String(), 'Absolute URL where one is configured.'),
    ready: Type.Boolean({ description: 'Accepts traffic.' }),
  },
  { title: 'SharedServer' },
)
export type SharedServerModel = Static<typeof SharedServerModel>

const scopes = Type.Array(Type.String(), {
  description: 'Sorted; each is filtered to the server, by the name that it has now.',
})

/** Source: JupyterHub 6.0 rest-api.yml, Shared; contract rest-api §6.6. */
export const ShareModel = Type.Object(
  {
    server: SharedServerModel,
    scopes,
    user: nullable(Type.Object({ name: Type.String() })),
    group: nullable(Type.Object({ name: Type.String() })),
    kind: Type.Union([Type.Literal('user'), Type.Literal('group')]),
    created_at: Timestamp,
  },
  { title: 'Share', description: 'What a user or group may do to a server of somebody else.' },
)
export type ShareModel = Static<typeof ShareModel>

const codeFields = {
  server: SharedServerModel,
  scopes,
  id: Type.String({ description: '`sc_` and a number.' }),
  created_at: Timestamp,
  expires_at: Timestamp,
  exchange_count: Type.Integer({ description: 'How often it was accepted.' }),
  last_exchanged_at: nullable(Timestamp),
}

export const ShareCodeModel = Type.Object(codeFields, {
  title: 'ShareCode',
  description: 'An invitation; whoever has its code may accept it until it expires.',
})
export type ShareCodeModel = Static<typeof ShareCodeModel>

export const NewShareCodeModel = Type.Object(
  {
    ...codeFields,
    code: Type.String({ description: 'The secret; it is shown only now.' }),
    accept_url: Type.String({ description: 'Path of the page that accepts it.' }),
    full_accept_url: nullable(Type.String(), 'Absolute URL where one is configured.'),
  },
  { title: 'NewShareCode' },
)
export type NewShareCodeModel = Static<typeof NewShareCodeModel>

const requestedScopes = Type.Optional(
  nullable(
    Type.Array(Type.String(), { maxItems: 1000 }),
    'Without any, or only filtered to this very server. None stands for access.',
  ),
)

/** Source: contract rest-api §10.4. */
export const ShareBody = Type.Object(
  {
    scopes: requestedScopes,
    user: Type.Optional(nullable(Type.String(), 'Name of a user.')),
    group: Type.Optional(nullable(Type.String(), 'Name of a group.')),
  },
  {
    title: 'ShareRequest',
    description: 'Exactly one of `user` and `group`.',
    additionalProperties: false,
  },
)
export type ShareBody = Static<typeof ShareBody>

/** Source: contract rest-api §10.5. */
export const ShareCodeBody = Type.Object(
  {
    scopes: requestedScopes,
    expires_in: Type.Optional(
      Type.Union([Type.Number(), Type.String()], {
        description: 'Seconds from 60 to 31536000; a day by default.',
      }),
    ),
  },
  { title: 'ShareCodeCreate', additionalProperties: false },
)
export type ShareCodeBody = Static<typeof ShareCodeBody>

/** What is left of a share: nothing, as an empty object, when it has ended. */
export const RemainingShare = Type.Union([
  ShareModel,
  Type.Object({}, { additionalProperties: false, description: 'Nothing is shared any more.' }),
])

export const ListQuery = Type.Object(pageQueryFields)
export const ShareList = envelopeSchema(Type.Array(ShareModel))
export const CodeList = envelopeSchema(Type.Array(ShareCodeModel))

const owner = Type.String({ description: 'Name of the owner of the servers.' })
const serverName = Type.String({ description: 'Name of the server.' })

export const OwnerParams = Type.Object({ name: owner })
export const OwnedServerParams = Type.Object({ name: owner, server_name: serverName })
