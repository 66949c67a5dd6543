import { randomBytes } from 'node:crypto'
import type { PasswordHasher } from '../authenticators/native/password-hash.ts'
import { findPasswordProblem, type PasswordRules } from '../authenticators/native/password-rules.ts'
import { HubError } from '../domain/errors.ts'
import { isValidUsername, normalizeUsername, type UsernameRules } from '../domain/names.ts'
import type { User } from '../domain/records.ts'
import { recordAudit } from '../storage/audit.ts'
import {
  consumeOneTimeLink,
  createOneTimeLink,
  hasAdminWithPassword,
  isOneTimeLink,
} from '../storage/setup-links.ts'
import type { Store, WriteTransaction } from '../storage/store.ts'
import {
  createUser,
  findPasswordHash,
  findUser,
  findUserById,
  newCookieId,
  setPasswordHash,
  updateUser,
} from '../storage/users.ts'

/** What the pages for native accounts need. */
export interface AccountsDeps {
  readonly store: Store
  readonly hasher: PasswordHasher
  readonly passwordRules: PasswordRules
  readonly usernameRules: UsernameRules
  /** Names that nobody may take by signing up: administrators and blocked users. */
  readonly reservedNames: ReadonlySet<string>
  readonly now: () => Date
}

const linkLifetimeMs = 24 * 3_600_000
const setupPurpose = 'setup'

/** A link that was made for a user is none for the administrator whom the user became. */
function passwordPurpose(user: User): string {
  return user.admin ? 'admin-password' : 'password'
}

/**
 * Makes the token of a one-time link that creates the first administrator, valid for a day.
 * @returns `undefined` when an administrator can sign in already
 */
export async function createSetupLink(store: Store, now: Date): Promise<string | undefined> {
  const token = newLinkToken()
  return store.write(async (transaction) => {
    if (await hasAdminWithPassword(transaction.db)) return undefined
    await createOneTimeLink(transaction, { purpose: setupPurpose, token, now, ...lifetime(now) })
    return token
  })
}

export async function isSetupLink(deps: AccountsDeps, token: string): Promise<boolean> {
  if (await hasAdminWithPassword(deps.store.db)) return false
  return isOneTimeLink(deps.store.db, { purpose: setupPurpose, token, now: deps.now() })
}

export interface NewAccount {
  readonly username: string
  readonly password: string
  readonly confirmation: string
}

/**
 * Makes the first administrator and uses the link up, in one transaction: of two concurrent requests
 * one succeeds, and a crash leaves either the link or the account.
 * Fails with `bad_request` and a text for the form, `forbidden` when the link is of no use.
 */
export async function redeemSetupLink(
  deps: AccountsDeps,
  token: string,
  account: NewAccount,
): Promise<User> {
  if (!(await isSetupLink(deps, token))) throw deadLink()
  const name = parseAccountName(deps, account.username)
  const hash = await hashNewPassword(deps, name, account)
  const now = deps.now()
  return deps.store.write(async (transaction) => {
    const isFirst = !(await hasAdminWithPassword(transaction.db))
    const link = { purpose: setupPurpose, token, now }
    if (!isFirst || !(await consumeOneTimeLink(transaction, link))) throw deadLink()
    const existing = await findUser(transaction.db, name)
    if (existing !== undefined && (await findPasswordHash(transaction.db, name)) !== undefined) {
      throw invalid(`${name} has an account with a password already. Choose another name.`)
    }
    const user =
      existing === undefined
        ? await createUser(transaction, { name, admin: true }, now)
        : await updateUser(transaction, existing, { admin: true })
    await setPasswordHash(transaction, { userId: user.id, hash, now })
    await audit(transaction, { actor: 'setup link', action: 'user.create', subject: name }, now)
    return user
  })
}

/** Makes an account for whoever asks. Fails with `bad_request` and a text for the form. */
export async function signUp(deps: AccountsDeps, account: NewAccount): Promise<User> {
  const name = parseAccountName(deps, account.username)
  const hash = await hashNewPassword(deps, name, account)
  const now = deps.now()
  return deps.store.write(async (transaction) => {
    const isTaken = (await findUser(transaction.db, name)) !== undefined
    if (isTaken || deps.reservedNames.has(name)) throw invalid(`The name ${name} is taken.`)
    const user = await createUser(transaction, { name }, now)
    await setPasswordHash(transaction, { userId: user.id, hash, now })
    await audit(transaction, { actor: `user ${name}`, action: 'user.create', subject: name }, now)
    return user
  })
}

