import { randomBytes } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { ConfigError, messageOf } from '../domain/errors.ts'

/**
 * A secret that is made once and kept in a file of mode 0600: 64 hex characters.
 * @throws ConfigError when the file is open to others or cannot be read or written
 */
export function ensureSecretFile(path: string): string {
  try {
    writeFileSync(path, randomBytes(32).toString('hex'), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') {
      throw new ConfigError(`The secret file ${path} cannot be written: ${messageOf(error)}`, {
        cause: error,
      })
    }
  }
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new ConfigError(`The secret file ${path} is open to others: \`chmod 600 ${path}\``)
  }
  const secret = readFileSync(path, 'utf8').trim()
  if (secret === '') throw new ConfigError(`The secret file ${path} is empty: remove it`)
  return secret
}
