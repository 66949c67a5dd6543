import type { FastifyInstance } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import type { User } from '../../domain/records.ts'
import { listServersOf } from '../../storage/servers.ts'
import { upgradePasswordHash } from '../accounts.ts'
import { authenticateAtOnce, authenticateCredentials } from '../authenticate.ts'
import { externalLoginUrl } from '../external-login.ts'
import { html } from '../html.ts'
import {
  definePage,
  type Exchange,
  field,
  fieldValues,
  nextOf,
  page,
  redirect,
} from '../page-kit.ts'
import { nextUrl } from '../server-pages.ts'
import type { WebDeps } from '../web-deps.ts'
import { isNavigation } from '../xsrf.ts'

const maxEchoLength = 32
const maxExtraFields = 20

/** Login and log-out. Source: contract pages-and-urls §4.1, §4.2. */
export function registerLoginPages(app: FastifyInstance, deps: WebDeps): void {
  const { hubPrefix } = deps.settings
  definePage(app, deps, {
    url: `${hubPrefix}login`,
    methods: { GET: showLogin, POST: logIn },
    onXsrfFailure: (exchange) => {
      exchange.reply.code(403)
      return loginForm(exchange, 'Login form invalid or expired. Try again.')
    },
  })
  definePage(app, deps, { url: `${hubPrefix}logout`, methods: { GET: logOut } })
}

/** Signs the browser in as the user and sends it on. */
export async function finishSignIn(exchange: Exchange, user: User): Promise<string> {
  const principal = await exchange.deps.principals.findUserById(user.id)
  if (principal === undefined) throw new HubError('user_not_found')
  const identity = await exchange.deps.sessions.signIn(exchange, {
    ...principal,
    cookieId: user.cookieId,
  })
  const viewer = { principal, user }
  return redirect(exchange, await nextUrl({ ...exchange, identity, viewer }))
}

async function showLogin(exchange: Exchange): Promise<string> {
  const { deps, viewer } = exchange
  if (viewer === undefined) return beginSignIn(exchange)
  await deps.sessions.signIn(exchange, { ...viewer.principal, cookieId: viewer.user.cookieId })
  return redirect(exchange, await nextUrl(exchange))
}

/** Source: contract pages-and-urls §3.3. */
async function beginSignIn(exchange: Exchange): Promise<string> {
  const { deps, identity } = exchange
  const { autoLogin, hubPrefix } = deps.settings
  const external = externalLoginUrl(deps.login.authenticator, hubPrefix, nextOf(exchange))
  if (external !== undefined) {
    return autoLogin ? redirect(exchange, external) : externalPage(exchange, external)
  }
  if (!autoLogin) return loginForm(exchange)
  return finishSignIn(exchange, await authenticateAtOnce(deps.login, identity.clientIp))
}

async function logIn(exchange: Exchange): Promise<string> {
  const { deps, request, reply, identity } = exchange
  const username = field(request.body, 'username').trim()
  const password = field(request.body, 'password')
  let user: User
  try {
    user = await authenticateCredentials(deps.login, {
      username,
      password,
      fields: extraFields(request.body),
      remoteAddress: identity.clientIp,
    })
  } catch (error) {
    if (!(error instanceof HubError) || !isNavigation(request)) throw error
    reply.code(error.status).headers(error.headers)
    return loginForm(exchange, error.message)
  }
  if (deps.accounts !== undefined) await upgradePasswordHash(deps.accounts, user, password)
  return finishSignIn(exchange, user)
}

async function logOut(exchange: Exchange): Promise<string> {
  const { deps, viewer, identity } = exchange
  if (viewer !== undefined) {
    if (deps.settings.shutdownOnLogout) await stopServers(deps, viewer.user)
    if (identity.sessionId !== undefined) {
      await deps.endSession(viewer.user.id, identity.sessionId)
    }
    deps.sessions.signOut(exchange)
  }
  // Back at the login page the browser would be signed in again at once.
  if (deps.settings.autoLogin) return signedOutPage(exchange)
  return redirect(exchange, `${deps.settings.hubPrefix}login`)
}

