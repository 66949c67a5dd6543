import type { FastifyInstance } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import type { SharedServer, ShareCode, User } from '../../domain/records.ts'
import { findBuiltIn } from '../../rbac/scope-table.ts'
import { recordAudit } from '../../storage/audit.ts'
import { countShareCodeUse, findShareCode } from '../../storage/share-codes.ts'
import { grantShare } from '../../storage/shares.ts'
import { type Html, html } from '../html.ts'
import {
  definePage,
  type Exchange,
  fieldValues,
  nextOf,
  page,
  redirect,
  signedIn,
  xsrf,
} from '../page-kit.ts'
import { serverUrl } from '../server-pages.ts'
import type { SignedIn, WebDeps } from '../web-deps.ts'

type ViewerExchange = Exchange & { viewer: SignedIn }

/** Accepting what somebody shares. Source: contract pages-and-urls §4.7. */
export function registerAcceptSharePage(app: FastifyInstance, deps: WebDeps): void {
  definePage(app, deps, {
    url: `${deps.settings.hubPrefix}accept-share`,
    methods: { GET: signedIn(showInvitation), POST: signedIn(accept) },
  })
}

async function showInvitation(exchange: ViewerExchange): Promise<string> {
  const { deps, viewer } = exchange
  const value = codeOf(exchange)
  const code = await findShareCode(deps.store.db, value, deps.now())
  if (code === undefined) {
    throw new HubError('not_found', { message: 'Share not found or expired' })
  }
  if (code.server.ownerId === viewer.user.id) {
    throw new HubError('forbidden', { message: "You can't share with yourself!" })
  }
  const main = invitation(exchange, { code, value, xsrfToken: xsrf(exchange) })
  return page(exchange, { title: 'Accept sharing invitation', main })
}

async function accept(exchange: ViewerExchange): Promise<string> {
  const { deps, viewer } = exchange
  const server = await redeemShareCode(deps, viewer.user, codeOf(exchange))
  return redirect(exchange, targetOf(exchange, server))
}

/**
 * Turns a code into a share, or extends the one that is there. A code may be redeemed by anybody,
 * any number of times, until it expires.
 * @throws HubError `bad_request` for a code that is not valid, and for one's own server
 */
async function redeemShareCode(deps: WebDeps, user: User, value: string): Promise<SharedServer> {
  const now = deps.now()
  return deps.store.write(async (tx) => {
    const code = await findShareCode(tx.db, value, now)
    if (code === undefined || !(await countShareCodeUse(tx, code.id, now))) {
      throw new HubError('bad_request', { message: 'Invalid share code' })
    }
    const { server, scopes } = code
    if (server.ownerId === user.id) {
      throw new HubError('bad_request', { message: "You can't share with yourself!" })
    }
    await grantShare(tx, { server, recipient: { kind: 'user', id: user.id }, scopes, now })
    const subject = `${server.ownerName}/${server.name}`
    const data = { code: `sc_${code.id}` }
    await recordAudit(
      tx,
      { actor: `user ${user.name}`, action: 'share.accept', subject, data },
      now,
    )
    return server
  })
}

/** @throws HubError `bad_request` without a code */
function codeOf({ request }: Exchange): string {
  const values = [...fieldValues(request.query, 'code'), ...fieldValues(request.body, 'code')]
  const value = values.at(-1)
  if (value === undefined) throw new HubError('bad_request', { message: 'Missing argument code' })
  return value.trim()
}

function targetOf(exchange: Exchange, server: SharedServer): string {
  return nextOf(exchange) || serverUrl(exchange.deps.settings, server.ownerName, server.name)
}

/** The form posts to the URL it was shown at, which keeps `next`. */
function invitation(
  exchange: ViewerExchange,
  form: { code: ShareCode; value: string; xsrfToken: string },
): Html {
  const { code, value, xsrfToken } = form
  const { ownerName, name, ready } = code.server
  const url = serverUrl(exchange.deps.settings, ownerName, name)
  const target = targetOf(exchange, code.server)
  return html`<h1>Accept sharing invitation</h1>
<p>You (${exchange.viewer.user.name}) have been invited to access ${ownerName}'s server${name !== '' && ` (${name})`} at <a href="${url}">${url}</a>.</p>
${
  !ready &&
  html`<p class="notice" role="note">The server is not running now. After accepting, you may need to ask ${ownerName} to start it before you can use it.</p>`
}
<form method="post" action="" class="card">
<p>You will be able to, on this server only:</p>
<ul>
${code.scopes.map((scope) => html`<li>${findBuiltIn(scope)?.description ?? 'Use:'} <code>${scope}</code></li>`)}
</ul>
<input type="hidden" name="_xsrf" value="${xsrfToken}">
<input type="hidden" name="code" value="${value}">
<div class="actions"><button type="submit" class="btn-primary">Accept invitation</button></div>
<p class="hint">Afterwards you go on to <a href="${target}">${target}</a>.</p>
</form>`
}
