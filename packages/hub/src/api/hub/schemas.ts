import { Type, type Static } from 'typebox'
import { nullable } from '../shared-schemas.ts'
import { UserModel } from '../users/schemas.ts'

export const VersionModel = Type.Object(
  { version: Type.String({ description: 'Version of the JupyterHub protocol spoken.' }) },
  { title: 'Version' },
)

const Component = Type.Object({ class: Type.String(), version: Type.String() })

export const InfoModel = Type.Object(
  {
    version: Type.String(),
    python: Type.String({ description: 'Version of the Python that servers run with.' }),
    sys_executable: Type.String(),
    spawner: Component,
    authenticator: Component,
  },
  { title: 'Info' },
)

/** Source: contract rest-api §6.5, §6.7. */
export const IdentityModel = Type.Intersect(
  [
    Type.Omit(UserModel, ['kind', 'name']),
    Type.Object({
      kind: Type.Union([Type.Literal('user'), Type.Literal('service')]),
      name: Type.String(),
      token_id: nullable(Type.String(), 'null for a login cookie.'),
      session_id: nullable(Type.String()),
      scopes: Type.Array(Type.String(), { description: 'Effective scopes, expanded, sorted.' }),
    }),
  ],
  { title: 'Identity', description: 'The caller, as itself.' },
)
export type IdentityModel = Static<typeof IdentityModel>
