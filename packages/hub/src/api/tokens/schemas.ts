import { Type, type Static } from 'typebox'
import { nullable, Timestamp } from '../shared-schemas.ts'

const tokenFields = {
  user: Type.Optional(Type.String({ description: 'Owner, where it is a user.' })),
  service: Type.Optional(Type.String({ description: 'Owner, where it is a service.' })),
  id: Type.String({ description: '`a` and a number.' }),
  kind: Type.Literal('api_token'),
  roles: Type.Array(Type.String(), { description: 'Always empty, for older clients.' }),
  scopes: Type.Array(Type.String(), { description: 'What the token may do now, expanded.' }),
  created: Timestamp,
  last_activity: nullable(Timestamp),
  expires_at: nullable(Timestamp, 'null: never'),
  note: Type.String(),
  session_id: nullable(Type.String(), 'Browser session that it ends with.'),
  oauth_client: Type.String({ description: 'Who it was issued to.' }),
}

/** Source: JupyterHub 6.0 rest-api.yml, Token; contract rest-api §6.3. */
export const TokenModel = Type.Object(tokenFields, { title: 'Token' })
export type TokenModel = Static<typeof TokenModel>

export const NewTokenModel = Type.Object(
  { ...tokenFields, token: Type.String({ description: 'The secret; it is shown only now.' }) },
  { title: 'NewToken' },
)

export const TokenListModel = Type.Object(
  { api_tokens: Type.Array(TokenModel) },
  { title: 'TokenList' },
)

/** Other keys are ignored. Source: contract rest-api §9.1. */
export const CreateBody = Type.Object(
  {
    note: Type.Optional(Type.Unknown({ description: 'What the token is for.' })),
    expires_in: Type.Optional(
      Type.Union([Type.Integer(), Type.Boolean(), Type.Null()], {
        description: 'Seconds; null or 0 is as long as the hub allows.',
      }),
    ),
    scopes: Type.Optional(nullable(Type.Array(Type.String(), { maxItems: 1000 }))),
    roles: Type.Optional(nullable(Type.Array(Type.String(), { maxItems: 1000 }))),
    auth: Type.Optional(
      Type.Unknown({ description: 'Credentials of a user who has no token yet.' }),
    ),
  },
  { title: 'TokenCreate', description: 'At most one of `scopes` and `roles`.' },
)
export type CreateBody = Static<typeof CreateBody>

export const TokenParams = Type.Object({
  name: Type.String({ description: 'Name of the owner.' }),
  token_id: Type.String({ description: '`a` and a number.' }),
})
