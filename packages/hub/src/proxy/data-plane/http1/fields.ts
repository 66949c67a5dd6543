import { maxHeadBytes } from '../context.ts'

/**
 * Field lines of requests, answers and trailers: read in place, nothing is copied.
 * Hot path: `npm run bench -- edge`, row P9 (docs/decisions/0005-own-http1-path.md).
 * Source: RFC 9110 §5, RFC 9112 §5. Stricter where implementations differ: no obs-fold, no bare CR
 * or LF, no control character, no white space before the colon.
 */

/** Fields that mean something to a proxy; `other` passes as it is. */
export const fieldKind = {
  other: 0,
  /** Of one connection, never forwarded. Source: RFC 9110 §7.6.1. */
  hopByHop: 1,
  connection: 2,
  transferEncoding: 3,
  contentLength: 4,
  host: 5,
  upgrade: 6,
  expect: 7,
  forwardedFor: 8,
  forwardedPort: 9,
  forwardedProto: 10,
  forwardedHost: 11,
  /** `X-Scheme`, `X-Real-Ip`, `Forwarded`: believed from trusted peers, never added. */
  identity: 12,
  location: 13,
  date: 14,
  keepAlive: 15,
  trailer: 16,
  /** `X-Forwarded-` and anything else: believed from trusted peers. */
  forwardedOther: 17,
  /** A forwarding field with `_` for `-`: servers that name fields as CGI does take it for that. */
  disguised: 18,
} as const

const knownFields: Readonly<Record<string, number>> = {
  connection: fieldKind.connection,
  'keep-alive': fieldKind.keepAlive,
  'proxy-connection': fieldKind.hopByHop,
  'proxy-authorization': fieldKind.hopByHop,
  'http2-settings': fieldKind.hopByHop,
  te: fieldKind.hopByHop,
  trailer: fieldKind.trailer,
  'transfer-encoding': fieldKind.transferEncoding,
  'content-length': fieldKind.contentLength,
  host: fieldKind.host,
  upgrade: fieldKind.upgrade,
  expect: fieldKind.expect,
  'x-forwarded-for': fieldKind.forwardedFor,
  'x-forwarded-port': fieldKind.forwardedPort,
  'x-forwarded-proto': fieldKind.forwardedProto,
  'x-forwarded-host': fieldKind.forwardedHost,
  'x-scheme': fieldKind.identity,
  'x-real-ip': fieldKind.identity,
  forwarded: fieldKind.identity,
  location: fieldKind.location,
  date: fieldKind.date,
}

interface KnownField {
  readonly name: string
  readonly kind: number
}
const knownByLength: (readonly KnownField[] | undefined)[] = []
for (const [name, kind] of Object.entries(knownFields)) {
  knownByLength[name.length] = [...(knownByLength[name.length] ?? []), { name, kind }]
}

const none: readonly KnownField[] = []

/** 1 for characters of a token. Source: RFC 9110 §5.6.2. */
export const isTokenChar = new Uint8Array(256)
/** 1 for characters of a field value, by Latin-1 code. */
const isValueChar = new Uint8Array(256)
for (let code = 0; code < 256; code += 1) {
  isTokenChar[code] = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(code)) ? 1 : 0
  isValueChar[code] = code === 9 || (code >= 32 && code !== 127) ? 1 : 0
}

/** More lines than this in one head are refused. */
export const maxFields = 500

/** Of the head that is read: to look at bytes takes half as long as to look at characters. */
const bytes = Buffer.allocUnsafeSlow(maxHeadBytes)

/**
 * Where the field lines of a text are. One object is used again and again: what it says holds
 * until the next {@link Fields.scan}.
 */
export class Fields {
  /** Of one byte each. */
  text = ''
  /** The characters of {@link Fields.text}; they belong to all, and hold until the next one loads. */
  readonly bytes: Uint8Array = bytes
  count = 0
  /** Index behind the last field line. */
  end = 0
  readonly nameStart = new Int32Array(maxFields + 1)
  readonly nameEnd = new Int32Array(maxFields)
  readonly valueStart = new Int32Array(maxFields)
  readonly valueEnd = new Int32Array(maxFields)
  readonly kind = new Uint8Array(maxFields)

  /**
   * Takes the text of a head, which {@link Fields.scan} reads.
   * @param text - Latin-1, ends with the empty line, perhaps with bytes behind it.
   * @param end - index behind the empty line.
   * @returns false when it is too large
   */
  load(text: string, end: number): boolean {
    if (end > maxHeadBytes) return false
    bytes.write(text, 0, end, 'latin1')
    this.text = text
    this.end = end - 2
    return true
  }

