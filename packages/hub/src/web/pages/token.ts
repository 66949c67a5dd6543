import type { FastifyInstance } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import type { Token } from '../../domain/records.ts'
import { deleteTokens, hubClientId, listTokensOfUser } from '../../storage/tokens.ts'
import { type Html, html } from '../html.ts'
import {
  definePage,
  type Exchange,
  field,
  page,
  redirect,
  requireScope,
  signedIn,
  xsrf,
} from '../page-kit.ts'
import type { SignedIn, WebDeps, WebSettings } from '../web-deps.ts'

type ViewerExchange = Exchange & { viewer: SignedIn }

const expirations = [
  [3600, '1 Hour'],
  [86_400, '1 Day'],
  [604_800, '1 Week'],
  [2_592_000, '1 Month'],
  [31_536_000, '1 Year'],
] as const

/** API tokens and authorized applications. Source: contract pages-and-urls §4.6. */
export function registerTokenPage(app: FastifyInstance, deps: WebDeps): void {
  definePage(app, deps, {
    url: `${deps.settings.hubPrefix}token`,
    methods: { GET: signedIn(showTokens), POST: signedIn(revoke) },
  })
}

async function showTokens(exchange: ViewerExchange): Promise<string> {
  const { deps, viewer } = exchange
  const tokens = await liveTokens(deps, viewer.user.id)
  const own = tokens.filter((token) => token.clientId === hubClientId)
  const clients = Map.groupBy(
    tokens.filter((token) => token.clientId !== hubClientId),
    (token) => token.clientId,
  )
  const xsrfToken = xsrf(exchange)
  const { settings } = deps
  return page(exchange, {
    title: 'Tokens',
    xsrfToken,
    data: { page: 'token' },
    main: html`<h1>Tokens</h1>
${requestForm(settings)}
<h2>API tokens</h2>
<p class="hint">Anyone who has a token can act for you within its scopes. Revoke those you do not use.</p>
<div class="scroll"><table><thead><tr><th scope="col">Note</th><th scope="col">Permissions</th><th scope="col">Last used</th><th scope="col">Created</th><th scope="col">Expires</th><th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>
<tbody>${own.toReversed().map((token) => tokenRow(token, { settings, xsrfToken }))}</tbody></table></div>
${
  clients.size > 0 &&
  html`<h2>Authorized applications</h2>
<div class="scroll"><table><thead><tr><th scope="col">Application</th><th scope="col">Last used</th><th scope="col">First authorized</th><th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>
<tbody>${[...clients.values()].map((group) => clientRow(group, { settings, xsrfToken }))}</tbody></table></div>`
}`,
  })
}

async function liveTokens(deps: WebDeps, userId: number) {
  const now = deps.now()
  const tokens = await listTokensOfUser(deps.store.db, userId)
  const isLive = (token: Token) => token.expiresAt === null || token.expiresAt >= now
  if (!tokens.every(isLive)) {
    await deps.store.write((transaction) => deleteTokens(transaction, { userId, expiredAt: now }))
  }
  return tokens.filter(isLive)
}

/** Revokes one token, or every token of a client. Works without script. */
async function revoke(exchange: ViewerExchange): Promise<string> {
  const { deps, request, viewer } = exchange
  await requireScope(exchange, 'tokens', { username: viewer.user.name })
  const id = /^a(\d{1,15})$/.exec(field(request.body, 'token'))?.[1]
  const tokens = await listTokensOfUser(deps.store.db, viewer.user.id)
  const token = tokens.find((item) => item.id === Number(id))
  if (token === undefined) throw new HubError('token_not_found')
  const { clientId } = token
  const userId = viewer.user.id
  const selection = clientId === hubClientId ? { id: token.id, userId } : { clientId, userId }
  await deps.store.write((transaction) => deleteTokens(transaction, selection))
  return redirect(exchange, `${deps.settings.hubPrefix}token`, 303)
}

function requestForm(settings: WebSettings): Html {
  const max = settings.tokenExpiresInMaxSeconds
  const offered = expirations.filter(([seconds]) => max === 0 || seconds <= max)
  const last = max === 0 ? 'Never' : `Max (${describeSeconds(max)})`
  return html`<form id="request-token-form" class="card">
<h2>Request a new API token</h2>
<label for="token-note">Note</label>
<input id="token-note" maxlength="1000" placeholder="What the token is for">
<label for="token-expiration-seconds">Expires in</label>
<select id="token-expiration-seconds">${offered.map(([seconds, label]) => html`<option value="${seconds}">${label}</option>`)}<option value="" selected>${last}</option></select>
<label for="token-scopes">Permissions</label>
<input id="token-scopes" autocomplete="off" spellcheck="false" aria-describedby="token-scopes-hint">
<p class="hint" id="token-scopes-hint">Scopes, separated by spaces; empty for all that you may do.</p>
<div class="actions"><button type="submit" class="btn-primary">Request new API token</button></div>
<noscript><p class="hint">Requesting a token takes JavaScript, or <code>jupyterhub token</code> on the command line.</p></noscript>
</form>
<div id="token-area" class="notice" role="status" hidden><p>Your new token. Copy it now, it is not shown again:</p><pre id="token-result"></pre></div>
<p id="token-error" class="error" role="alert" hidden></p>`
}

interface RowContext {
  readonly settings: WebSettings
  readonly xsrfToken: string
}

function tokenRow(token: Token, context: RowContext): Html {
  return html`<tr class="token-row" data-token-id="a${token.id}"><td>${token.note}</td><td>${token.scopes.join(' ') || 'default'}</td><td>${time(token.lastActivityAt)}</td><td>${time(token.createdAt)}</td><td>${time(token.expiresAt)}</td><td>${revokeForm(token, context)}</td></tr>`
}

function clientRow(tokens: readonly Token[], context: RowContext): Html | undefined {
  const [first] = tokens.toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime())
  if (first === undefined) return undefined
  const uses = tokens.map((token) => token.lastActivityAt?.getTime() ?? 0)
  const lastUse = Math.max(...uses)
  const used = lastUse === 0 ? null : new Date(lastUse)
  return html`<tr class="token-row client-row" data-token-id="a${first.id}"><td>${first.clientDescription || first.clientId}</td><td>${time(used)}</td><td>${time(first.createdAt)}</td><td>${revokeForm(first, context)}</td></tr>`
}

function revokeForm(token: Token, { settings, xsrfToken }: RowContext): Html {
  return html`<form method="post" action="${settings.hubPrefix}token"><input type="hidden" name="_xsrf" value="${xsrfToken}"><input type="hidden" name="token" value="a${token.id}"><button type="submit" class="revoke-token-btn btn-danger">Revoke</button></form>`
}

function time(date: Date | null): Html {
  if (date === null) return html`Never`
  const text = date.toISOString()
  return html`<time datetime="${text}">${text.slice(0, 16).replace('T', ' ')} UTC</time>`
}

function describeSeconds(seconds: number): string {
  const known = expirations.find(([value]) => value === seconds)
  if (known !== undefined) return known[1]
  return seconds % 3600 === 0 ? `${seconds / 3600} hours` : `${seconds} seconds`
}
