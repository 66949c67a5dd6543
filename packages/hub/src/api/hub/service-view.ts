import type { Principal } from '../../access/principal.ts'
import { escapePathSegment } from '../../domain/urls.ts'
import { listRolesOfService } from '../../storage/access.ts'
import { parseStoredObject } from '../../util/json.ts'
import type { ApiDeps } from '../context.ts'
import type { Viewer } from '../permissions.ts'

/** A service as it sees itself. Source: contract rest-api §6.5. */
export async function loadServiceView(
  deps: Pick<ApiDeps, 'store' | 'settings'>,
  principal: Principal,
  viewer: Viewer,
) {
  const { name, id } = principal
  const { db } = deps.store
  const row = await db
    .selectFrom('services')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  const prefix = `${deps.settings.baseUrl}services/${escapePathSegment(name)}/`
  return {
    admin: row.admin === 1,
    ...(viewer.coversService('read:services', name) && {
      url: row.url,
      prefix: row.url === '' ? '' : prefix,
      command: [],
      pid: 0,
      info: { ...parseStoredObject(row.info) },
      display: row.display === 1,
    }),
    ...(viewer.coversService('read:roles:services', name) && {
      roles: (await listRolesOfService(db, id)).map((role) => role.name),
    }),
  }
}
