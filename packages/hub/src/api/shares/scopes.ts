import type { ScopeRules } from '../../access/scope-rules.ts'
import { HubError } from '../../domain/errors.ts'
import { shorten } from '../../domain/names.ts'
import type { Viewer } from '../permissions.ts'

/** What is shared when nothing is said. */
const accessScope = 'access:servers'

interface ServerName {
  readonly owner: string
  readonly server: string
}

/**
 * Names of the scopes of a share request, without their filter.
 * Source: contract rest-api §10.4, steps 2 to 4.
 * Differs from JupyterHub: an unknown scope is a 400, not a 500.
 * @throws HubError `bad_request` for scopes that do not exist or are filtered to something else
 */
export function parseShareScopes(
  requested: readonly string[] | null | undefined,
  target: ServerName & { rules: ScopeRules },
): string[] {
  const scopes = requested ?? []
  if (scopes.length === 0) return [accessScope]
  const own = `server=${target.owner}/${target.server}`
  const names = scopes.map((scope) => {
    if (!target.rules.isScope(scope)) throw invalid(`No such scope: ${shorten(scope, 200)}`)
    const bang = scope.indexOf('!')
    if (bang !== -1 && scope.slice(bang + 1) !== own) {
      throw invalid(`${shorten(scope, 200)} is filtered to something else than !${own}`)
    }
    return bang === -1 ? scope : scope.slice(0, bang)
  })
  return [...new Set(names)].toSorted()
}

/**
 * Nobody shares what they may not do themselves.
 * @throws HubError `scope_missing`
 */
export function requireShareable(
  viewer: Viewer,
  scopes: readonly string[],
  { owner, server }: ServerName,
): void {
  const missing = scopes.find((scope) => !viewer.coversServer(scope, owner, server))
  if (missing === undefined) return
  throw new HubError('scope_missing', {
    message: `Do not have permission to grant share with scope ${missing}!server=${owner}/${server}`,
  })
}

/**
 * What a request takes back: of the requested texts those that are spelled as the share has them.
 * `undefined` is everything. Source: contract rest-api §10.4, PATCH.
 * @throws HubError `bad_request` for scopes that do not exist
 */
export function parseRevokedScopes(
  requested: readonly string[] | null | undefined,
  target: ServerName & { rules: ScopeRules },
): ReadonlySet<string> | undefined {
  const scopes = requested ?? []
  if (scopes.length === 0) return undefined
  const suffix = `!server=${target.owner}/${target.server}`
  const unknown = scopes.find((scope) => !target.rules.isScope(scope))
  if (unknown !== undefined) throw invalid(`No such scope: ${shorten(unknown, 200)}`)
  const spelled = scopes.filter((scope) => scope.endsWith(suffix))
  return new Set(spelled.map((scope) => scope.slice(0, -suffix.length)))
}

function invalid(message: string): HubError {
  return new HubError('bad_request', { message })
}
