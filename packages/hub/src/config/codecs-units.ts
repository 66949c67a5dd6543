import { type Codec, type DecodeContext, lastText, mismatch, ValueMismatch } from './codec.ts'
import { float, integer } from './codecs.ts'
import { parseLiteral } from './literal.ts'
import { isUnixSocketUrl, parseUnixSocketUrl, toUnixSocketUrl } from '../util/unix-socket-url.ts'

const byteFactors: Readonly<Record<string, number>> = {
  '': 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
}

/**
 * Bytes from a number or from `512M`, `1.5G` (powers of 1024, fractions of a byte dropped).
 * Source: JupyterHub 6.0 traitlets.py, `ByteSpecification`.
 */
export function parseByteSize(value: string | number): number {
  if (typeof value === 'number') return wholeBytes(value, String(value))
  const parts = /^\s*(\d+(?:\.\d+)?)([KMGT]?)\s*$/i.exec(value)
  if (parts === null) {
    throw new ValueMismatch(
      `'${value}' is no size: write a number of bytes, or a number with K, M, G or T ('512M', '2G').`,
    )
  }
  const factor = byteFactors[(parts[2] ?? '').toUpperCase()] ?? 1
  return wholeBytes(Number(parts[1]) * factor, value)
}

export const byteSize: Codec<number> = {
  describe: 'size in bytes, or with K, M, G, T',
  decode(value) {
    if (typeof value !== 'number' && typeof value !== 'string') {
      return mismatch("a size such as 2147483648 or '2G'", value)
    }
    return parseByteSize(value)
  },
  fromTexts: lastText,
}

/** Longest time a timer of Node can wait: longer ones would fire at once. */
const maxTimerMs = 2 ** 31 - 1

interface DurationOptions {
  readonly wholeSeconds?: boolean
  /** Lowest number of seconds; negative where the option gives that a meaning. */
  readonly min?: number
}

/** Seconds in the file, milliseconds in the code. */
export function duration(options: DurationOptions = {}): Codec<number> {
  const min = options.min ?? 0
  const seconds = options.wholeSeconds === false ? float({ min }) : integer({ min })
  return {
    ...seconds,
    describe: 'seconds',
    decode(value, context) {
      const ms = seconds.decode(value, context) * 1000
      if (ms > maxTimerMs) throw new ValueMismatch('longer than 24 days.')
      return Math.round(ms)
    },
  }
}

/** Days in the file, milliseconds in the code. */
export const days: Codec<number> = {
  ...float({ min: 0, max: 36_500 }),
  describe: 'days',
  decode: (value, context) =>
    Math.round(float({ min: 0, max: 36_500 }).decode(value, context) * 86_400_000),
}

/** Whole seconds that may be longer than a timer waits, such as the life of a token. */
export const lifetime: Codec<number> = {
  ...integer({ min: 0 }),
  describe: 'seconds',
  decode: (value, context) => integer({ min: 0, max: 3_153_600_000 }).decode(value, context) * 1000,
}

