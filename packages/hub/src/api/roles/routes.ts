import { Type } from 'typebox'
import { HubError } from '../../domain/errors.ts'
import { shorten } from '../../domain/names.ts'
import { listRolesWithCounts, type RoleWithCounts } from '../../storage/roles.ts'
import type { ApiApp, ApiDeps } from '../context.ts'
import { answer, errors } from '../shared-schemas.ts'
import { RoleModel, RoleParams } from './schemas.ts'

const tags = ['roles']
const access = { kind: 'scopes', anyOf: ['read:roles'], resource: 'none' } as const

/**
 * Roles, to read: they come from the configuration.
 * Differs from JupyterHub: it has no such endpoints.
 */
export function registerRoleRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/roles',
    {
      config: { access },
      schema: {
        operationId: 'listRoles',
        summary: 'List roles',
        description: 'All at once. Not in JupyterHub.',
        tags,
        response: { 200: Type.Array(RoleModel, { description: 'The roles.' }), ...errors(403) },
      },
    },
    async () => (await listRolesWithCounts(deps.store.db)).map(view),
  )
  app.get(
    '/roles/:name',
    {
      config: { access },
      schema: {
        operationId: 'getRole',
        summary: 'Get a role',
        description: 'Not in JupyterHub.',
        tags,
        params: RoleParams,
        response: { 200: answer(RoleModel, 'The role.'), ...errors(403, 404) },
      },
    },
    async (request) => {
      const { name } = request.params
      const [role] = await listRolesWithCounts(deps.store.db, name)
      if (role === undefined) {
        throw new HubError('role_not_found', { message: `No such role: ${shorten(name, 100)}` })
      }
      return view(role)
    },
  )
}

function view(role: RoleWithCounts): RoleModel {
  const { name, description, scopes, userCount, groupCount, serviceCount } = role
  return {
    kind: 'role',
    name,
    description,
    scopes: [...scopes],
    members: { users: userCount, groups: groupCount, services: serviceCount },
  }
}
