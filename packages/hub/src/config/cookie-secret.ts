import { randomBytes } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { messageOf } from '../domain/errors.ts'
import { ConfigProblemsError } from './problems.ts'

const option = 'JupyterHub.cookie_secret_file'

/**
 * The key that signs cookies: configured (or from the environment), else from its file, which is
 * made when it is missing. Source: contract cli-metrics-events §6.
 * @throws ConfigProblemsError when the file is open to others, holds no key or cannot be used
 */
export function loadCookieSecret(input: {
  readonly configured: Uint8Array | undefined
  readonly file: string
  readonly cwd: string
}): Buffer {
  if (input.configured !== undefined) return Buffer.from(input.configured)
  const path = resolve(input.cwd, input.file.replace(/^~(?=\/|$)/, homedir()))
  createIfMissing(path)
  return read(path)
}

function createIfMissing(path: string): void {
  try {
    writeFileSync(path, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    if (!exists) fail(path, `cannot be written: ${messageOf(error)}.`, error)
  }
}

function read(path: string): Buffer {
  let text: string
  try {
    if ((statSync(path).mode & 0o007) !== 0) {
      return fail(path, `is open to others. Close it: \`chmod 600 ${path}\`.`)
    }
    text = readFileSync(path, 'utf8').trim()
  } catch (error) {
    if (error instanceof ConfigProblemsError) throw error
    return fail(path, `cannot be read: ${messageOf(error)}.`, error)
  }
  const isHex = /^(?:[0-9a-f]{2})+$/i.test(text)
  const secret = Buffer.from(text, isHex ? 'hex' : 'base64')
  if (secret.length === 0) return fail(path, 'holds no key. Remove it, and a new one is made.')
  return secret
}

function fail(source: string, message: string, cause?: unknown): never {
  throw new ConfigProblemsError([{ source, option, message }], { cause })
}
