import type { Membership, Principal } from '../../access/principal.ts'
import type { ScopeRules } from '../../access/scope-rules.ts'
import { HubError } from '../../domain/errors.ts'
import { shorten } from '../../domain/names.ts'
import type { User } from '../../domain/records.ts'
import { findRole } from '../../storage/access.ts'
import { recordAudit } from '../../storage/audit.ts'
import { newApiToken } from '../../storage/token-hash.ts'
import { createToken, findTokenById, type StoredToken } from '../../storage/tokens.ts'
import { actorOf, type ApiDeps } from '../context.ts'
import { toScopeStrings } from '../../rbac/scope-set.ts'
import type { CreateBody } from './schemas.ts'

const maxNoteLength = 1023
/** A hundred years: above it, instants leave what databases and clients can say. */
const maxLifetimeSeconds = 3_155_760_000

export interface TokenRequest {
  /** Who asks; the owner unless somebody asks for another. */
  readonly requester: Principal
  readonly owner: User
  readonly ownerPrincipal: Principal
  readonly membership: Membership
  readonly body: CreateBody
}

/** Issues a token; its secret is known only now. Source: contract rest-api §9.1, steps 6-10. */
export async function issueToken(
  deps: ApiDeps,
  request: TokenRequest,
): Promise<{ token: StoredToken; secret: string }> {
  const { body, owner, requester } = request
  const expiresInSeconds = readLifetime(body.expires_in, deps.settings.tokenExpiresInMaxSeconds)
  const scopes = await requestedScopes(deps, body)
  requireWithinOwner(deps.rules, request, scopes)
  const secret = newApiToken()
  const now = deps.now()
  const token = await deps.store.write(async (tx) => {
    const id = await createToken(
      tx,
      {
        value: secret,
        owner: { kind: 'user', id: owner.id },
        scopes,
        note: readNote(body.note, requester, owner),
        expiresAt:
          expiresInSeconds === undefined ? null : new Date(now.getTime() + expiresInSeconds * 1000),
      },
      now,
    )
    const data = { token: id, scopes }
    const audit = { actor: actorOf(requester), action: 'token.create', subject: owner.name, data }
    await recordAudit(tx, audit, now)
    return findTokenById(tx.db, id)
  })
  if (token === undefined) throw new TypeError('a token that was just created is there')
  return { token, secret }
}

/**
 * Seconds until the token ends; `undefined` is never.
 * Differs from JupyterHub: 0 under a configured maximum means the maximum (D14).
 */
function readLifetime(value: CreateBody['expires_in'], maxSeconds: number): number | undefined {
  const seconds = Number(value ?? 0)
  if (seconds < 0) {
    throw new HubError('bad_request', { message: 'body.expires_in must not be negative' })
  }
  const max = maxSeconds > 0 ? maxSeconds : maxLifetimeSeconds
  if (seconds > max) {
    throw new HubError('bad_request', { message: `body.expires_in must not exceed ${max}` })
  }
  if (seconds > 0) return seconds
  return maxSeconds > 0 ? maxSeconds : undefined
}

/** Roles are resolved now; later changes of a role do not follow. */
async function requestedScopes(deps: ApiDeps, body: CreateBody): Promise<string[]> {
  const { scopes, roles } = body
  const hasScopes = scopes !== undefined && scopes !== null
  const hasRoles = roles !== undefined && roles !== null
  if (hasScopes && hasRoles) {
    throw new HubError('bad_request', { message: 'Give scopes or roles, not both' })
  }
  if (hasScopes) return [...new Set(scopes)]
  const found = new Set<string>()
  for (const name of hasRoles ? roles : ['token']) {
    const role = await findRole(deps.store.db, name)
    if (role === undefined) {
      throw new HubError('bad_request', { message: `No such role: ${shorten(name, 100)}` })
    }
    for (const scope of role.scopes) found.add(scope)
  }
  return [...found]
}

/** The ceiling is what the owner may do, never what the requesting token may. */
function requireWithinOwner(
  rules: ScopeRules,
  request: TokenRequest,
  scopes: readonly string[],
): void {
  const unknown = scopes.filter((scope) => !rules.isScope(scope))
  if (unknown.length > 0) {
    throw new HubError('token_scopes_invalid', {
      message: shorten(`No such scopes: ${unknown.join(', ')}`),
    })
  }
  const { ownerPrincipal, membership } = request
  const { kind, name } = ownerPrincipal
  const wanted = rules.expand(
    scopes.filter((scope) => scope !== 'inherit'),
    { owner: { kind, name } },
  )
  const common = rules.intersect(wanted, ownerPrincipal.scopes, membership)
  const had = new Set(toScopeStrings(common))
  const excess = toScopeStrings(wanted).filter((scope) => !had.has(scope))
  if (excess.length === 0) return
  throw new HubError('token_scopes_invalid', {
    message: shorten(
      `Not assigning requested scopes ${excess.join(', ')} to ${name}: not held by the owner`,
    ),
  })
}

function readNote(note: unknown, requester: Principal, owner: User): string {
  if (typeof note === 'string' && note !== '') return note.slice(0, maxNoteLength)
  const isOwn = requester.kind === 'user' && requester.id === owner.id
  return isOwn ? 'Requested via api' : `Requested via api by ${requester.kind} ${requester.name}`
}
