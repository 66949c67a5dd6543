import { fieldKind, noConnectionOptions, parseConnection, parseContentLength } from './fields.ts'
import type { ConnectionOptions, Fields } from './fields.ts'

export const bodyFraming = { none: 0, length: 1, chunked: 2, close: 3 } as const
export type BodyFraming = (typeof bodyFraming)[keyof typeof bodyFraming]

/** The head of an answer of a target. */
export interface AnswerHead {
  readonly status: number
  readonly reason: string
  /** Of HTTP/1.1, with the space before the reason: the line can go on as it came. */
  readonly isLineUsual: boolean
  readonly framing: BodyFraming
  /** Bytes of a body framed by `length`. */
  readonly length: number
  /** The target will take another request on this connection. */
  readonly keepAlive: boolean
  /** For how long it says to wait for one; `Infinity` when it does not say. */
  readonly keepAliveMs: number
  readonly connection: ConnectionOptions
}

/**
 * Reads the head of an answer; `undefined` when it is not HTTP/1 or its framing can be read in two
 * ways. Hot path: row P9 of the bench.
 * @param end - index behind the empty line.
 * @param fields - filled; belongs to the caller until the next head.
 * @param isBodiless - of a HEAD request.
 * Source: RFC 9112 §4, §6.
 */
export function parseAnswerHead(
  text: string,
  end: number,
  fields: Fields,
  isBodiless: boolean,
): AnswerHead | undefined {
  if (!text.startsWith('HTTP/1.') || !fields.load(text, end)) return undefined
  const { bytes } = fields
  const minor = bytes[7]
  if ((minor !== 49 && minor !== 48) || bytes[8] !== 32) return undefined
  const isHttp10 = minor === 48
  const status = parseContentLength(text.slice(9, 12))
  if (status < 100 || status > 999) return undefined
  let lineEnd = 12
  let code = bytes[12] ?? 0
  // Some servers leave out the space before an empty reason.
  if (code !== 32 && code !== 13) return undefined
  while (code === 9 || (code >= 32 && code !== 127)) code = bytes[++lineEnd] ?? 0
  if (code !== 13 || bytes[lineEnd + 1] !== 10) return undefined
  if (fields.scan(lineEnd + 2) !== 0) return undefined

  let length = -1
  let isChunked = false
  let connection: ConnectionOptions | undefined = noConnectionOptions
  let connectionText = ''
  let keepAliveMs = Number.POSITIVE_INFINITY
  for (let i = 0; i < fields.count; i += 1) {
    switch (fields.kind[i] ?? 0) {
      case fieldKind.contentLength:
        if (length !== -1) return undefined
        length = parseContentLength(fields.value(i))
        if (length === -1) return undefined
        break
      case fieldKind.transferEncoding:
        if (isChunked || isHttp10 || fields.value(i).toLowerCase() !== 'chunked') return undefined
        isChunked = true
        break
      case fieldKind.connection:
        connectionText =
          connectionText === '' ? fields.value(i) : `${connectionText},${fields.value(i)}`
        connection = parseConnection(connectionText)
        if (connection === undefined) return undefined
        break
      case fieldKind.keepAlive: {
        const seconds = /timeout=(\d{1,6})/i.exec(fields.value(i))?.[1]
        if (seconds !== undefined) keepAliveMs = Number(seconds) * 1000
        break
      }
    }
  }
  if (isChunked && length !== -1) return undefined
  let framing: BodyFraming = bodyFraming.close
  if (isBodiless || status < 200 || status === 204 || status === 304) framing = bodyFraming.none
  else if (isChunked) framing = bodyFraming.chunked
  else if (length !== -1) framing = bodyFraming.length
  return {
    status,
    reason: text.slice(13, lineEnd),
    isLineUsual: !isHttp10 && bytes[12] === 32,
    framing,
    length: Math.max(length, 0),
    keepAlive:
      framing !== bodyFraming.close &&
      (isHttp10 ? connection.keepAlive && !connection.close : !connection.close),
    keepAliveMs,
    connection,
  }
}
