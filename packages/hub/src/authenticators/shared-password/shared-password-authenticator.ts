import { createHash, timingSafeEqual } from 'node:crypto'
import { ConfigError } from '../../domain/errors.ts'
import {
  type Authenticator,
  defineAuthenticator,
  type Identity,
} from '../../plugin-api/authenticator.ts'

export interface SharedPasswordOptions {
  /** For everybody who is no administrator; `''` refuses them. At least 8 characters. */
  readonly userPassword: string
  /** For administrators; `''` refuses them. At least 32 characters. */
  readonly adminPassword: string
  /** `Authenticator.admin_users`, as configured. */
  readonly adminUsers: readonly string[]
  /** Further passwords, each with the groups it puts people into. */
  readonly passwordGroups?: Readonly<Record<string, readonly string[]>>
}

const minUserLength = 8
const minAdminLength = 32

/**
 * One password for users, another for administrators. Source: contract authenticators §5.
 * Differs from JupyterHub: the submitted name is compared with `admin_users` as it will be stored
 * (lower case, no outer white space) too, so that `ADA` cannot sign in as the administrator `ada`
 * with the users' password.
 */
export const sharedPasswordAuthenticator = defineAuthenticator<SharedPasswordOptions>({
  id: 'shared-password',
  create({ options }): Authenticator {
    checkPasswords(options)
    return {
      loginService: '',
      allowsAllByDefault: false,
      async identify({ username, password }) {
        return identifyShared(options, username, password)
      },
    }
  },
})

function identifyShared(
  options: SharedPasswordOptions,
  username: string,
  password: string,
): Identity | null {
  const names = [username, username.trim().toLowerCase()]
  // No early exit: the time says nothing about who is an administrator.
  let isAdmin = false
  for (const admin of options.adminUsers) {
    for (const name of names) isAdmin = isEqual(name, admin) || isAdmin
  }
  const isAdminPassword = isSet(options.adminPassword, password)
  const isUserPassword = isSet(options.userPassword, password)
  if (isAdmin) return isAdminPassword ? { name: username, admin: true, groups: [] } : null
  if (isUserPassword) return { name: username, admin: false, groups: [] }
  for (const [groupPassword, groups] of Object.entries(options.passwordGroups ?? {})) {
    if (isSet(groupPassword, password)) return { name: username, admin: null, groups }
  }
  return null
}

function checkPasswords(options: SharedPasswordOptions): void {
  const { userPassword, adminPassword } = options
  if (userPassword !== '' && userPassword.length < minUserLength) {
    throw new ConfigError(
      `SharedPasswordAuthenticator.user_password needs at least ${minUserLength} characters.`,
    )
  }
  if (adminPassword !== '' && adminPassword.length < minAdminLength) {
    throw new ConfigError(
      `SharedPasswordAuthenticator.admin_password needs at least ${minAdminLength} characters.`,
    )
  }
  if (adminPassword !== '' && adminPassword === userPassword) {
    throw new ConfigError(
      'SharedPasswordAuthenticator.admin_password must differ from user_password.',
    )
  }
}

function isSet(configured: string, submitted: string): boolean {
  return isEqual(configured, submitted) && configured !== ''
}

function isEqual(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest())
  return left !== undefined && right !== undefined && timingSafeEqual(left, right)
}
