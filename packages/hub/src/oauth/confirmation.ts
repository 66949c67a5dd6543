import type { ClientTarget } from '../access/client-target.ts'
import type { Principal } from '../access/principal.ts'
import type { StoredToken } from '../storage/tokens.ts'
import { type Html, html } from '../web/html.ts'

export interface ConfirmationQuestion {
  readonly clientId: string
  readonly target: ClientTarget
  readonly user: Principal
  readonly scopes: readonly string[]
  /** The client never asks: a service with `oauth_no_confirm`. */
  readonly noConfirm: boolean
  readonly tokens: readonly StoredToken[]
  readonly now: Date
}

/** Whether the user is asked first. Source: contract single-user-and-services §5.4. */
export function needsConfirmation(question: ConfirmationQuestion): boolean {
  const { clientId, target, user, noConfirm } = question
  if (target.kind === 'server' && target.ownerId === user.id) return false
  if (noConfirm) return false
  const at = question.now.getTime()
  const granted = new Set(
    question.tokens
      .filter((token) => token.clientId === clientId)
      .filter((token) => token.expiresAt === null || token.expiresAt.getTime() >= at)
      .flatMap((token) => token.scopes),
  )
  return !question.scopes.every((scope) => granted.has(scope))
}

export interface ConfirmationPage {
  readonly description: string
  readonly target: ClientTarget
  readonly username: string
  readonly scopes: readonly string[]
  readonly xsrfToken: string
}

/**
 * The question, as a form that posts to the URL it was shown at: the query keeps the parameters.
 * Source: contract single-user-and-services §5.4 (field names).
 */
export function renderConfirmation(page: ConfirmationPage): Html {
  return html`<h1>Authorize access</h1>
<p><strong>${nameOf(page.target)}</strong> (${page.description}) would like permission to identify you, <strong>${page.username}</strong>.</p>
<p>It will be able to:</p>
<ul>
${page.scopes.map((scope) => html`<li>${describe(scope, page.username)} <code>${scope}</code></li>`)}
</ul>
<p>Authorize only what you trust: whoever runs it acts in your name within these limits.</p>
<form method="post" action="">
<input type="hidden" name="_xsrf" value="${page.xsrfToken}">
${page.scopes.map((scope) => html`<input type="hidden" name="scopes" value="${scope}">`)}
<button type="submit">Authorize</button>
</form>`
}

function nameOf(target: ClientTarget): string {
  if (target.kind === 'service') return `The service ${target.name}`
  const { username, serverName } = target
  return serverName === '' ? `The server of ${username}` : `The server ${serverName} of ${username}`
}

/** What the scopes that every token has mean; others speak for themselves. */
function describe(scope: string, username: string): string {
  const [base = scope, filter] = scope.split('!', 2)
  const texts: Readonly<Record<string, string>> = {
    'read:users:name': 'Read your name',
    'read:users:groups': 'Read which groups you are in',
    'access:servers': 'Open servers that you may open',
    'access:services': 'Open services that you may open',
    openid: 'Know who you are at each visit',
    profile: 'Read your profile',
    email: 'Read your e-mail address',
    groups: 'Read which groups you are in',
    inherit: `Do everything that ${username} may do`,
  }
  return texts[base] ?? (filter === undefined ? 'Use:' : 'Use, within limits:')
}
