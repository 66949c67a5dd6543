import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { ShareCode } from '../domain/records.ts'
import type { Executor } from './dialects/dialect.ts'
import { toDate, toDateOrNull } from './rows.ts'
import { parseSharedScopes, toSharedServer } from './shares.ts'
import type { WriteTransaction } from './store.ts'
import { hashToken, isTokenOf, tokenPrefix } from './token-hash.ts'

const codeBytes = 32
/** Longer texts are no codes. */
const maxCodeLength = 128

/** 43 characters of base64url. Source: contract single-user-and-services §9. */
export function newShareCode(): string {
  return randomBytes(codeBytes).toString('base64url')
}

/** Stores a code by its hash. @param scopes - names, without filter */
export async function createShareCode(
  transaction: WriteTransaction,
  code: { value: string; serverId: number; scopes: readonly string[]; now: Date; expiresAt: Date },
): Promise<ShareCode> {
  const { id } = await transaction.db
    .insertInto('share_codes')
    .values({
      hashed: hashToken(code.value),
      prefix: tokenPrefix(code.value),
      server_id: code.serverId,
      scopes: JSON.stringify([...new Set(code.scopes)].toSorted()),
      created_at: code.now.getTime(),
      expires_at: code.expiresAt.getTime(),
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  const row = await selectCodes(transaction.db)
    .where('share_codes.id', '=', id)
    .executeTakeFirstOrThrow()
  return toShareCode(row)
}

/** The unexpired code with this value. */
export async function findShareCode(
  db: Executor,
  value: string,
  now: Date,
): Promise<ShareCode | undefined> {
  if (value === '' || value.length > maxCodeLength) return undefined
  const rows = await selectCodes(db)
    .select('share_codes.hashed')
    .where('share_codes.prefix', '=', tokenPrefix(value))
    .where('share_codes.expires_at', '>=', now.getTime())
    .execute()
  const row = rows.find((candidate) => isTokenOf(candidate.hashed, value))
  return row && toShareCode(row)
}

/** One page of unexpired codes by id, and how many there are in all. */
export async function listShareCodes(
  db: Executor,
  query: {
    selection: { readonly ownerId: number } | { readonly serverId: number }
    now: Date
    offset: number
    limit: number
  },
): Promise<{ codes: ShareCode[]; total: number }> {
  const { selection, now, offset, limit } = query
  const live = selectCodes(db).where('share_codes.expires_at', '>=', now.getTime())
  const selected =
    'ownerId' in selection
      ? live.where('servers.user_id', '=', selection.ownerId)
      : live.where('share_codes.server_id', '=', selection.serverId)
  const { total } = await selected
    .clearSelect()
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  const rows = await selected.orderBy('share_codes.id').offset(offset).limit(limit).execute()
  return { codes: rows.map(toShareCode), total }
}

/** Counts one more use. @returns whether the code is still there */
export async function countShareCodeUse(
  transaction: WriteTransaction,
  id: number,
  now: Date,
): Promise<boolean> {
  const row = await transaction.db
    .updateTable('share_codes')
    .set({ exchange_count: sql`exchange_count + 1`, last_exchanged_at: now.getTime() })
    .where('id', '=', id)
    .where('expires_at', '>=', now.getTime())
    .returning('id')
    .executeTakeFirst()
  return row !== undefined
}

/** Deletes codes of a server, or the one with an id. @returns how many */
export async function deleteShareCodes(
  transaction: WriteTransaction,
  selection: { serverId: number; id?: number },
): Promise<number> {
  let query = transaction.db.deleteFrom('share_codes').where('server_id', '=', selection.serverId)
  if (selection.id !== undefined) query = query.where('id', '=', selection.id)
  return (await query.returning('id').execute()).length
}

export async function purgeShareCodes(transaction: WriteTransaction, now: Date): Promise<void> {
  await transaction.db.deleteFrom('share_codes').where('expires_at', '<', now.getTime()).execute()
}

function selectCodes(db: Executor) {
  return db
    .selectFrom('share_codes')
    .innerJoin('servers', 'servers.id', 'share_codes.server_id')
    .innerJoin('users as owner', 'owner.id', 'servers.user_id')
    .select([
      'share_codes.id as id',
      'share_codes.scopes as scopes',
      'share_codes.created_at as createdAt',
      'share_codes.expires_at as expiresAt',
      'share_codes.exchange_count as exchangeCount',
      'share_codes.last_exchanged_at as lastExchangedAt',
      'servers.id as serverId',
      'servers.name as serverName',
      'servers.state as serverState',
      'owner.id as ownerId',
      'owner.name as ownerName',
    ])
}

type CodeRow = Awaited<ReturnType<ReturnType<typeof selectCodes>['execute']>>[number]

function toShareCode(row: CodeRow): ShareCode {
  return {
    id: row.id,
    server: toSharedServer(row),
    scopes: parseSharedScopes(row.scopes),
    createdAt: toDate(row.createdAt),
    expiresAt: toDate(row.expiresAt),
    exchangeCount: row.exchangeCount,
    lastExchangedAt: toDateOrNull(row.lastExchangedAt),
  }
}
