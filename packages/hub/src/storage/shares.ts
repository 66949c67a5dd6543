import type { Share, SharedServer, ShareRecipient } from '../domain/records.ts'
import { parseStoredStrings } from '../util/json.ts'
import type { Executor } from './dialects/dialect.ts'
import { toDate } from './rows.ts'
import type { WriteTransaction } from './store.ts'
import { lockUser } from './users.ts'

/** Whose shares: of an owner, of a server, with a user (its groups included), with a group. */
export type ShareSelection =
  | { readonly ownerId: number }
  | { readonly serverId: number }
  | { readonly receivedByUserId: number }
  | { readonly groupId: number }

/** One page of shares by id, and how many there are in all. Ended ones do not count. */
export async function listShares(
  db: Executor,
  query: { selection: ShareSelection; now: Date; offset: number; limit: number },
): Promise<{ shares: Share[]; total: number }> {
  const { selection, now, offset, limit } = query
  const selected = select(selectLiveShares(db, now), selection)
  const { total } = await selected
    .clearSelect()
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  const rows = await selected.orderBy('shares.id').offset(offset).limit(limit).execute()
  return { shares: rows.map(toShare), total }
}

/** The share of a server with exactly this recipient. */
export async function findShare(
  db: Executor,
  share: { serverId: number; recipient: Pick<ShareRecipient, 'kind' | 'id'>; now: Date },
): Promise<Share | undefined> {
  const row = await selectLiveShares(db, share.now)
    .where('shares.server_id', '=', share.serverId)
    .where(columnOf(share.recipient.kind), '=', share.recipient.id)
    .executeTakeFirst()
  return row && toShare(row)
}

/**
 * Adds scopes to what the recipient may do to the server. Grants hang on ids: neither a renamed
 * server or owner loses them, nor does whoever takes an old name get any.
 * @param scopes - names, without filter
 */
export async function grantShare(
  transaction: WriteTransaction,
  grant: {
    server: Pick<SharedServer, 'id' | 'ownerId'>
    recipient: Pick<ShareRecipient, 'kind' | 'id'>
    scopes: readonly string[]
    now: Date
  },
): Promise<Share> {
  const { server, recipient, now } = grant
  await lockUser(transaction, server.ownerId)
  const key = { serverId: server.id, recipient, now }
  const present = await findShare(transaction.db, key)
  if (present === undefined) {
    const { kind, id } = recipient
    // One that has ended may still be stored.
    await transaction.db
      .deleteFrom('shares')
      .where('server_id', '=', server.id)
      .where(columnOf(kind), '=', id)
      .execute()
    await transaction.db
      .insertInto('shares')
      .values({
        owner_id: server.ownerId,
        server_id: server.id,
        user_id: kind === 'user' ? id : null,
        group_id: kind === 'group' ? id : null,
        scopes: toText(grant.scopes),
        created_at: now.getTime(),
      })
      .execute()
  } else {
    await storeScopes(transaction, present, [...present.scopes, ...grant.scopes])
  }
  announceShare(transaction, recipient)
  const share = await findShare(transaction.db, key)
  if (share === undefined) throw new TypeError('the share was just written')
  return share
}

/**
 * Takes scopes from a share; the share ends with the last of them.
 * @returns what is left
 */
export async function narrowShare(
  transaction: WriteTransaction,
  share: Share,
  revoked: ReadonlySet<string>,
): Promise<Share | undefined> {
  const scopes = share.scopes.filter((scope) => !revoked.has(scope))
  if (scopes.length === share.scopes.length) return share
  if (scopes.length === 0) {
    await deleteShare(transaction, share)
    return undefined
  }
  await storeScopes(transaction, share, scopes)
  announceShare(transaction, share.recipient)
  return { ...share, scopes }
}

export async function deleteShare(
  transaction: WriteTransaction,
  share: Pick<Share, 'id' | 'recipient'>,
): Promise<void> {
  await transaction.db.deleteFrom('shares').where('id', '=', share.id).execute()
  announceShare(transaction, share.recipient)
}

/** Ends every share of a server. */
export async function deleteSharesOfServer(
  transaction: WriteTransaction,
  serverId: number,
): Promise<void> {
  const rows = await transaction.db
    .deleteFrom('shares')
    .where('server_id', '=', serverId)
    .returning(['user_id', 'group_id'])
    .execute()
  for (const { user_id: userId, group_id: groupId } of rows) {
    if (userId !== null) announceShare(transaction, { kind: 'user', id: userId })
    if (groupId !== null) announceShare(transaction, { kind: 'group', id: groupId })
  }
}

