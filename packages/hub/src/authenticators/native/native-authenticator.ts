import { type Authenticator, defineAuthenticator } from '../../plugin-api/authenticator.ts'
import { normalizeUsername } from '../../domain/names.ts'
import { maxPasswordBytes, PasswordHasher } from './password-hash.ts'

export interface NativeOptions {
  /** Shared with the pages that set passwords, so that one bound covers all hashing. */
  readonly hasher?: PasswordHasher
  /** As configured for the hub: accounts are looked up by normalised name. */
  readonly usernameMap?: Readonly<Record<string, string>>
}

/**
 * Accounts of the hub's own, with passwords it keeps as argon2id hashes. An account exists only once
 * an administrator, a one-time link or (when open) the sign-up page has made it, hence everyone who
 * has one may sign in by default.
 */
export const nativeAuthenticator = defineAuthenticator<NativeOptions>({
  id: 'native',
  create({ options, passwords }): Authenticator {
    const hasher = options.hasher ?? new PasswordHasher()
    return {
      loginService: '',
      allowsAllByDefault: true,
      async identify({ username, password }) {
        const rules = options.usernameMap === undefined ? {} : { usernameMap: options.usernameMap }
        const name = normalizeUsername(username, rules)
        if (Buffer.byteLength(password) > maxPasswordBytes) return null
        const hash = await passwords.findPasswordHash(name)
        // An unknown user costs the same: verify() works through a decoy.
        return (await hasher.verify(password, hash)) ? { name, admin: null } : null
      },
    }
  },
})
