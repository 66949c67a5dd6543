import type { AnswerHead } from './answer-head.ts'
import { fieldKind } from './fields.ts'
import type { Fields } from './fields.ts'

const isPerConnection = new Uint8Array(32)
for (const kind of [
  'hopByHop',
  'connection',
  'keepAlive',
  'transferEncoding',
  'upgrade',
] as const) {
  isPerConnection[fieldKind[kind]] = 1
}

let dateText = ''
let dateSecond = 0

/** The time as `Date` has it. */
function httpDate(): string {
  const second = Math.trunc(Date.now() / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(second * 1000).toUTCString()
  }
  return dateText
}

/**
 * The status line and the fields of an answer for the client, without the empty line, so that the
 * caller adds what its framing needs. Lines that pass are copied in runs as they are.
 * Hot path: row P9 of the bench.
 * @param rewrite - changes values of `Location`; `undefined` leaves them.
 */
export function writeAnswerHead(
  head: AnswerHead,
  fields: Fields,
  rewrite: ((location: string, status: number) => string) | undefined,
): string {
  const { text, kind, nameStart } = fields
  const { nominated } = head.connection
  let out = ''
  let run = 0
  if (!head.isLineUsual) {
    out = `HTTP/1.1 ${head.status} ${head.reason}\r\n`
    run = nameStart[0] ?? 0
  }
  let hasDate = head.status < 200
  for (let i = 0; i < fields.count; i += 1) {
    const is = kind[i] ?? 0
    let line = ''
    if (is === fieldKind.other) {
      if (nominated === undefined || !nominated.has(fields.name(i))) continue
    } else if (is === fieldKind.date) {
      hasDate = true
      continue
    } else if (is === fieldKind.location) {
      if (rewrite === undefined) continue
      line = `${text.slice(nameStart[i], fields.nameEnd[i])}: ${rewrite(fields.value(i), head.status)}\r\n`
    } else if (is === fieldKind.contentLength) {
      if (head.status !== 204 && head.status >= 200) continue
    } else if (isPerConnection[is] !== 1) continue
    out += text.slice(run, nameStart[i]) + line
    run = nameStart[i + 1] ?? fields.end
  }
  out += text.slice(run, fields.end)
  return hasDate ? out : `${out}Date: ${httpDate()}\r\n`
}

/** Headers of a WebSocket's (or another protocol's) beginning: as they came. */
export function writeUpgradeHead(head: AnswerHead, fields: Fields): string {
  return `HTTP/1.1 101 ${head.reason}\r\n${fields.text.slice(fields.nameStart[0], fields.end)}\r\n`
}
