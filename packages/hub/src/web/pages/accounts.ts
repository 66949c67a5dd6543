import type { FastifyInstance } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import type { User } from '../../domain/records.ts'
import {
  type AccountsDeps,
  changePassword,
  findPasswordLinkUser,
  isSetupLink,
  redeemPasswordLink,
  redeemSetupLink,
  signUp,
} from '../accounts.ts'
import { authenticateCredentials } from '../authenticate.ts'
import { type Html, html } from '../html.ts'
import { definePage, type Exchange, field, page, signedIn, xsrf } from '../page-kit.ts'
import type { SignedIn, WebDeps } from '../web-deps.ts'
import { finishSignIn } from './login.ts'

/** First account, one-time password links, sign-up and change of password of native accounts. */
export function registerAccountPages(app: FastifyInstance, deps: WebDeps): void {
  const { accounts } = deps
  const { hubPrefix } = deps.settings
  if (accounts === undefined) return
  definePage(app, deps, {
    url: `${hubPrefix}setup`,
    methods: { GET: (x) => showSetup(x, accounts), POST: (x) => setUp(x, accounts) },
  })
  definePage(app, deps, {
    url: `${hubPrefix}set-password`,
    methods: { GET: (x) => showSetPassword(x, accounts), POST: (x) => setPassword(x, accounts) },
  })
  definePage(app, deps, {
    url: `${hubPrefix}change-password`,
    methods: {
      GET: signedIn((x) => changeForm(x, accounts)),
      POST: signedIn((x) => change(x, accounts)),
    },
  })
  if (!deps.signUpOpen) return
  definePage(app, deps, {
    url: `${hubPrefix}signup`,
    methods: { GET: (x) => signUpForm(x, accounts), POST: (x) => makeAccount(x, accounts) },
  })
}

async function showSetup(exchange: Exchange, accounts: AccountsDeps): Promise<string> {
  const token = field(exchange.request.query, 'token')
  if (!(await isSetupLink(accounts, token))) throw linkGone()
  return setupForm(exchange, accounts)
}

async function setUp(exchange: Exchange, accounts: AccountsDeps): Promise<string> {
  const { body } = exchange.request
  return withForm(
    exchange,
    (problem) => setupForm(exchange, accounts, problem),
    async () => {
      const account = { username: field(body, 'username'), ...newPasswords(body) }
      return redeemSetupLink(accounts, field(body, 'token'), account)
    },
  )
}

function setupForm(exchange: Exchange, accounts: AccountsDeps, problem?: string): Promise<string> {
  return accountForm(exchange, {
    title: 'Create the administrator',
    intro: html`<p>This is the first start. Choose the name and password of the account that looks after this hub; it can add everybody else.</p>`,
    action: 'setup',
    submit: 'Create account and sign in',
    accounts,
    problem,
    fields: html`${tokenField(exchange)}${usernameField(exchange)}`,
  })
}

async function showSetPassword(exchange: Exchange, accounts: AccountsDeps): Promise<string> {
  const user = await findPasswordLinkUser(accounts, field(exchange.request.query, 'token'))
  if (user === undefined) throw linkGone()
  return setPasswordForm(exchange, { accounts, user })
}

async function setPassword(exchange: Exchange, accounts: AccountsDeps): Promise<string> {
  const { body } = exchange.request
  const token = field(body, 'token')
  const user = await findPasswordLinkUser(accounts, token)
  if (user === undefined) throw linkGone()
  const again = (problem: string) => setPasswordForm(exchange, { accounts, user, problem })
  return withForm(exchange, again, () => redeemPasswordLink(accounts, token, newPasswords(body)))
}

function setPasswordForm(
  exchange: Exchange,
  form: { accounts: AccountsDeps; user: User; problem?: string },
): Promise<string> {
  const { accounts, user, problem } = form
  return accountForm(exchange, {
    title: `Set a password for ${user.name}`,
    action: 'set-password',
    submit: 'Set password and sign in',
    accounts,
    problem,
    fields: html`${tokenField(exchange)}${knownUsername(user.name)}`,
  })
}

function signUpForm(exchange: Exchange, accounts: AccountsDeps, problem?: string): Promise<string> {
  return accountForm(exchange, {
    title: 'Create an account',
    action: 'signup',
    submit: 'Create account',
    accounts,
    problem,
    fields: usernameField(exchange),
  })
}

