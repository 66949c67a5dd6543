import { createHmac, timingSafeEqual } from 'node:crypto'

/** Longer texts are refused unread; a login cookie has about 200 characters. */
const maxSignedLength = 8192

export interface SigningInput {
  /** The raw cookie secret, 32 bytes by default. */
  readonly secret: Buffer
  /** Name that the value is signed for: that of its cookie. */
  readonly name: string
}

/**
 * Signs a value: `2|1:0|10:TIME|L:NAME|L:BASE64|HEX`, each field with its length, TIME in unix
 * seconds, HEX an HMAC-SHA256 over all that stands before it.
 * Source: contract single-user-and-services §6.1 (version 2 of Tornado's secure cookies).
 */
export function signValue(value: string, options: SigningInput & { now: Date }): string {
  const time = String(Math.floor(options.now.getTime() / 1000))
  const encoded = Buffer.from(value, 'utf8').toString('base64')
  const fields = ['0', time, options.name, encoded].map((text) => `${text.length}:${text}|`)
  const signed = `2|${fields.join('')}`
  return signed + signature(options.secret, signed)
}

/**
 * Reads a signed value back.
 * @returns `undefined` unless signature and name match and it is at most `maxAgeMs` old
 */
export function readSignedValue(
  text: string,
  options: SigningInput & { now: Date; maxAgeMs: number },
): string | undefined {
  if (text.length > maxSignedLength || !text.startsWith('2|')) return undefined
  const end = text.lastIndexOf('|') + 1
  const signed = text.slice(0, end)
  if (!isEqualText(text.slice(end), signature(options.secret, signed))) return undefined
  const fields = readFields(signed.slice(2))
  if (fields === undefined || fields.length !== 4) return undefined
  const [keyVersion, time, name, encoded] = fields
  if (keyVersion !== '0' || name !== options.name || encoded === undefined) return undefined
  if (time === undefined || !/^\d{1,12}$/.test(time)) return undefined
  if (Number(time) * 1000 < options.now.getTime() - options.maxAgeMs) return undefined
  return Buffer.from(encoded, 'base64').toString('utf8')
}

/** Compares in a time that depends on the lengths only. */
export function isEqualText(a: string, b: string): boolean {
  const left = Buffer.from(a, 'utf8')
  const right = Buffer.from(b, 'utf8')
  return left.length === right.length && timingSafeEqual(left, right)
}

/** `L:content|` repeated; `undefined` for anything else. */
function readFields(text: string): string[] | undefined {
  const fields: string[] = []
  let at = 0
  while (at < text.length) {
    const colon = text.indexOf(':', at)
    const digits = colon === -1 ? '' : text.slice(at, colon)
    if (!/^\d{1,5}$/.test(digits)) return undefined
    const end = colon + 1 + Number(digits)
    if (text[end] !== '|') return undefined
    fields.push(text.slice(colon + 1, end))
    at = end + 1
  }
  return fields
}

function signature(secret: Buffer, text: string): string {
  return createHmac('sha256', secret).update(text, 'utf8').digest('hex')
}
