import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { ConfigError } from '../domain/errors.ts'
import { isJsonObject, type JsonObject } from '../util/json.ts'

const algorithm = 'aes-256-gcm'
const keyBytes = 32
const ivBytes = 12
const tagBytes = 16
/** Names the format, so that a later one can be told apart. */
const prefix = 'v1.'

/** Encrypts what authenticators keep about users; the first key encrypts, every key decrypts. */
export interface AuthStateVault {
  /** Text that only this user's row can be read back from. */
  encrypt(state: JsonObject, userId: number): string
  /** `undefined` when no key fits; `isStale` when it was not the first. */
  decrypt(text: string, userId: number): { state: JsonObject; isStale: boolean } | undefined
}

/**
 * @param keys - each 64 hexadecimal digits, 32 bytes in base64, or 32 characters; blank ones are
 *   passed over. `undefined` without any.
 * @throws ConfigError for a key of another form
 */
export function createAuthStateVault(keys: readonly string[]): AuthStateVault | undefined {
  const parsed = keys
    .map((key) => key.trim())
    .filter((key) => key !== '')
    .map(parseKey)
  const [first] = parsed
  if (first === undefined) return undefined
  return {
    encrypt: (state, userId) => seal(first, JSON.stringify(state), userId),
    decrypt(text, userId) {
      for (const [index, key] of parsed.entries()) {
        const state = open(key, text, userId)
        if (state !== undefined) return { state, isStale: index > 0 }
      }
      return undefined
    },
  }
}

/** Source: contract authenticators §3, "key forms". The key itself never gets into the message. */
function parseKey(text: string, index: number): Buffer {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  if (/^[\w+/-]{43}=?$/.test(text)) {
    const bytes = Buffer.from(text, 'base64url')
    if (bytes.length === keyBytes) return bytes
  }
  const raw = Buffer.from(text, 'utf8')
  if (raw.length === keyBytes) return raw
  throw new ConfigError(
    `CryptKeeper.keys: key ${index + 1} is neither 64 hexadecimal digits, nor 32 bytes in base64, ` +
      'nor 32 characters. `openssl rand -hex 32` makes a good one.',
  )
}

function seal(key: Buffer, text: string, userId: number): string {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv(algorithm, key, iv)
  cipher.setAAD(contextOf(userId))
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return prefix + Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url')
}

function open(key: Buffer, text: string, userId: number): JsonObject | undefined {
  if (!text.startsWith(prefix)) return undefined
  const bytes = Buffer.from(text.slice(prefix.length), 'base64url')
  if (bytes.length < ivBytes + tagBytes) return undefined
  try {
    const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, ivBytes), {
      authTagLength: tagBytes,
    })
    decipher.setAAD(contextOf(userId))
    decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes))
    const plain = Buffer.concat([
      decipher.update(bytes.subarray(ivBytes + tagBytes)),
      decipher.final(),
    ])
    const value: unknown = JSON.parse(plain.toString('utf8'))
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined // another key's, another user's, or damaged
  }
}

/** Binds the text to its row: copied to another user's, it opens no more. */
function contextOf(userId: number): Buffer {
  return Buffer.from(`auth_state of user ${userId}`)
}