function externalPage(exchange: Exchange, url: string): Promise<string> {
  const { loginService } = exchange.deps.login.authenticator
  const main = html`<div class="card narrow" id="login-main">
<h1>Sign in</h1>
<p class="actions"><a role="button" class="btn btn-primary" id="login_submit" href="${url}">Sign in with ${loginService}</a></p>
</div>`
  return page(exchange, { title: 'Sign in', announce: 'login', main })
}

function signedOutPage(exchange: Exchange): Promise<string> {
  const main = html`<div class="card narrow" id="logout-main">
<h1>You have signed out</h1>
<p class="actions"><a class="btn" href="${exchange.deps.settings.hubPrefix}login">Sign in again</a></p>
</div>`
  const stranger = { ...exchange, viewer: undefined }
  return page(stranger, { title: 'Signed out', announce: 'logout', xsrfToken: '', main })
}

/** Waits for the stops, though not for ever: log-out must not hang on a stuck server. */
async function stopServers(deps: WebDeps, user: User): Promise<void> {
  const servers = (await listServersOf(deps.store.db, [user.id])).get(user.id) ?? []
  const running = servers.filter((server) => server.state.kind === 'ready')
  const actor = `user ${user.name}`
  await Promise.all(running.map((server) => deps.lifecycle.stop({ server, actor })))
  await Promise.all(running.map((server) => deps.lifecycle.settled(server.id, 10_000)))
}

async function loginForm(exchange: Exchange, error?: string): Promise<string> {
  const { deps, request } = exchange
  const { hubPrefix } = deps.settings
  const next = nextOf(exchange)
  const query = `?next=${encodeURIComponent(next)}`
  const xsrfToken = deps.sessions.issueXsrf(exchange, exchange.identity, {
    renew: request.method === 'GET' && isNavigation(request),
  })
  const username = shortened(field(request.body, 'username') || field(request.query, 'username'))
  return page(
    { ...exchange, viewer: undefined },
    {
      title: 'Sign in',
      announce: 'login',
      xsrfToken,
      main: html`<div class="card narrow" id="login-main">
<form action="${hubPrefix}login${query}" method="post">
<h1>Sign in</h1>
${error && html`<p class="login_error" role="alert">${error}</p>`}
<input type="hidden" name="_xsrf" value="${xsrfToken}">
<label for="username_input">Username</label>
<input id="username_input" name="username" type="text" autocomplete="username" autocapitalize="off" autocorrect="off" spellcheck="false" maxlength="255" value="${username}"${username === '' && html` autofocus`} required>
<label for="password_input">Password</label>
<input id="password_input" name="password" type="password" autocomplete="current-password"${username !== '' && html` autofocus`}>
<div class="actions"><button id="login_submit" type="submit" class="btn-primary">Sign in</button>
${deps.signUpOpen && deps.accounts !== undefined && html`<a href="${hubPrefix}signup${query}">Create an account</a>`}</div>
</form>
</div>`,
    },
  )
}

/** What else the form holds goes to the authenticator, within bounds. */
function extraFields(body: unknown): Record<string, string> {
  if (typeof body !== 'object' || body === null || Buffer.isBuffer(body)) return {}
  const names = Object.keys(body).filter(
    (name) => !['_xsrf', 'username', 'password'].includes(name),
  )
  const entries = names.slice(0, maxExtraFields).map((name) => {
    return [name, (fieldValues(body, name).at(-1) ?? '').slice(0, 4096)]
  })
  return Object.fromEntries(entries) as Record<string, string>
}

/** A password typed into the wrong field should not stand there in full. */
function shortened(username: string): string {
  const trimmed = username.trim()
  return trimmed.length > maxEchoLength ? '' : trimmed
}
