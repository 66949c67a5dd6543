import type { Share, SharedServer, ShareCode } from '../../domain/records.ts'
import { serverPath } from '../../domain/urls.ts'
import type { ApiSettings } from '../context.ts'
import { toWireTime, toWireTimeOrNull } from '../timestamps.ts'
import type { NewShareCodeModel, SharedServerModel, ShareCodeModel, ShareModel } from './schemas.ts'

type ViewSettings = Pick<ApiSettings, 'baseUrl' | 'hubPrefix' | 'publicUrl'>

export function viewShare(share: Share, settings: ViewSettings): ShareModel {
  const { server, recipient } = share
  return {
    server: viewSharedServer(server, settings),
    scopes: wireScopes(share.scopes, server),
    user: recipient.kind === 'user' ? { name: recipient.name } : null,
    group: recipient.kind === 'group' ? { name: recipient.name } : null,
    kind: recipient.kind,
    created_at: toWireTime(share.createdAt),
  }
}

export function viewShareCode(code: ShareCode, settings: ViewSettings): ShareCodeModel {
  return {
    server: viewSharedServer(code.server, settings),
    scopes: wireScopes(code.scopes, code.server),
    id: `sc_${code.id}`,
    created_at: toWireTime(code.createdAt),
    expires_at: toWireTime(code.expiresAt),
    exchange_count: code.exchangeCount,
    last_exchanged_at: toWireTimeOrNull(code.lastExchangedAt),
  }
}

/** The answer to creation, which alone holds the code. */
export function viewNewShareCode(
  code: ShareCode,
  value: string,
  settings: ViewSettings,
): NewShareCodeModel {
  const acceptUrl = `${settings.hubPrefix}accept-share?code=${encodeURIComponent(value)}`
  return {
    ...viewShareCode(code, settings),
    code: value,
    accept_url: acceptUrl,
    full_accept_url: toPublic(settings.publicUrl, acceptUrl),
  }
}

/** What everybody may see of a shared server, whatever their scopes. Source: contract rest-api §6.6. */
function viewSharedServer(server: SharedServer, settings: ViewSettings): SharedServerModel {
  const url = serverPath(settings.baseUrl, server.ownerName, server.name)
  return {
    user: { name: server.ownerName },
    name: server.name,
    url,
    full_url: toPublic(settings.publicUrl, url),
    ready: server.ready,
  }
}

function wireScopes(names: readonly string[], server: SharedServer): string[] {
  return names.map((name) => `${name}!server=${server.ownerName}/${server.name}`).toSorted()
}

function toPublic(publicUrl: URL | undefined, path: string): string | null {
  return publicUrl === undefined ? null : new URL(path, publicUrl).href
}
