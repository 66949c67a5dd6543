import { Fields, fieldKind } from './fields.ts'

/** Twelve hexadecimal digits count exactly and are more than any disk holds. */
const maxSizeDigits = 12
const maxExtensionBytes = 4096
const maxTrailerBytes = 16 * 1024

const state = {
  size: 0,
  extension: 1,
  sizeLf: 2,
  data: 3,
  dataCr: 4,
  dataLf: 5,
  trailer: 6,
  done: 7,
} as const

export interface ChunkedOptions {
  /**
   * `wire`: bytes come out as they were, chunk extensions excepted, so that they can be sent on
   * without being encoded again. `payload`: the data alone.
   */
  readonly output: 'wire' | 'payload'
  /** Extensions are left out of answers and refused in requests. */
  readonly allowExtensions: boolean
  readonly sink: (bytes: Buffer, from: number, to: number) => void
}

/** What {@link ChunkedBody.push} returns for bodies that it does not take. */
export const notChunked = -1
export const tooMuchData = -2

/** Not to be sent as trailers: framing, routing, identity. Source: RFC 9110 §6.5.1. */
const forbiddenTrailers = new Set([
  'authorization',
  'cache-control',
  'content-encoding',
  'content-range',
  'content-type',
  'cookie',
  'max-forwards',
  'proxy-authenticate',
  'set-cookie',
  'www-authenticate',
])

/**
 * A chunked body, checked byte by byte where it is framing and passed over where it is data.
 * Hot path: rows P9, P10 of the bench.
 * Source: RFC 9112 §7.1. Stricter: no white space, no bare LF, sizes of at most 12 digits.
 */
export class ChunkedBody {
  /** Trailer lines that may be passed on, each with its line end; empty before the end. */
  trailers = ''
  /** Most bytes of data. */
  maxBytes = Number.POSITIVE_INFINITY
  readonly #options: ChunkedOptions
  #state: number = state.size
  #digits = 0
  #size = 0
  #total = 0
  #extensionBytes = 0
  #trailerText = ''

  constructor(options: ChunkedOptions) {
    this.#options = options
  }

  get isDone(): boolean {
    return this.#state === state.done
  }

  /**
   * Takes bytes from `from` on.
   * @returns index behind what belongs to the body, or {@link notChunked}, or {@link tooMuchData}
   * when a chunk begins that goes past the limit; nothing of that chunk comes out.
   */
  push(chunk: Buffer, from: number): number {
    const { output, sink } = this.#options
    const isWire = output === 'wire'
    let keep = from
    let i = from
    while (i < chunk.length) {
      switch (this.#state) {
        case state.size: {
          const code = chunk[i] ?? 0
          const digit = hexDigit(code)
          if (digit >= 0) {
            this.#digits += 1
            if (this.#digits > maxSizeDigits) return -1
            this.#size = this.#size * 16 + digit
          } else if (this.#digits === 0) return -1
          else if (code === 13) this.#state = state.sizeLf
          else if (code === 59 && this.#options.allowExtensions) {
            if (isWire && i > keep) sink(chunk, keep, i)
            this.#extensionBytes = 0
            this.#state = state.extension
          } else return -1
          i += 1
          break
        }
        case state.extension: {
          const code = chunk[i] ?? 0
          if (code === 13) {
            keep = i
            this.#state = state.sizeLf
          } else if ((code < 32 && code !== 9) || code === 127) return -1
          this.#extensionBytes += 1
          if (this.#extensionBytes > maxExtensionBytes) return -1
          i += 1
          break
        }
        case state.sizeLf:
          if (chunk[i] !== 10) return -1
          i += 1
          this.#total += this.#size
          if (this.#total > this.maxBytes) return tooMuchData
          if (this.#size > 0) {
            this.#state = state.data
            if (!isWire) keep = i
          } else {
            // What follows the last size is looked at before it is passed on.
            if (isWire && i > keep) sink(chunk, keep, i)
            keep = i
            this.#state = state.trailer
          }
          break
        case state.data: {
          const step = Math.min(this.#size, chunk.length - i)
          if (!isWire) sink(chunk, i, i + step)
          i += step
          this.#size -= step
          if (this.#size === 0) this.#state = state.dataCr
          break
        }
        case state.dataCr:
          if (chunk[i] !== 13) return -1
          this.#state = state.dataLf
          i += 1
          break
        case state.dataLf:
          if (chunk[i] !== 10) return -1
          this.#state = state.size
          this.#digits = 0
          i += 1
          break
        case state.trailer:
          i = this.#takeTrailer(chunk, i)
          if (i === -1) return -1
          keep = chunk.length
          if (this.isDone) return i
          break
        default:
          return i
      }
    }
    if (isWire && this.#state !== state.extension && i > keep) sink(chunk, keep, i)
    return i
  }

  #takeTrailer(chunk: Buffer, from: number): number {
    const before = this.#trailerText.length
    const room = maxTrailerBytes + 4 - before
    const text =
      this.#trailerText + chunk.toString('latin1', from, Math.min(chunk.length, from + room))
    let end = 2
    if (!text.startsWith('\r\n')) {
      const at = text.indexOf('\r\n\r\n', Math.max(0, before - 3))
      end = at === -1 ? -1 : at + 4
    }
    if (end === -1 || text.length < 2) {
      if (text.length > maxTrailerBytes || /[^\r]\n|^\n|\r[^\n]/.test(text)) return -1
      this.#trailerText = text
      return chunk.length
    }
    const allowed = allowedTrailers(text, end)
    if (allowed === undefined) return -1
    this.trailers = allowed
    this.#trailerText = ''
    this.#state = state.done
    if (this.#options.output === 'wire') {
      const tail = Buffer.from(`${allowed}\r\n`, 'latin1')
      this.#options.sink(tail, 0, tail.length)
    }
    return from + end - before
  }
}

const trailerFields = new Fields()

/**
 * The lines of trailers that may be passed on; `undefined` when they cannot be read, or are too many.
 * @param end - index behind the empty line.
 */
export function allowedTrailers(text: string, end: number): string | undefined {
  if (end === 2) return ''
  if (end > maxTrailerBytes + 4 || !trailerFields.load(text, end)) return undefined
  if (trailerFields.scan(0) !== 0) return undefined
  let kept = ''
  for (let i = 0; i < trailerFields.count; i += 1) {
    if (trailerFields.kind[i] !== fieldKind.other) continue
    if (forbiddenTrailers.has(trailerFields.name(i))) continue
    kept += text.slice(trailerFields.nameStart[i], trailerFields.nameStart[i + 1])
  }
  return kept
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const letter = code | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}
