import type { Selectable } from 'kysely'
import type { Token, TokenOwner } from '../domain/records.ts'
import { parseStoredStrings } from '../util/json.ts'
import type { Executor } from './dialects/dialect.ts'
import { toDate, toDateOrNull } from './rows.ts'
import type { Schema } from './schema.ts'
import type { WriteTransaction } from './store.ts'
import { hashToken, isStretchedHash, isTokenOf, tokenPrefix } from './token-hash.ts'

/** OAuth client that plain API tokens and server tokens belong to. */
export const hubClientId = 'jupyterhub'

export interface NewToken {
  /** The value itself; only its hash is stored. */
  readonly value: string
  readonly owner: { readonly kind: 'user' | 'service'; readonly id: number }
  readonly scopes: readonly string[]
  readonly note: string
  readonly clientId?: string
  readonly sessionId?: string | null
  /** Set for the token that a server itself runs with. */
  readonly serverId?: number
  readonly expiresAt?: Date | null
  /** For values that people chose: stored so that guessing costs more. */
  readonly stretched?: boolean
}

/** Stores a token and returns its id (`a<id>` on the wire). */
export async function createToken(
  transaction: WriteTransaction,
  token: NewToken,
  now: Date,
): Promise<number> {
  const { id } = await transaction.db
    .insertInto('api_tokens')
    .values({
      hashed: hashToken(token.value, { stretched: token.stretched === true }),
      prefix: tokenPrefix(token.value),
      user_id: token.owner.kind === 'user' ? token.owner.id : null,
      service_id: token.owner.kind === 'service' ? token.owner.id : null,
      server_id: token.serverId ?? null,
      client_id: token.clientId ?? hubClientId,
      session_id: token.sessionId ?? null,
      note: token.note,
      scopes: JSON.stringify(token.scopes),
      created_at: now.getTime(),
      expires_at: token.expiresAt?.getTime() ?? null,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  transaction.changed('token', id)
  return id
}

/** A token with what only the hub needs to know of it. */
export interface StoredToken extends Token {
  /** The server that runs with this token, if it is such a token. */
  readonly serverId: number | null
}

/**
 * The unexpired token with this value.
 * @param beforeStretching - called before each slow comparison; may throw
 */
export async function findTokenByValue(
  db: Executor,
  value: string,
  now: Date,
  beforeStretching: () => void = () => undefined,
): Promise<StoredToken | undefined> {
  const rows = await selectTokens(db)
    .where('api_tokens.prefix', '=', tokenPrefix(value))
    .where((eb) =>
      eb.or([
        eb('api_tokens.expires_at', 'is', null),
        eb('api_tokens.expires_at', '>=', now.getTime()),
      ]),
    )
    .execute()
  // One round first: a stretched hash costs 10 ms, and most candidates share but the prefix.
  const candidates = rows.toSorted((a, b) => a.hashed.length - b.hashed.length)
  const row = candidates.find(({ hashed }) => {
    if (isStretchedHash(hashed)) beforeStretching()
    return isTokenOf(hashed, value)
  })
  return row && toToken(row)
}

/** A user's tokens, expired ones included, by last use (creation if unused). */
export async function listTokensOfUser(db: Executor, userId: number): Promise<StoredToken[]> {
  const rows = await selectTokens(db).where('api_tokens.user_id', '=', userId).execute()
  return rows
    .map(toToken)
    .toSorted((a, b) => lastUse(a).getTime() - lastUse(b).getTime() || a.id - b.id)
}

export async function findTokenById(db: Executor, id: number): Promise<StoredToken | undefined> {
  const row = await selectTokens(db).where('api_tokens.id', '=', id).executeTakeFirst()
  return row && toToken(row)
}

/** Which tokens to delete; all given conditions must hold, and at least one is needed. */
export interface TokenSelection {
  readonly id?: number
  readonly userId?: number
  readonly serviceId?: number
  readonly serverId?: number
  readonly sessionId?: string
  readonly clientId?: string
  readonly note?: string
  readonly expiredAt?: Date
}

/** @returns how many were deleted */
export async function deleteTokens(
  transaction: WriteTransaction,
  selection: TokenSelection,
): Promise<number> {
  if (Object.values(selection).every((value) => value === undefined)) {
    throw new TypeError('deleting every token takes a condition')
  }
  const { id, userId, serviceId, serverId, sessionId, clientId, note, expiredAt } = selection
  let query = transaction.db.deleteFrom('api_tokens').returning('id')
  if (id !== undefined) query = query.where('id', '=', id)
  if (userId !== undefined) query = query.where('user_id', '=', userId)
  if (serviceId !== undefined) query = query.where('service_id', '=', serviceId)
  if (note !== undefined) query = query.where('note', '=', note)
  if (serverId !== undefined) query = query.where('server_id', '=', serverId)
  if (sessionId !== undefined) query = query.where('session_id', '=', sessionId)
  if (clientId !== undefined) query = query.where('client_id', '=', clientId)
  if (expiredAt !== undefined) query = query.where('expires_at', '<', expiredAt.getTime())
  const rows = await query.execute()
  for (const row of rows) transaction.changed('token', row.id)
  return rows.length
}

/** Lets a token live longer; hubs that hold it in memory look again when the old time has come. */
export async function extendToken(
  transaction: WriteTransaction,
  id: number,
  expiresAt: Date,
): Promise<void> {
  await transaction.db
    .updateTable('api_tokens')
    .set({ expires_at: expiresAt.getTime() })
    .where('id', '=', id)
    .execute()
  transaction.changed('token', id)
}

/** Moves the last use of tokens forward. */
export async function touchToken(
  transaction: WriteTransaction,
  id: number,
  at: Date,
): Promise<void> {
  await transaction.db
    .updateTable('api_tokens')
    .set({ last_activity_at: at.getTime() })
    .where('id', '=', id)
    .where((eb) =>
      eb.or([eb('last_activity_at', 'is', null), eb('last_activity_at', '<', at.getTime())]),
    )
    .execute()
}

function selectTokens(db: Executor) {
  return db
    .selectFrom('api_tokens')
    .leftJoin('users', 'users.id', 'api_tokens.user_id')
    .leftJoin('services', 'services.id', 'api_tokens.service_id')
    .innerJoin('oauth_clients', 'oauth_clients.id', 'api_tokens.client_id')
    .selectAll('api_tokens')
    .select([
      'users.name as user_name',
      'services.name as service_name',
      'oauth_clients.description as client_description',
    ])
}

type TokenRow = Selectable<Schema['api_tokens']> & {
  user_name: string | null
  service_name: string | null
  client_description: string
}

function toToken(row: TokenRow): StoredToken {
  return {
    id: row.id,
    owner: toOwner(row),
    clientId: row.client_id,
    clientDescription: row.client_description,
    sessionId: row.session_id,
    serverId: row.server_id,
    note: row.note,
    scopes: parseStoredStrings(row.scopes),
    createdAt: toDate(row.created_at),
    expiresAt: toDateOrNull(row.expires_at),
    lastActivityAt: toDateOrNull(row.last_activity_at),
  }
}

function toOwner(row: TokenRow): TokenOwner {
  if (row.user_id !== null && row.user_name !== null) {
    return { kind: 'user', id: row.user_id, name: row.user_name }
  }
  if (row.service_id !== null && row.service_name !== null) {
    return { kind: 'service', id: row.service_id, name: row.service_name }
  }
  throw new TypeError(`token ${row.id} has no owner`)
}

function lastUse(token: Token): Date {
  return token.lastActivityAt ?? token.createdAt
}
