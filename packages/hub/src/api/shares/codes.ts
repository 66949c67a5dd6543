import { HubError } from '../../domain/errors.ts'
import { shorten } from '../../domain/names.ts'
import type { ShareCode } from '../../domain/records.ts'
import { recordAudit } from '../../storage/audit.ts'
import {
  createShareCode,
  deleteShareCodes,
  findShareCode,
  newShareCode,
} from '../../storage/share-codes.ts'
import { actorOf, type ApiDeps } from '../context.ts'
import type { ShareCodeBody } from './schemas.ts'
import { parseShareScopes, requireShareable } from './scopes.ts'
import { ensureSharedServer, type ShareAddress, sharedServerId } from './shares.ts'

const defaultExpirySeconds = 86_400
const minExpirySeconds = 60
const maxExpirySeconds = 31_536_000

/** Makes an invitation. Source: contract rest-api §10.5, POST. @returns it with its only copy */
export async function issueShareCode(
  deps: ApiDeps,
  address: ShareAddress,
  body: ShareCodeBody,
): Promise<{ code: ShareCode; value: string }> {
  const scopes = parseShareScopes(body.scopes, { ...address, rules: deps.rules })
  const seconds = readExpiry(body.expires_in)
  requireShareable(address.caller.viewer, scopes, address)
  const value = newShareCode()
  const now = deps.now()
  const expiresAt = new Date(now.getTime() + seconds * 1000)
  const code = await deps.store.write(async (tx) => {
    const server = await ensureSharedServer(tx, address, now)
    const created = await createShareCode(tx, {
      value,
      serverId: server.id,
      scopes,
      now,
      expiresAt,
    })
    await recordAudit(tx, auditOf(address, 'share-code.create'), now)
    return created
  })
  return { code, value }
}

/**
 * Deletes a code by its value, else by its id, else all of the server. Empty texts are absent.
 * Source: contract rest-api §10.5, DELETE.
 */
export async function removeShareCodes(
  deps: ApiDeps,
  address: ShareAddress,
  query: { readonly code?: string; readonly id?: string },
): Promise<void> {
  const { code = '', id = '' } = query
  const now = deps.now()
  await deps.store.write(async (tx) => {
    const serverId = await sharedServerId(tx.db, address)
    if (code !== '') {
      const found = await findShareCode(tx.db, code, now)
      if (found === undefined || found.server.id !== serverId)
        throw notFound('No matching code found')
      await deleteShareCodes(tx, { serverId: found.server.id, id: found.id })
    } else if (id !== '') {
      const number = Number(/^sc_(\d{1,15})/.exec(id)?.[1] ?? Number.NaN)
      const deleted =
        serverId === undefined || Number.isNaN(number)
          ? 0
          : await deleteShareCodes(tx, { serverId, id: number })
      if (deleted === 0) throw notFound(shorten(`No code found matching id=${id}`, 200))
    } else if (serverId !== undefined) {
      await deleteShareCodes(tx, { serverId })
    }
    await recordAudit(tx, auditOf(address, 'share-code.delete'), now)
  })
}

/** Whole seconds, as a number or as its text (`"1_000"` too). @throws HubError `bad_request` */
function readExpiry(expiresIn: number | string | undefined): number {
  if (expiresIn === undefined) return defaultExpirySeconds
  const isNumeric =
    typeof expiresIn === 'number' || /^\s*\+?\d{1,3}(_?\d){0,9}(\.0*)?\s*$/.test(expiresIn)
  const text = String(expiresIn).replaceAll('_', '')
  const seconds = isNumeric ? Number(text) : Number.NaN
  if (!Number.isInteger(seconds) || seconds < minExpirySeconds || seconds > maxExpirySeconds) {
    throw new HubError('bad_request', {
      message: `body.expires_in must be a whole number from ${minExpirySeconds} to ${maxExpirySeconds}`,
    })
  }
  return seconds
}

function auditOf(address: ShareAddress, action: string) {
  const actor = actorOf(address.caller.principal)
  return { actor, action, subject: `${address.owner}/${address.server}` }
}

function notFound(message: string): HubError {
  return new HubError('not_found', { message })
}
