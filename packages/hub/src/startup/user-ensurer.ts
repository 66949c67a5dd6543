import { ConfigError } from '../domain/errors.ts'
import { isValidUsername, normalizeUsername, type UsernameRules } from '../domain/names.ts'
import type { WriteTransaction } from '../storage/store.ts'
import { createUser, findUser, updateUser } from '../storage/users.ts'

/** Finds users that the configuration names, making those that are not there yet. */
export class UserEnsurer {
  readonly #tx: WriteTransaction
  readonly #rules: UsernameRules
  readonly #now: Date

  constructor(tx: WriteTransaction, rules: UsernameRules, now: Date) {
    this.#tx = tx
    this.#rules = rules
    this.#now = now
  }

  normalize(configured: string): string {
    return normalizeUsername(configured, this.#rules)
  }

  /**
   * A new user gets the default roles, one who is there keeps those held.
   * @returns the user's id
   * @throws ConfigError for what is no name
   */
  async ensure(configured: string, options: { admin?: boolean } = {}): Promise<number> {
    const name = this.normalize(configured)
    if (!isValidUsername(name, this.#rules)) {
      throw new ConfigError(
        `The configuration names the user '${configured}': not a valid user name`,
      )
    }
    const found = await findUser(this.#tx.db, name)
    if (found === undefined) {
      return (await createUser(this.#tx, { name, ...options }, this.#now)).id
    }
    if (options.admin === true && !found.admin) await updateUser(this.#tx, found, { admin: true })
    return found.id
  }
}
