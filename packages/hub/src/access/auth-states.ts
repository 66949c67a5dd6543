import { HubError } from '../domain/errors.ts'
import { findAuthStateText, setAuthStateText } from '../storage/auth-state.ts'
import type { Store, WriteTransaction } from '../storage/store.ts'
import type { JsonObject } from '../util/json.ts'
import type { AuthStateVault } from './auth-state-vault.ts'

/** What authenticators keep about users, encrypted in the store. */
export interface AuthStates {
  /** `null` where there is none, and where no key of today opens it. */
  load(userId: number): Promise<JsonObject | null>
  /** Replaces it; `null` clears it. Fails with `bad_request` without a key. */
  save(transaction: WriteTransaction, userId: number, state: JsonObject | null): Promise<void>
}

export function createAuthStates(parts: {
  store: Store
  vault: AuthStateVault | undefined
  logger: { warn(details: object, message: string): void }
}): AuthStates {
  const { store, vault, logger } = parts
  return {
    async load(userId) {
      const text = await findAuthStateText(store.db, userId)
      if (text === undefined) return null
      const opened = vault?.decrypt(text, userId)
      if (opened === undefined) {
        logger.warn({ user: userId }, 'auth_state cannot be decrypted: no key of today fits')
        return null
      }
      // The old key may then be retired. Whoever replaced the state meanwhile has done it already.
      if (opened.isStale && vault !== undefined) {
        const renewed = vault.encrypt(opened.state, userId)
        await store.write((tx) => setAuthStateText(tx, { userId, text: renewed, replaces: text }))
      }
      return opened.state
    },
    async save(transaction, userId, state) {
      if (state === null) return setAuthStateText(transaction, { userId, text: null })
      if (vault === undefined) {
        throw new HubError('bad_request', {
          message:
            'auth_state cannot be stored: no encryption key is configured (CryptKeeper.keys)',
        })
      }
      await setAuthStateText(transaction, { userId, text: vault.encrypt(state, userId) })
    },
  }
}