async function makeAccount(exchange: Exchange, accounts: AccountsDeps): Promise<string> {
  const { deps, identity, request } = exchange
  // Counted like a failed sign-in of that name: one address cannot make accounts without end.
  const name = field(request.body, 'username').slice(0, 255)
  await deps.login.throttle.begin({ username: `:signup:${name}`, ip: identity.clientIp })
  return withForm(
    exchange,
    (problem) => signUpForm(exchange, accounts, problem),
    () => {
      const account = { username: field(request.body, 'username'), ...newPasswords(request.body) }
      return signUp(accounts, account)
    },
  )
}

type ViewerExchange = Exchange & { viewer: SignedIn }

function changeForm(
  exchange: ViewerExchange,
  accounts: AccountsDeps,
  problem?: string,
): Promise<string> {
  return accountForm(exchange, {
    title: 'Change your password',
    action: 'change-password',
    submit: 'Change password',
    accounts,
    problem,
    fields: html`${knownUsername(exchange.viewer.user.name)}
<label for="old_password">Current password</label>
<input id="old_password" name="old_password" type="password" autocomplete="current-password" required>`,
  })
}

async function change(exchange: ViewerExchange, accounts: AccountsDeps): Promise<string> {
  const { deps, identity, viewer, request } = exchange
  const again = (problem: string) => changeForm(exchange, accounts, problem)
  return withForm(exchange, again, async () => {
    // The same throttle as at the door: an open browser is no place to guess the password.
    const known = await authenticateCredentials(deps.login, {
      username: viewer.user.name,
      password: field(request.body, 'old_password'),
      fields: {},
      remoteAddress: identity.clientIp,
    })
    if (known.id !== viewer.user.id) throw new HubError('login_refused')
    return changePassword(accounts, viewer.user, newPasswords(request.body))
  })
}

/** Runs a form's action and signs its user in; what the person can put right shows in the form. */
async function withForm(
  exchange: Exchange,
  again: (problem: string) => Promise<string>,
  action: () => Promise<User>,
): Promise<string> {
  let user: User
  try {
    user = await action()
  } catch (error) {
    if (!(error instanceof HubError) || !formErrors.has(error.code)) throw error
    exchange.reply.code(error.status).headers(error.headers)
    const isWrongPassword = error.code === 'login_refused'
    return again(isWrongPassword ? 'The current password is not right.' : error.message)
  }
  return finishSignIn(exchange, user)
}

const formErrors: ReadonlySet<string> = new Set([
  'bad_request',
  'login_refused',
  'login_throttled',
  'too_many_requests',
])

interface AccountForm {
  readonly title: string
  readonly intro?: Html
  readonly action: string
  readonly submit: string
  readonly accounts: AccountsDeps
  readonly problem?: string | undefined
  readonly fields: Html
}

async function accountForm(exchange: Exchange, form: AccountForm): Promise<string> {
  const { hubPrefix } = exchange.deps.settings
  const { minimumLength } = form.accounts.passwordRules
  const xsrfToken = xsrf(exchange)
  return page(exchange, {
    title: form.title,
    xsrfToken,
    main: html`<div class="card narrow">
<form action="${hubPrefix}${form.action}" method="post">
<h1>${form.title}</h1>
${form.intro}
${form.problem && html`<p class="error" role="alert">${form.problem}</p>`}
<input type="hidden" name="_xsrf" value="${xsrfToken}">
${form.fields}
<label for="password_input">New password</label>
<input id="password_input" name="password" type="password" autocomplete="new-password" minlength="${minimumLength}" required aria-describedby="password_hint">
<p class="hint" id="password_hint">At least ${minimumLength} characters. Length counts more than odd characters.</p>
<label for="confirmation_input">New password again</label>
<input id="confirmation_input" name="confirmation" type="password" autocomplete="new-password" required>
<div class="actions"><button type="submit" class="btn-primary">${form.submit}</button></div>
</form>
</div>`,
  })
}

function tokenField({ request }: Exchange): Html {
  const token = field(request.body, 'token') || field(request.query, 'token')
  return html`<input type="hidden" name="token" value="${token}">`
}

function usernameField({ request }: Exchange): Html {
  return html`<label for="username_input">Username</label>
<input id="username_input" name="username" type="text" autocomplete="username" autocapitalize="off" spellcheck="false" maxlength="255" value="${field(request.body, 'username')}" required autofocus>`
}

/** Tells password managers whose password it is. */
function knownUsername(name: string): Html {
  return html`<input type="text" name="username" autocomplete="username" value="${name}" readonly hidden>`
}

function newPasswords(body: unknown) {
  return { password: field(body, 'password'), confirmation: field(body, 'confirmation') }
}

function linkGone(): HubError {
  return new HubError('forbidden', {
    message: 'This link has been used or has expired. Ask an administrator for a new one.',
  })
}
