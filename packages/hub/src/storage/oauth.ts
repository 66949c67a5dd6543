import type { Selectable } from 'kysely'
import type { OAuthClient, OAuthCode } from '../domain/records.ts'
import { parseStoredStrings } from '../util/json.ts'
import type { Executor } from './dialects/dialect.ts'
import { toDate, toDateOrNull } from './rows.ts'
import type { Schema } from './schema.ts'
import type { WriteTransaction } from './store.ts'
import { sha256Hex } from './token-hash.ts'

export async function findOAuthClient(db: Executor, id: string): Promise<OAuthClient | undefined> {
  const row = await db
    .selectFrom('oauth_clients')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  return row && toClient(row)
}

/** Creates or replaces a client; its tokens and codes stay. */
export async function putOAuthClient(
  transaction: WriteTransaction,
  client: OAuthClient,
): Promise<void> {
  const { id, ...values } = toValues(client)
  await transaction.db
    .insertInto('oauth_clients')
    .values({ id, ...values })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
    .execute()
  transaction.changed('client', client.id)
}

/** The id of the client that a server has, if any. */
export async function findClientIdOfServer(
  db: Executor,
  serverId: number,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('oauth_clients')
    .select('id')
    .where('server_id', '=', serverId)
    .executeTakeFirst()
  return row?.id
}

/**
 * Creates or replaces the client of a server, but takes none from anybody else.
 * @returns false when the id belongs to another server
 */
export async function claimServerClient(
  transaction: WriteTransaction,
  client: OAuthClient & { readonly serverId: number },
): Promise<boolean> {
  const { id, ...values } = toValues(client)
  const row = await transaction.db
    .insertInto('oauth_clients')
    .values({ id, ...values })
    .onConflict((conflict) =>
      conflict
        .column('id')
        .doUpdateSet(values)
        .where('oauth_clients.server_id', '=', client.serverId),
    )
    .returning('id')
    .executeTakeFirst()
  if (row === undefined) return false
  transaction.changed('client', id)
  return true
}

/** Deletes clients of servers that do not run, with what was issued to them. There should be none. */
export async function purgeOrphanedClients(transaction: WriteTransaction): Promise<void> {
  const { db } = transaction
  const rows = await db
    .deleteFrom('oauth_clients')
    .where('server_id', 'in', db.selectFrom('servers').select('id').where('state', '=', 'stopped'))
    .returning('id')
    .execute()
  for (const row of rows) transaction.changed('client', row.id)
}

/** Deletes the client of a server, and with it every code and browser token issued to it. */
export async function deleteClientsOfServer(
  transaction: WriteTransaction,
  serverId: number,
): Promise<void> {
  const rows = await transaction.db
    .deleteFrom('oauth_clients')
    .where('server_id', '=', serverId)
    .returning('id')
    .execute()
  for (const row of rows) transaction.changed('client', row.id)
}

export async function listClientIdsOfService(db: Executor, serviceId: number): Promise<string[]> {
  const rows = await db
    .selectFrom('oauth_clients')
    .select('id')
    .where('service_id', '=', serviceId)
    .execute()
  return rows.map((row) => row.id)
}

/** Deletes clients of a service (one, or all), and with them every code and token issued to them. */
export async function deleteClientsOfService(
  transaction: WriteTransaction,
  serviceId: number,
  id?: string,
): Promise<void> {
  let query = transaction.db.deleteFrom('oauth_clients').where('service_id', '=', serviceId)
  if (id !== undefined) query = query.where('id', '=', id)
  for (const row of await query.returning('id').execute()) transaction.changed('client', row.id)
}

/** Stores a code by its hash. */
export async function createOAuthCode(
  transaction: WriteTransaction,
  value: string,
  code: OAuthCode,
): Promise<void> {
  await transaction.db
    .insertInto('oauth_codes')
    .values({
      hashed: sha256Hex(value),
      client_id: code.clientId,
      user_id: code.userId,
      redirect_uri: code.redirectUri,
      session_id: code.sessionId,
      scopes: JSON.stringify(code.scopes),
      code_challenge: code.codeChallenge,
      code_challenge_method: code.codeChallengeMethod,
      nonce: code.nonce,
      signed_in_at: code.signedInAt?.getTime() ?? null,
      expires_at: code.expiresAt.getTime(),
    })
    .execute()
}

export async function findOAuthCode(
  db: Executor,
  value: string,
  now: Date,
): Promise<OAuthCode | undefined> {
  const row = await db
    .selectFrom('oauth_codes')
    .selectAll()
    .where('hashed', '=', sha256Hex(value))
    .where('expires_at', '>=', now.getTime())
    .executeTakeFirst()
  return row && toCode(row)
}

/** Uses a code up. Exactly one of several concurrent callers gets `true`. */
export async function consumeOAuthCode(
  transaction: WriteTransaction,
  value: string,
): Promise<boolean> {
  const rows = await transaction.db
    .deleteFrom('oauth_codes')
    .where('hashed', '=', sha256Hex(value))
    .returning('client_id')
    .execute()
  return rows.length === 1
}

export async function purgeOAuthCodes(transaction: WriteTransaction, now: Date): Promise<void> {
  await transaction.db.deleteFrom('oauth_codes').where('expires_at', '<', now.getTime()).execute()
}

function toValues(client: OAuthClient) {
  return {
    id: client.id,
    description: client.description,
    secret_hash: client.secretHash,
    redirect_uri: client.redirectUri,
    allowed_scopes: JSON.stringify(client.allowedScopes),
    server_id: client.serverId,
    service_id: client.serviceId,
  }
}

function toClient(row: Selectable<Schema['oauth_clients']>): OAuthClient {
  return {
    id: row.id,
    description: row.description,
    secretHash: row.secret_hash,
    redirectUri: row.redirect_uri,
    allowedScopes: parseStoredStrings(row.allowed_scopes),
    serverId: row.server_id,
    serviceId: row.service_id,
  }
}

function toCode(row: Selectable<Schema['oauth_codes']>): OAuthCode {
  return {
    clientId: row.client_id,
    userId: row.user_id,
    redirectUri: row.redirect_uri,
    sessionId: row.session_id,
    scopes: parseStoredStrings(row.scopes),
    codeChallenge: row.code_challenge,
    codeChallengeMethod:
      row.code_challenge_method === 'S256' || row.code_challenge_method === 'plain'
        ? row.code_challenge_method
        : null,
    nonce: row.nonce,
    signedInAt: toDateOrNull(row.signed_in_at),
    expiresAt: toDate(row.expires_at),
  }
}