/** Token of a one-time link with which the user sets a password, valid for a day. */
export async function createPasswordLink(
  deps: AccountsDeps,
  user: User,
  actor: string,
): Promise<string> {
  const token = `${user.id}.${newLinkToken()}`
  const now = deps.now()
  const link = { purpose: passwordPurpose(user), token, now, ...lifetime(now) }
  await deps.store.write(async (transaction) => {
    await createOneTimeLink(transaction, link)
    await audit(transaction, { actor, action: 'user.password-link', subject: user.name }, now)
  })
  return token
}

/** The user a password link is for, while it can be used. */
export async function findPasswordLinkUser(
  deps: AccountsDeps,
  token: string,
): Promise<User | undefined> {
  const id = /^(\d{1,15})\./.exec(token)?.[1]
  const user = id === undefined ? undefined : await findUserById(deps.store.db, Number(id))
  if (user === undefined || user.disabled) return undefined
  const link = { purpose: passwordPurpose(user), token, now: deps.now() }
  return (await isOneTimeLink(deps.store.db, link)) ? user : undefined
}

/** Sets the password and ends the user's browser sessions. Fails as {@link redeemSetupLink}. */
export async function redeemPasswordLink(
  deps: AccountsDeps,
  token: string,
  passwords: { password: string; confirmation: string },
): Promise<User> {
  const user = await findPasswordLinkUser(deps, token)
  if (user === undefined) throw deadLink()
  const hash = await hashNewPassword(deps, user.name, passwords)
  const now = deps.now()
  return deps.store.write(async (transaction) => {
    const current = await findUserById(transaction.db, user.id)
    const purpose = passwordPurpose(current ?? user)
    if (!(await consumeOneTimeLink(transaction, { purpose, token, now }))) throw deadLink()
    return storePassword(transaction, { user, hash, now, actor: `user ${user.name}` })
  })
}

/** Replaces the password and ends the user's other browser sessions. The old one is checked before. */
export async function changePassword(
  deps: AccountsDeps,
  user: User,
  passwords: { password: string; confirmation: string },
): Promise<User> {
  const hash = await hashNewPassword(deps, user.name, passwords)
  const now = deps.now()
  return deps.store.write((transaction) =>
    storePassword(transaction, { user, hash, now, actor: `user ${user.name}` }),
  )
}

/** Hashes a password again that was just found right, when today's parameters are others. */
export async function upgradePasswordHash(
  deps: AccountsDeps,
  user: User,
  password: string,
): Promise<void> {
  const stored = await findPasswordHash(deps.store.db, user.name)
  if (stored === undefined || !deps.hasher.isOutdated(stored)) return
  const hash = await deps.hasher.hash(password)
  const now = deps.now()
  await deps.store.write(async (transaction) => {
    // A change of the password meanwhile wins.
    if ((await findPasswordHash(transaction.db, user.name)) !== stored) return
    await setPasswordHash(transaction, { userId: user.id, hash, now })
  })
}

/** @throws HubError `bad_request` with a text for the form */
export function parseAccountName(deps: AccountsDeps, text: string): string {
  const name = normalizeUsername(text.trim(), deps.usernameRules)
  if (isValidUsername(name, deps.usernameRules)) return name
  throw invalid('Choose a user name without slashes, at most 255 characters long.')
}

async function storePassword(
  transaction: WriteTransaction,
  change: { user: User; hash: string; now: Date; actor: string },
): Promise<User> {
  const { user, hash, now, actor } = change
  await setPasswordHash(transaction, { userId: user.id, hash, now })
  await audit(transaction, { actor, action: 'user.password', subject: user.name }, now)
  return updateUser(transaction, user, { cookieId: newCookieId() })
}

async function hashNewPassword(
  deps: AccountsDeps,
  username: string,
  passwords: { password: string; confirmation: string },
): Promise<string> {
  const { password, confirmation } = passwords
  const problem = findPasswordProblem(password, { username, rules: deps.passwordRules })
  if (problem !== undefined) throw invalid(problem)
  if (password !== confirmation) throw invalid('The two passwords are not the same.')
  return deps.hasher.hash(password)
}

function audit(
  transaction: WriteTransaction,
  event: { actor: string; action: string; subject: string },
  now: Date,
): Promise<void> {
  return recordAudit(transaction, event, now)
}

function lifetime(now: Date) {
  return { expiresAt: new Date(now.getTime() + linkLifetimeMs) }
}

function newLinkToken(): string {
  return randomBytes(32).toString('base64url')
}

function invalid(message: string): HubError {
  return new HubError('bad_request', { message })
}

function deadLink(): HubError {
  return new HubError('forbidden', {
    message: 'This link has been used or has expired. Ask an administrator for a new one.',
  })
}
