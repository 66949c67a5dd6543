import { dummyAuthenticator } from '../authenticators/dummy/dummy-authenticator.ts'
import { nativeAuthenticator } from '../authenticators/native/native-authenticator.ts'
import type { PasswordHasher } from '../authenticators/native/password-hash.ts'
import { sharedPasswordAuthenticator } from '../authenticators/shared-password/shared-password-authenticator.ts'
import type { Config } from '../config/options/classes.ts'
import type { Authenticator } from '../plugin-api/authenticator.ts'
import type { Store } from '../storage/store.ts'
import { findPasswordHash } from '../storage/users.ts'

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
