import type { AuthStates } from '../access/auth-states.ts'
import { HubError } from '../domain/errors.ts'
import {
  isValidUsername,
  maxNameLength,
  normalizeUsername,
  type UsernameRules,
} from '../domain/names.ts'
import type { User } from '../domain/records.ts'
import {
  type Authenticator,
  type Credentials,
  type Identity,
  LoginRefused,
} from '../plugin-api/authenticator.ts'
import { recordAudit } from '../storage/audit.ts'
import { setGroupsOfUser } from '../storage/groups.ts'
import type { Store, WriteTransaction } from '../storage/store.ts'
import { alignDefaultRoles, createUser, findUser, updateUser } from '../storage/users.ts'
import type { LoginThrottle } from './login-throttle.ts'
import { applyManagedRoles, type ManagedRoleRules } from './managed-roles.ts'

/** Who may sign in. Names are normalised and valid. Source: contract authenticators §2. */
export interface LoginRules extends UsernameRules {
  /** `undefined`: what the authenticator does by default. */
  readonly allowAll?: boolean | undefined
  readonly allowedUsers: ReadonlySet<string>
  readonly blockedUsers: ReadonlySet<string>
  readonly adminUsers: ReadonlySet<string>
  /** `undefined`: when there are allowed users. */
  readonly allowExistingUsers?: boolean | undefined
  /** Takes groups over from the authenticator. */
  readonly manageGroups: boolean
  /** Set when roles are taken over from the authenticator. */
  readonly managedRoles?: ManagedRoleRules | undefined
}

export interface LoginDeps {
  readonly store: Store
  readonly authenticator: Authenticator
  readonly rules: LoginRules
  readonly throttle: LoginThrottle
  /** Where what the authenticator found out about a user is kept. */
  readonly authStates?: AuthStateKeeper | undefined
  readonly now: () => Date
}

export interface AuthStateKeeper extends Pick<AuthStates, 'save'> {
  /** `enable_auth_state`; without it a log-in clears what is there. */
  readonly isEnabled: boolean
}

const identifyDeadlineMs = 30_000
const maxCredentialLength = 4096

/**
 * Signs somebody in: throttle, authenticator, name rules, block and allow rules, admin, user record.
 * Fails with `login_throttled`, `login_refused` (perhaps with a text or status of the
 * authenticator), `too_many_requests`.
 * Source: contract authenticators §1, steps 1 to 7 and "persisting".
 */
export async function authenticateCredentials(
  deps: LoginDeps,
  credentials: Credentials,
  options: { readonly mayCreate: boolean } = { mayCreate: true },
): Promise<User> {
  const { username, password } = credentials
  if (username.length > maxNameLength || password.length > maxCredentialLength) refuse()
  const attempt = {
    username: normalizeUsername(username.trim(), deps.rules),
    ip: credentials.remoteAddress,
  }
  return deps.throttle.inTurn(attempt, async () => {
    await deps.throttle.begin(attempt)
    let user: User
    try {
      const identity = await identify(deps.authenticator, credentials)
      user = await persistOnce(deps, identity, options)
    } catch (error) {
      if (!isJudgement(error)) await deps.throttle.forgive(attempt, { succeeded: false })
      throw error
    }
    await deps.throttle.forgive(attempt, { succeeded: true })
    return user
  })
}

/**
 * Asks the authenticator who somebody is without asking them: for those that know by other means
 * than a form (`auto_login`). There is nothing to guess, so nothing is counted.
 * Fails with `login_refused` when it does not know.
 */
export async function authenticateAtOnce(deps: LoginDeps, remoteAddress: string): Promise<User> {
  const nothing = { username: '', password: '', fields: {}, remoteAddress }
  return persistOnce(deps, await identify(deps.authenticator, nothing), { mayCreate: true })
}

/** An overloaded or broken hub says nothing about the password: such tries do not count. */
function isJudgement(error: unknown): boolean {
  return error instanceof HubError && error.code === 'login_refused'
}

async function identify(authenticator: Authenticator, credentials: Credentials): Promise<Identity> {
  const signal = AbortSignal.timeout(identifyDeadlineMs)
  const late = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new HubError('internal', { message: 'Signing in took too long. Try again.' }))
    })
  })
  try {
    const identity = await Promise.race([authenticator.identify(credentials, signal), late])
    return identity ?? refuse()
  } catch (error) {
    if (!(error instanceof LoginRefused)) throw error
    const { message, status } = error
    throw new HubError('login_refused', { message, status, cause: error })
  }
}

/** Two first log-ins at once: the one that comes second finds the user that the other has made. */
async function persistOnce(...input: Parameters<typeof persistIdentity>): Promise<User> {
  try {
    return await persistIdentity(...input)
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'user_exists') throw error
    return persistIdentity(...input)
  }
}

/** Applies the name, block and allow rules and stores the user. */
async function persistIdentity(
  deps: LoginDeps,
  identity: Identity,
  { mayCreate }: { readonly mayCreate: boolean },
): Promise<User> {
  const { rules, store } = deps
  const name = normalizeUsername(identity.name, rules)
  if (!isValidUsername(name, rules)) refuse()
  if (rules.blockedUsers.has(name)) refuse()
  const now = deps.now()
  return store.write(async (transaction) => {
    const existing = await findUser(transaction.db, name)
    if (existing?.disabled === true) refuse()
    if (existing === undefined && !mayCreate) refuse()
    if (!isAllowed(deps, name, existing !== undefined)) refuse()
    const admin = identity.admin ?? (rules.adminUsers.has(name) ? true : undefined)
    const created = existing === undefined
    let user = existing ?? (await createUser(transaction, { name, admin: admin === true }, now))
    const changes = {
      ...(admin !== undefined && admin !== user.admin && { admin }),
      ...(identity.userInfo !== undefined && { userInfo: identity.userInfo }),
    }
    if (Object.keys(changes).length > 0) user = await updateUser(transaction, user, changes)
    await alignDefaultRoles(transaction, user)
    await applyGroups(transaction, { user, identity, rules })
    if (rules.managedRoles !== undefined && identity.roles) {
      const managed = { roles: identity.roles, rules: rules.managedRoles }
      await applyManagedRoles(transaction, user, managed)
    }
    const state = deps.authStates?.isEnabled === true ? (identity.authState ?? null) : null
    await deps.authStates?.save(transaction, user.id, state)
    if (created) {
      const event = { actor: `user ${name}`, action: 'user.create', subject: name }
      await recordAudit(transaction, { ...event, data: { by: 'sign-in' } }, now)
    }
    return user
  })
}

/** Source: contract authenticators §1, "persisting", step 4. */
async function applyGroups(
  transaction: WriteTransaction,
  input: { user: User; identity: Identity; rules: LoginRules },
): Promise<void> {
  const { user, identity, rules } = input
  if (!rules.manageGroups || identity.groups === null) return
  if (identity.groups === undefined) {
    throw new HubError('internal', {
      message: 'Authenticator.manage_groups is true, but the authenticator says nothing of groups',
    })
  }
  await setGroupsOfUser(transaction, user.id, identity.groups)
}

function isAllowed(deps: LoginDeps, name: string, exists: boolean): boolean {
  const { rules, authenticator } = deps
  const { allowedUsers, adminUsers } = rules
  const hasList = allowedUsers.size > 0
  if (rules.allowAll ?? (authenticator.allowsAllByDefault && !hasList)) return true
  if (allowedUsers.has(name) || (hasList && adminUsers.has(name))) return true
  return exists && (rules.allowExistingUsers ?? hasList)
}

function refuse(): never {
  throw new HubError('login_refused')
}