  /**
   * Reads field lines up to the empty line that ends them.
   * @param from - index of the first line.
   * @returns 0, or the status that refuses them: 400, 431.
   */
  scan(from: number): 0 | 400 | 431 {
    const { text, end: last } = this
    let count = 0
    let i = from
    while (i < last) {
      if (count === maxFields) return 431
      const start = i
      while (isTokenChar[bytes[i] ?? 0] === 1) i += 1
      // An empty name, a folded line, white space before the colon, a character of no token.
      if (i === start || bytes[i] !== 58) return 400
      this.nameStart[count] = start
      this.nameEnd[count] = i
      this.kind[count] = kindOf(text, start, i)
      i += 1
      let code = bytes[i] ?? 0
      while (code === 32 || code === 9) code = bytes[++i] ?? 0
      const valueStart = i
      while (isValueChar[code] === 1) code = bytes[++i] ?? 0
      if (code !== 13 || bytes[i + 1] !== 10) return 400
      let valueEnd = i
      while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1] ?? 0)) valueEnd -= 1
      this.valueStart[count] = valueStart
      this.valueEnd[count] = valueEnd
      i += 2
      count += 1
    }
    if (i !== last) return 400
    this.count = count
    this.nameStart[count] = last
    return 0
  }

  value(index: number): string {
    return this.text.slice(this.valueStart[index], this.valueEnd[index])
  }

  /** In lower case. */
  name(index: number): string {
    return this.text.slice(this.nameStart[index], this.nameEnd[index]).toLowerCase()
  }

  /** Values of all lines of a name in lower case, joined by commas; `undefined` without a line. */
  find(name: string): string | undefined {
    let joined: string | undefined
    for (let i = 0; i < this.count; i += 1) {
      if (this.name(i) !== name) continue
      joined = joined === undefined ? this.value(i) : `${joined},${this.value(i)}`
    }
    return joined
  }
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}

/** Compares without copying; `| 32` folds letters and leaves `-` and digits as they are. */
function kindOf(text: string, start: number, end: number): number {
  for (const { name, kind } of knownByLength[end - start] ?? none) {
    let i = 0
    while (i < name.length && ((bytes[start + i] ?? 0) | 32) === name.charCodeAt(i)) i += 1
    if (i === name.length) return kind
  }
  const isLikely = ((bytes[start] ?? 0) | 32) === 120 && end - start >= 8
  return isLikely ? kindOfX(text.slice(start, end).toLowerCase()) : fieldKind.other
}

/** Of names that begin with `x` and are no known ones. */
function kindOfX(name: string): number {
  const plain = name.replaceAll('_', '-')
  const isForwarding = plain.startsWith('x-forwarded-') || knownFields[plain] !== undefined
  if (!isForwarding) return fieldKind.other
  return plain === name ? fieldKind.forwardedOther : fieldKind.disguised
}

/** What `Connection` says. */
export interface ConnectionOptions {
  readonly close: boolean
  readonly keepAlive: boolean
  readonly upgrade: boolean
  /** Further fields of this connection, in lower case. */
  readonly nominated: ReadonlySet<string> | undefined
}

const usual: readonly ConnectionOptions[] = [
  { close: false, keepAlive: false, upgrade: false, nominated: undefined },
  { close: false, keepAlive: true, upgrade: false, nominated: undefined },
  { close: true, keepAlive: false, upgrade: false, nominated: undefined },
]
export const [noConnectionOptions, keepAliveOption, closeOption] = usual as [
  ConnectionOptions,
  ConnectionOptions,
  ConnectionOptions,
]

/** Reads `Connection`; `undefined` when an item is no token. Source: RFC 9110 §7.6.1. */
export function parseConnection(value: string): ConnectionOptions | undefined {
  if (value === 'keep-alive') return keepAliveOption
  if (value === 'close') return closeOption
  const items = value
    .toLowerCase()
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
  if (!items.every((item) => /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(item))) return undefined
  const nominated = items.filter((item) => !['close', 'keep-alive', 'upgrade'].includes(item))
  return {
    close: items.includes('close'),
    keepAlive: items.includes('keep-alive'),
    upgrade: items.includes('upgrade'),
    nominated: nominated.length === 0 ? undefined : new Set(nominated),
  }
}

/** Largest body length that is counted exactly. */
const maxLengthDigits = 15

/** Reads `Content-Length`: digits only; -1 for anything else. */
export function parseContentLength(value: string): number {
  if (value.length === 0 || value.length > maxLengthDigits) return -1
  let length = 0
  for (let i = 0; i < value.length; i += 1) {
    const digit = value.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    length = length * 10 + digit
  }
  return length
}