/** Path prefix with a slash at both ends, percent-escaped. Source: contract pages-and-urls §7. */
export const urlPrefix: Codec<string> = {
  describe: 'URL path prefix',
  decode(value) {
    if (typeof value !== 'string') return mismatch('a path such as /hub-one/', value)
    if (/[?#\s\0]|:\/\//.test(value)) {
      throw new ValueMismatch(`'${value}' is no path: it has no host, query or white space.`)
    }
    const words = value.split('/').filter((word) => word !== '')
    if (words.some((word) => word === '.' || word === '..')) {
      throw new ValueMismatch(`'${value}' contains '.' or '..'.`)
    }
    return words.length === 0 ? '/' : `/${words.map(escapeOnce).join('/')}/`
  },
  fromTexts: lastText,
}

/** An absolute `http://` or `https://` URL, or `''` for none. A bare host part may be empty. */
export const httpUrl: Codec<string> = {
  describe: 'URL (http:// or https://)',
  decode(value) {
    if (typeof value !== 'string') return mismatch('a URL', value)
    if (isUnixSocketUrl(value)) {
      throw new ValueMismatch(
        'the hub itself listens on an address and a port; bind_url and ConfigurableHTTPProxy.api_url ' +
          'can be Unix sockets.',
      )
    }
    if (value !== '') parseBindUrl(value)
    return value
  },
  fromTexts: lastText,
}

/** As `httpUrl`, or a Unix socket. Source: JupyterHub 6.1 app.py, `bind_url`. */
export const bindUrl: Codec<string> = {
  describe: 'URL (http://, https:// or http+unix://)',
  decode: (value, context) =>
    typeof value === 'string' && isUnixSocketUrl(value)
      ? unixSocketUrl(value, context)
      : httpUrl.decode(value, context),
  fromTexts: lastText,
}

/** As `publicUrl`, or a Unix socket. Source: JupyterHub 6.1 proxy.py, `api_url`. */
export const proxyApiUrl: Codec<string> = {
  describe: 'URL (http://, https:// or http+unix://)',
  decode(value, context) {
    if (typeof value !== 'string' || !isUnixSocketUrl(value)) {
      return publicUrl.decode(value, context)
    }
    const url = unixSocketUrl(value, context)
    if (/[^:/]\/./.test(url)) throw new ValueMismatch(`'${value}' has a path behind the socket.`)
    return url.replace(/\/$/, '')
  },
  fromTexts: lastText,
}

/** In one spelling: equal sockets are equal arguments of the proxy. */
function unixSocketUrl(value: string, context: DecodeContext): string {
  const url = parseUnixSocketUrl(value)
  if (url === undefined) {
    throw new ValueMismatch(
      `'${value}' is no Unix socket: write http+unix:// and an absolute path of at most 99 bytes ` +
        'with %2F for each slash, as in http+unix://%2Frun%2Forrery%2Fpublic.sock.',
    )
  }
  if (/^unix\+http:/i.test(value)) context.warn('unix+http:// is the old spelling of http+unix://.')
  return `${toUnixSocketUrl(url.socketPath)}${url.path}`
}

/** An absolute URL as others see it: TLS may end in front of Orrery. `''` for none. */
export const publicUrl: Codec<string> = {
  describe: 'URL (http:// or https://)',
  decode(value) {
    if (typeof value !== 'string') return mismatch('a URL', value)
    if (value !== '' && !(URL.canParse(value) && /^https?:\/\//i.test(value))) {
      throw new ValueMismatch(`'${value}' is not a URL that begins with http:// or https://.`)
    }
    return value
  },
  fromTexts: lastText,
}

/** Scheme, host and port; https where no scheme is given. `''` for none. */
export const subdomainHost: Codec<string> = {
  describe: 'scheme and host, such as https://hub.example',
  decode(value, context) {
    if (typeof value !== 'string') return mismatch(this.describe, value)
    if (value === '') return value
    if (!value.includes('://')) context.warn(`has no scheme: taken as https://${value}.`)
    const text = value.includes('://') ? value : `https://${value}`
    const url = URL.canParse(text) ? new URL(text) : undefined
    const isHost = url?.pathname === '/' && url.search === '' && url.username === ''
    if (url === undefined || !isHost || !/^https?:$/.test(url.protocol)) {
      throw new ValueMismatch(`'${value}' is not ${this.describe}.`)
    }
    return url.origin
  },
  fromTexts: lastText,
}

export interface BindUrlParts {
  readonly scheme: 'http' | 'https'
  /** `''` is every address. */
  readonly ip: string
  readonly port: number | undefined
  readonly path: string
  /** In place of address and port. */
  readonly socketPath?: string
}

/**
 * Takes `http://:8000/base` apart, where the host may be empty or `*`.
 * @throws ValueMismatch for anything else
 */
export function parseBindUrl(url: string): BindUrlParts {
  const socket = parseUnixSocketUrl(url)
  if (socket !== undefined) return { scheme: 'http', ip: '', port: undefined, ...socket }
  const parts = /^(https?):\/\/(\[[^\]]*\]|[^/:?#@]*)(?::(\d{1,5}))?(\/[^?#]*)?$/i.exec(url)
  const portNumber = parts?.[3] === undefined ? undefined : Number(parts[3])
  if (parts === null || (portNumber ?? 0) > 65_535) {
    throw new ValueMismatch(`'${url}' is not of the form http://address:port/path.`)
  }
  const host = (parts[2] ?? '').replace(/^\[|\]$/g, '')
  return {
    scheme: parts[1]?.toLowerCase() === 'https' ? 'https' : 'http',
    ip: host === '*' ? '' : host,
    port: portNumber,
    path: parts[4] ?? '',
  }
}

/** Python's numbers for log levels, and our names. */
const logLevels = { debug: 10, info: 20, warn: 30, error: 40, fatal: 50 } as const
export type LogLevel = keyof typeof logLevels
const logLevelNames: Readonly<Record<string, LogLevel>> = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  critical: 'fatal',
  fatal: 'fatal',
}

/** `10`, `'DEBUG'` or `'debug'`; numbers between two levels mean the higher one. */
export const logLevel: Codec<LogLevel> = {
  describe: 'log level (DEBUG, INFO, WARN, ERROR, CRITICAL or a number)',
  decode(value) {
    if (typeof value === 'string') {
      const level = logLevelNames[value.toLowerCase()]
      if (level !== undefined) return level
      throw new ValueMismatch(`'${value}' is no log level: DEBUG, INFO, WARN, ERROR or CRITICAL.`)
    }
    if (typeof value !== 'number') return mismatch('a log level', value)
    if (value <= logLevels.debug) return 'debug'
    if (value <= logLevels.info) return 'info'
    if (value <= logLevels.warn) return 'warn'
    return value <= logLevels.error ? 'error' : 'fatal'
  },
  fromTexts(texts) {
    const value = parseLiteral(lastText(texts))?.value
    return typeof value === 'number' ? value : lastText(texts)
  },
}

/** Bytes, or their hexadecimal digits; `undefined` when empty. */
export const secretBytes: Codec<Uint8Array | undefined> = {
  describe: 'bytes, or their hexadecimal digits',
  decode(value) {
    if (value instanceof Uint8Array) return value.length === 0 ? undefined : value
    if (typeof value !== 'string') return mismatch('bytes or hexadecimal digits', value)
    if (value === '') return undefined
    if (value.length % 2 !== 0 || !/^[0-9a-f]+$/i.test(value)) {
      throw new ValueMismatch('text must be an even number of hexadecimal digits (0-9, a-f).')
    }
    return Uint8Array.from(Buffer.from(value, 'hex'))
  },
  fromTexts: lastText,
}

function wholeBytes(bytes: number, given: string): number {
  const whole = Math.trunc(bytes)
  if (!Number.isSafeInteger(whole) || whole < 0) {
    throw new ValueMismatch(`'${given}' is no possible size.`)
  }
  return whole
}

/** Escapes what a path may not hold and leaves escapes that are there already. */
function escapeOnce(word: string): string {
  return word
    .split(/(%[0-9a-f]{2})/i)
    .map((part, index) => (index % 2 === 1 ? part : encodeURIComponent(part)))
    .join('')
    .replaceAll('%40', '@')
}
