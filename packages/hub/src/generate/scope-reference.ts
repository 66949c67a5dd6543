import { defaultRoles } from '../rbac/roles.ts'
import { type ScopeDefinition, scopeTable } from '../rbac/scope-table.ts'
import { type ApiDocument, listOperations } from './client-types.ts'
import { code, codes, madeBy, toPage, toTable } from './markdown.ts'

/** `docs/reference/scopes.md`: what the scopes allow, and what they are needed for. */
export function toScopeReference(document: ApiDocument): string {
  const users = usersOf(document)
  const scopes = Object.entries<ScopeDefinition>(scopeTable)
  return toPage([
    madeBy,
    '# Scopes',
    'A scope is one permission. Roles are named sets of scopes; users, groups and services hold roles, and tokens hold scopes of their ' +
      'own that count as far as their owner holds them at the moment of the request.',
    'A filter narrows a scope to some resources: `read:users!user=ada`, `read:users!group=staff`, `access:servers!server=ada/gpu`, ' +
      '`read:services!service=watcher`. `!user`, `!server` and `!service` without a value mean those of whoever holds the scope. A ' +
      'filter that is not listed for a scope makes it useless.',
    '`self` and `inherit` stand for other scopes: everything about one’s own resources, and everything that the owner of a token may do.',
    '## All scopes',
    toTable(
      ['scope', 'allows', 'includes', 'filters', 'lets one call'],
      scopes.map(([name, { description, subscopes = [], filters = [] }]) => [
        code(name),
        description,
        codes(subscopes),
        filters.join(', '),
        (users.get(name) ?? [])
          .map((request) => `[${request}](rest-api.md#${toAnchor(request)})`)
          .join(', '),
      ]),
    ),
    '## Roles that every hub has',
    '`JupyterHub.load_roles` changes them and adds others; `orrery roles list` shows what a hub has.',
    toTable(
      ['role', 'for', 'scopes'],
      defaultRoles.map(({ name, description, scopes: held }) => [
        code(name),
        description,
        codes(held),
      ]),
    ),
  ])
}

/** Requests by the scope that each needs. */
function usersOf(document: ApiDocument): Map<string, string[]> {
  const users = new Map<string, string[]>()
  for (const { operation, method, path } of listOperations(document)) {
    const scopes = new Set(operation.security.flatMap((each) => Object.values(each).flat()))
    for (const scope of scopes) {
      users.set(scope, [...(users.get(scope) ?? []), `${method} ${path}`])
    }
  }
  return users
}

/** As Markdown renderers make them from headings. */
export function toAnchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-')
}
