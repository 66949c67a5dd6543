import { dummyAuthenticator } from '../authenticators/dummy/dummy-authenticator.ts'
import { nativeAuthenticator } from '../authenticators/native/native-authenticator.ts'
import type { PasswordHasher } from '../authenticators/native/password-hash.ts'
import { sharedPasswordAuthenticator } from '../authenticators/shared-password/shared-password-authenticator.ts'
import type { Config } from '../config/options/classes.ts'
import { ConfigError } from '../domain/errors.ts'
import type { Authenticator, ManagedRole } from '../plugin-api/authenticator.ts'
import type { Store } from '../storage/store.ts'
import { findPasswordHash } from '../storage/users.ts'

const loadTimeoutMs = 30_000

/** Makes the configured authenticator. */
export function createAuthenticator(
  config: Config,
  parts: { store: Store; hasher: PasswordHasher },
): Authenticator {
  const { store, hasher } = parts
  const passwords = {
    findPasswordHash: (username: string) => findPasswordHash(store.db, username),
  }
  const { usernameMap, adminUsers } = config.Authenticator
  switch (config.JupyterHub.authenticator) {
    case 'native':
      return nativeAuthenticator.create({ options: { hasher, usernameMap }, passwords })
    case 'dummy': {
      const { password } = config.DummyAuthenticator
      return dummyAuthenticator.create({ options: { password }, passwords })
    }
    case 'shared-password': {
      const { userPassword, adminPassword } = config.SharedPasswordAuthenticator
      return sharedPasswordAuthenticator.create({
        options: {
          userPassword: userPassword ?? '',
          adminPassword: adminPassword ?? '',
          adminUsers: [...adminUsers],
        },
        passwords,
      })
    }
  }
}

/** Roles that the authenticator wants at start; `undefined` while it does not manage roles. */
export async function loadManagedRoles(
  config: Config,
  authenticator: Authenticator,
): Promise<readonly ManagedRole[] | undefined> {
  const { manageRoles, resetManagedRolesOnStartup } = config.Authenticator
  if (!manageRoles) return undefined
  if (authenticator.loadManagedRoles !== undefined) {
    return authenticator.loadManagedRoles(AbortSignal.timeout(loadTimeoutMs))
  }
  if (!resetManagedRolesOnStartup) return []
  throw new ConfigError(
    'Authenticator.reset_managed_roles_on_startup takes an authenticator that loads roles at ' +
      `start; ${config.JupyterHub.authenticator} does not, and everybody would lose their roles`,
  )
}
