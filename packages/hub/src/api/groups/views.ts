import type { Group } from '../../domain/records.ts'
import { listMemberNamesOf, listRoleNamesOfGroups } from '../../storage/groups.ts'
import type { Executor } from '../../storage/dialects/dialect.ts'
import type { GroupModelKey, Viewer } from '../permissions.ts'
import type { GroupModel } from './schemas.ts'

interface GroupRecord {
  readonly group: Group
  readonly users: readonly string[]
  readonly roles: readonly string[]
}

/** Models of groups as the viewer sees them: two queries, however many groups. */
export async function viewGroups(
  db: Executor,
  groups: readonly Group[],
  viewer: Viewer,
): Promise<GroupModel[]> {
  const ids = groups.map((group) => group.id)
  const [users, roles] = await Promise.all([
    listMemberNamesOf(db, ids),
    listRoleNamesOfGroups(db, ids),
  ])
  return groups.map((group) =>
    viewGroup(
      { group, users: users.get(group.id) ?? [], roles: roles.get(group.id) ?? [] },
      viewer,
    ),
  )
}

/** Source: contract rest-api §6.4. A viewer who may see no key gets `{}`. */
function viewGroup(record: GroupRecord, viewer: Viewer): GroupModel {
  const keys = viewer.groupKeys(record.group.name)
  return Object.fromEntries([...keys].map((key) => [key, groupValue(key, record)]))
}

function groupValue(key: GroupModelKey, { group, users, roles }: GroupRecord): unknown {
  switch (key) {
    case 'kind':
      return 'group'
    case 'name':
      return group.name
    case 'users':
      return users
    case 'properties':
      return group.properties
    case 'roles':
      return roles
  }
}