/** What of a server's sharing is announced is whom it concerns: `user:5`, `group:7`. */
function announceShare(
  transaction: WriteTransaction,
  recipient: Pick<ShareRecipient, 'kind' | 'id'>,
): void {
  transaction.changed('share', `${recipient.kind}:${recipient.id}`)
}

async function storeScopes(
  transaction: WriteTransaction,
  share: Pick<Share, 'id'>,
  scopes: readonly string[],
): Promise<void> {
  await transaction.db
    .updateTable('shares')
    .set({ scopes: toText(scopes) })
    .where('id', '=', share.id)
    .execute()
}

function selectLiveShares(db: Executor, now: Date) {
  return db
    .selectFrom('shares')
    .innerJoin('servers', 'servers.id', 'shares.server_id')
    .innerJoin('users as owner', 'owner.id', 'servers.user_id')
    .leftJoin('users as recipient_user', 'recipient_user.id', 'shares.user_id')
    .leftJoin('groups as recipient_group', 'recipient_group.id', 'shares.group_id')
    .select([
      'shares.id as id',
      'shares.scopes as scopes',
      'shares.created_at as createdAt',
      'shares.user_id as userId',
      'shares.group_id as groupId',
      'recipient_user.name as userName',
      'recipient_group.name as groupName',
      'servers.id as serverId',
      'servers.name as serverName',
      'servers.state as serverState',
      'owner.id as ownerId',
      'owner.name as ownerName',
    ])
    .where((eb) =>
      eb.or([eb('shares.expires_at', 'is', null), eb('shares.expires_at', '>=', now.getTime())]),
    )
}

type LiveShares = ReturnType<typeof selectLiveShares>
type ShareRow = Awaited<ReturnType<LiveShares['execute']>>[number]

function select(shares: LiveShares, selection: ShareSelection): LiveShares {
  if ('ownerId' in selection) return shares.where('servers.user_id', '=', selection.ownerId)
  if ('serverId' in selection) return shares.where('shares.server_id', '=', selection.serverId)
  if ('groupId' in selection) return shares.where('shares.group_id', '=', selection.groupId)
  const userId = selection.receivedByUserId
  return shares.where((eb) =>
    eb.or([
      eb('shares.user_id', '=', userId),
      eb(
        'shares.group_id',
        'in',
        eb.selectFrom('group_members').select('group_id').where('user_id', '=', userId),
      ),
    ]),
  )
}

function columnOf(kind: ShareRecipient['kind']): 'shares.user_id' | 'shares.group_id' {
  return kind === 'user' ? 'shares.user_id' : 'shares.group_id'
}

function toText(scopes: readonly string[]): string {
  return JSON.stringify([...new Set(scopes)].toSorted())
}

/** Names of stored scopes; what an older row says of the server is not believed. */
export function parseSharedScopes(text: string): string[] {
  const names = parseStoredStrings(text).map((scope) => scope.split('!', 1)[0] ?? scope)
  return [...new Set(names)].toSorted()
}

function toShare(row: ShareRow): Share {
  return {
    id: row.id,
    server: toSharedServer(row),
    recipient: toRecipient(row),
    scopes: parseSharedScopes(row.scopes),
    createdAt: toDate(row.createdAt),
  }
}

/** Columns of a server that {@link Share} and share codes select alike. */
export function toSharedServer(row: {
  serverId: number
  serverName: string
  serverState: string
  ownerId: number
  ownerName: string
}): SharedServer {
  return {
    id: row.serverId,
    ownerId: row.ownerId,
    ownerName: row.ownerName,
    name: row.serverName,
    ready: row.serverState === 'ready',
  }
}

function toRecipient(row: ShareRow): ShareRecipient {
  if (row.userId !== null) return { kind: 'user', id: row.userId, name: row.userName ?? '' }
  if (row.groupId !== null) return { kind: 'group', id: row.groupId, name: row.groupName ?? '' }
  throw new TypeError(`share ${row.id} has no recipient`)
}

/** The user or group of this name. */
export async function findRecipient(
  db: Executor,
  kind: ShareRecipient['kind'],
  name: string,
): Promise<ShareRecipient | undefined> {
  const row = await db
    .selectFrom(kind === 'user' ? 'users' : 'groups')
    .select(['id', 'name'])
    .where('name', '=', name)
    .executeTakeFirst()
  return row && { kind, ...row }
}
