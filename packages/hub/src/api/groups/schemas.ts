import { Type, type Static } from 'typebox'
import { FreeObject } from '../shared-schemas.ts'

/** Source: JupyterHub 6.0 rest-api.yml, Group; contract rest-api §6.4. */
export const GroupModel = Type.Object(
  {
    kind: Type.Optional(Type.Literal('group')),
    name: Type.Optional(Type.String()),
    users: Type.Optional(Type.Array(Type.String(), { description: 'Names of the members.' })),
    properties: Type.Optional(FreeObject),
    roles: Type.Optional(Type.Array(Type.String())),
  },
  { title: 'Group', description: 'A set of users; keys that the caller may not see are absent.' },
)
export type GroupModel = Static<typeof GroupModel>

const userNames = Type.Array(Type.String(), {
  maxItems: 10_000,
  description: 'Names of existing users.',
})
/** Accepted for older clients, without effect. */
const ignored = {
  name: Type.Optional(Type.String()),
  roles: Type.Optional(Type.Array(Type.Unknown())),
}

export const BulkBody = Type.Object(
  {
    groups: Type.Array(Type.String(), { minItems: 1, maxItems: 10_000 }),
    users: Type.Optional(userNames),
    ...ignored,
  },
  {
    title: 'GroupsCreate',
    description: 'The users become members of every group.',
    additionalProperties: false,
  },
)
export type BulkBody = Static<typeof BulkBody>

export const CreateBody = Type.Object(
  { users: Type.Optional(userNames), ...ignored },
  { title: 'GroupCreate', description: 'May be left out.', additionalProperties: false },
)
export type CreateBody = Static<typeof CreateBody>

export const MembersBody = Type.Object(
  { users: userNames, ...ignored },
  { title: 'GroupMembers', additionalProperties: false },
)
export type MembersBody = Static<typeof MembersBody>

export const GroupParams = Type.Object({ name: Type.String({ description: 'Name of the group.' }) })
