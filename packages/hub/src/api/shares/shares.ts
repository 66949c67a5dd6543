import { HubError } from '../../domain/errors.ts'
import { shorten } from '../../domain/names.ts'
import type { Server, Share, ShareRecipient } from '../../domain/records.ts'
import { recordAudit } from '../../storage/audit.ts'
import type { Executor } from '../../storage/dialects/dialect.ts'
import { ensureServer, findServer } from '../../storage/servers.ts'
import {
  deleteShare,
  deleteSharesOfServer,
  findRecipient,
  findShare,
  grantShare,
  narrowShare,
} from '../../storage/shares.ts'
import type { WriteTransaction } from '../../storage/store.ts'
import { findUser } from '../../storage/users.ts'
import type { Caller } from '../authorize.ts'
import { actorOf, type ApiDeps } from '../context.ts'
import type { ShareBody } from './schemas.ts'
import { parseRevokedScopes, parseShareScopes, requireShareable } from './scopes.ts'

/** Which server a request is about, and who asks. */
export interface ShareAddress {
  readonly caller: Caller
  readonly owner: string
  /** `''` is the default server. */
  readonly server: string
}

/** Shares a server. Source: contract rest-api §10.4, POST. */
export async function grant(deps: ApiDeps, address: ShareAddress, body: ShareBody): Promise<Share> {
  const named = readRecipient(body)
  const scopes = parseShareScopes(body.scopes, { ...address, rules: deps.rules })
  const now = deps.now()
  return deps.store.write(async (tx) => {
    const server = await ensureSharedServer(tx, address, now)
    requireShareable(address.caller.viewer, scopes, address)
    const recipient = await visibleRecipient(tx.db, address.caller, named)
    const shared = { id: server.id, ownerId: server.userId }
    const share = await grantShare(tx, { server: shared, recipient, scopes, now })
    await audit(tx, { address, action: 'share.grant', data: { [named.kind]: named.name }, now })
    return share
  })
}

/** Takes scopes back. Source: contract rest-api §10.4, PATCH. @returns what is left */
export async function revoke(
  deps: ApiDeps,
  address: ShareAddress,
  body: ShareBody,
): Promise<Share | undefined> {
  const named = readRecipient(body)
  const scopes = parseRevokedScopes(body.scopes, { ...address, rules: deps.rules })
  const now = deps.now()
  return deps.store.write(async (tx) => {
    const serverId = await sharedServerId(tx.db, address)
    const recipient = await findRecipient(tx.db, named.kind, named.name)
    if (serverId === undefined || recipient === undefined) return undefined
    const share = await findShare(tx.db, { serverId, recipient, now })
    if (share === undefined) return undefined
    await audit(tx, { address, action: 'share.revoke', data: { [named.kind]: named.name }, now })
    return narrowShare(tx, share, scopes ?? new Set(share.scopes))
  })
}

/** Ends every share of a server. */
export async function revokeAll(deps: ApiDeps, address: ShareAddress): Promise<void> {
  const now = deps.now()
  await deps.store.write(async (tx) => {
    const serverId = await sharedServerId(tx.db, address)
    if (serverId === undefined) return
    await deleteSharesOfServer(tx, serverId)
    await audit(tx, { address, action: 'share.revoke-all', data: {}, now })
  })
}

/** The recipient gives up what was shared. */
export async function leave(deps: ApiDeps, address: ShareAddress, share: Share): Promise<void> {
  const now = deps.now()
  const { kind, name } = share.recipient
  await deps.store.write(async (tx) => {
    await deleteShare(tx, share)
    await audit(tx, { address, action: 'share.leave', data: { [kind]: name }, now })
  })
}

/**
 * Id of the server; `undefined` for a default server that was never started, which exists on the
 * wire all the same.
 * @throws HubError `server_not_found`
 */
export async function sharedServerId(
  db: Executor,
  address: Pick<ShareAddress, 'owner' | 'server'>,
): Promise<number | undefined> {
  const server = await findServer(db, address.owner, address.server)
  if (server !== undefined) return server.id
  const hasDefault = address.server === '' && (await findUser(db, address.owner)) !== undefined
  if (!hasDefault) throw noSuchServer(address)
  return undefined
}

/** @throws HubError `server_not_found` */
export async function ensureSharedServer(
  transaction: WriteTransaction,
  address: Pick<ShareAddress, 'owner' | 'server'>,
  now: Date,
): Promise<Server> {
  const server = await findServer(transaction.db, address.owner, address.server)
  if (server !== undefined) return server
  const owner = address.server === '' ? await findUser(transaction.db, address.owner) : undefined
  if (owner === undefined) throw noSuchServer(address)
  return ensureServer(transaction, { userId: owner.id, name: '', displayName: '' }, now)
}

function noSuchServer({ owner, server }: Pick<ShareAddress, 'owner' | 'server'>): HubError {
  return new HubError('server_not_found', {
    message: shorten(`No such server: ${owner}/${server}`),
  })
}

interface NamedRecipient {
  readonly kind: ShareRecipient['kind']
  readonly name: string
}

/** An empty name is none. Differs from JupyterHub, which answers 500 where nothing else is named. */
function readRecipient(body: ShareBody): NamedRecipient {
  const user = body.user ?? ''
  const group = body.group ?? ''
  if ((user === '') === (group === '')) {
    throw new HubError('bad_request', { message: 'Specify exactly one of `user` or `group`' })
  }
  return user === '' ? { kind: 'group', name: group } : { kind: 'user', name: user }
}

/** Sharing must not tell who exists: it takes the right to see the recipient's name. */
async function visibleRecipient(
  db: Executor,
  { viewer }: Caller,
  { kind, name }: NamedRecipient,
): Promise<ShareRecipient> {
  const isVisible =
    kind === 'user'
      ? viewer.coversUser('read:users:name', name)
      : viewer.coversGroup('read:groups:name', name)
  if (!isVisible) {
    throw new HubError('scope_missing', {
      message: `Need scope 'read:${kind}s:name' to share with ${kind}s by name`,
    })
  }
  const recipient = await findRecipient(db, kind, name)
  if (recipient !== undefined) return recipient
  throw new HubError('bad_request', { message: shorten(`No such ${kind}: ${name}`) })
}

async function audit(
  transaction: WriteTransaction,
  event: {
    address: ShareAddress
    action: string
    data: Readonly<Record<string, string>>
    now: Date
  },
): Promise<void> {
  const { address, action, data, now } = event
  const actor = actorOf(address.caller.principal)
  const subject = `${address.owner}/${address.server}`
  await recordAudit(transaction, { actor, action, subject, data }, now)
}
