import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** Rounds for tokens that people chose, which may be guessable. */
const stretchedRounds = 16_384
/** Above this a stored hash is damaged or hostile. */
const maxRounds = 1_000_000
const prefixLength = 4

/**
 * Hash of a token as it is stored: `sha512:<rounds>:<salt>:<hex>`, one digest over the salt (as
 * text) followed by the token repeated `rounds` times.
 * Source: contract database §3 (JupyterHub 4 to 6), so that imported tokens stay valid.
 */
export function hashToken(token: string, options: { stretched?: boolean } = {}): string {
  const rounds = options.stretched === true ? stretchedRounds : 1
  return digest({ token, rounds, salt: randomBytes(8).toString('hex') })
}

export function isTokenOf(stored: string, token: string): boolean {
  const match = /^sha512:(\d{1,7}):([0-9a-f]{1,64}):([0-9a-f]{128})$/.exec(stored)
  if (match === null) return false
  const rounds = Number(match[1])
  if (rounds < 1 || rounds > maxRounds) return false
  const computed = digest({ token, rounds, salt: match[2] ?? '' })
  return timingSafeEqual(
    Buffer.from(computed),
    Buffer.from(stored.replace(/^sha512:0*/, 'sha512:')),
  )
}

/** Whether the hash is one of a value that somebody chose. */
export function isStretchedHash(stored: string): boolean {
  return !/^sha512:0*1:/.test(stored)
}

/** What tokens are looked up by before their hashes are compared. */
export function tokenPrefix(token: string): string {
  return token.slice(0, prefixLength)
}

/** 32 lower-case hex characters. */
export function newApiToken(): string {
  return randomBytes(16).toString('hex')
}

/** 30 alphanumerics. Source: contract rest-api §1.5 (OAuth access tokens and codes). */
export function newOAuthSecret(): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  let text = ''
  while (text.length < 30) {
    for (const byte of randomBytes(40)) {
      // 248 is the largest multiple of 62 below 256: above it, letters would not be equally likely.
      if (byte < 248 && text.length < 30) text += alphabet[byte % 62]
    }
  }
  return text
}

/** Key for look-ups of values that are already unguessable (codes, links, caches). */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function digest(input: { token: string; rounds: number; salt: string }): string {
  const hash = createHash('sha512').update(input.salt)
  const bytes = Buffer.from(input.token.replace(/\p{Cs}/gu, '?'))
  hash.update(input.rounds === 1 ? bytes : Buffer.concat(Array<Buffer>(input.rounds).fill(bytes)))
  return `sha512:${input.rounds}:${input.salt}:${hash.digest('hex')}`
}
