import { Type, type Static } from 'typebox'

const count = (of: string) => Type.Integer({ description: `${of} that hold it directly.` })

/** Of Orrery's own: JupyterHub shows roles only as names on their holders. */
export const RoleModel = Type.Object(
  {
    kind: Type.Literal('role'),
    name: Type.String(),
    description: Type.String(),
    scopes: Type.Array(Type.String(), { description: 'As they were given, not expanded.' }),
    members: Type.Object({
      users: count('Users'),
      groups: count('Groups'),
      services: count('Services'),
    }),
  },
  { title: 'Role', description: 'A named set of scopes.' },
)
export type RoleModel = Static<typeof RoleModel>

export const RoleParams = Type.Object({ name: Type.String({ description: 'Name of the role.' }) })
