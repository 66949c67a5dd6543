import type { Logger } from 'pino'
import { type AuthStateVault, createAuthStateVault } from '../access/auth-state-vault.ts'
import { type AuthStates, createAuthStates } from '../access/auth-states.ts'
import type { Config } from '../config/options/classes.ts'
import { ConfigError } from '../domain/errors.ts'
import type { Store } from '../storage/store.ts'

export function authStatesOf(config: Config, parts: { store: Store; logger: Logger }): AuthStates {
  return createAuthStates({ ...parts, vault: requireUsableKeys(config) })
}

/** @throws ConfigError when auth_state is wanted and there is no key to encrypt it with */
export function requireUsableKeys(config: Config): AuthStateVault | undefined {
  const vault = createAuthStateVault(config.CryptKeeper.keys ?? [])
  if (vault === undefined && config.Authenticator.enableAuthState) {
    throw new ConfigError(
      'Authenticator.enable_auth_state needs a key to encrypt with. Set JUPYTERHUB_CRYPT_KEY in the ' +
        'environment, or CryptKeeper.keys; `openssl rand -hex 32` makes one.',
    )
  }
  return vault
}
