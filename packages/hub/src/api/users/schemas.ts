import { Type, type Static } from 'typebox'
import { pageQueryFields } from '../pagination.ts'
import { PendingModel, ServerModel } from '../servers/schemas.ts'
import { FreeObject, includeStopped, nullable, Timestamp } from '../shared-schemas.ts'

/**
 * Which keys appear depends on the caller's scopes.
 * Source: JupyterHub 6.0 rest-api.yml, User; contract rest-api §6.1.
 */
export const UserModel = Type.Object(
  {
    kind: Type.Optional(Type.Literal('user')),
    name: Type.Optional(Type.String()),
    admin: Type.Optional(Type.Boolean()),
    disabled: Type.Optional(
      Type.Literal(true, { description: 'Only for users who may not sign in.' }),
    ),
    user_info: Type.Optional(nullable(FreeObject, 'Profile from the authenticator.')),
    roles: Type.Optional(Type.Array(Type.String(), { description: 'Directly held roles.' })),
    groups: Type.Optional(Type.Array(Type.String())),
    server: Type.Optional(nullable(Type.String(), 'URL of the default server while it is ready.')),
    pending: Type.Optional(nullable(PendingModel, 'Transition under way of the default server.')),
    created: Type.Optional(Timestamp),
    last_activity: Type.Optional(nullable(Timestamp)),
    auth_state: Type.Optional(nullable(FreeObject, 'Needs `admin:auth_state`.')),
    servers: Type.Optional(
      Type.Record(Type.String(), ServerModel, { description: 'Servers by name.' }),
    ),
  },
  { title: 'User', description: 'A person; keys that the caller may not see are absent.' },
)
export type UserModel = Static<typeof UserModel>

export const ListQuery = Type.Object({
  ...pageQueryFields,
  ...includeStopped,
  state: Type.Optional(
    Type.Union(
      [Type.Literal(''), Type.Literal('active'), Type.Literal('ready'), Type.Literal('inactive')],
      { description: 'Users with an active server, with a ready one, or with none active.' },
    ),
  ),
  name_filter: Type.Optional(
    Type.String({ maxLength: 1024, description: 'Case-insensitive part of the name.' }),
  ),
  sort: Type.Optional(
    Type.String({
      pattern: '^-?(?:id|name|last_activity)$',
      description: '`id`, `name` or `last_activity`; with `-` descending.',
    }),
  ),
})
export type ListQuery = Static<typeof ListQuery>

export const OneQuery = Type.Object({ ...includeStopped })

const userFields = {
  admin: Type.Optional(Type.Boolean()),
  name: Type.Optional(Type.String()),
  groups: Type.Optional(Type.Array(Type.Unknown())),
  roles: Type.Optional(Type.Array(Type.Unknown())),
  auth_state: Type.Optional(nullable(FreeObject)),
}

export const CreateBody = Type.Object(userFields, {
  title: 'UserCreate',
  description: 'Only `admin` has an effect; the other keys are accepted for older clients.',
  additionalProperties: false,
})
export type CreateBody = Static<typeof CreateBody>

export const BulkBody = Type.Object(
  {
    ...userFields,
    usernames: Type.Array(Type.String(), {
      minItems: 1,
      maxItems: 10_000,
      description: 'Names to create; those that exist are skipped.',
    }),
  },
  { title: 'UsersCreate', additionalProperties: false },
)
export type BulkBody = Static<typeof BulkBody>

/** Differs from JupyterHub: `groups` and `roles` are refused with 400, not 500. */
export const EditBody = Type.Object(
  {
    name: userFields.name,
    admin: userFields.admin,
    auth_state: Type.Optional(FreeObject),
    disabled: Type.Optional(
      Type.Boolean({
        description:
          'true ends sessions, tokens and servers of the user and refuses new ones. Orrery only.',
      }),
    ),
  },
  { title: 'UserEdit', additionalProperties: false },
)
export type EditBody = Static<typeof EditBody>

/** Source: contract rest-api §7.6. Other keys are ignored. */
export const ActivityBody = Type.Object(
  {
    last_activity: Type.Optional(nullable(Type.String(), 'Last activity of the user.')),
    servers: Type.Optional(
      nullable(
        Type.Record(Type.String(), Type.Object({ last_activity: Type.String() })),
        'Last activity of servers, by name.',
      ),
    ),
  },
  { title: 'Activity', description: 'At least one of the two; values only move forward.' },
)
export type ActivityBody = Static<typeof ActivityBody>
