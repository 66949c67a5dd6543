/** What a strict reader makes of the bytes that answer a request. */
export type ModelAnswer =
  /** `hasMore`: bytes follow that nobody asked for; `isCut`: the body did not come to its end. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body: string
      readonly isCut: boolean
    }
  | { readonly kind: 'none' }

const none: ModelAnswer = { kind: 'none' }
const statusLine = /^HTTP\/1\.([01]) (\d{3})(?: [\t -~\x80-\xff]*)?$/
const fieldLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*$/
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

interface Head {
  readonly isHttp10: boolean
  readonly status: number
  readonly fields: readonly (readonly [name: string, value: string])[]
}

/**
 * A model to hold the edge's reader against: slow, short and written with other means. `text` is all
 * that a target sends before it closes.
 */
export function modelAnswer(text: string, isHead: boolean): ModelAnswer {
  let rest = text
  for (let interim = 0; interim <= 32; interim += 1) {
    rest = rest.replace(/^(?:\r\n){1,2}/, '')
    const end = rest.indexOf('\r\n\r\n')
    const head = end === -1 ? undefined : readHead(rest.slice(0, end))
    if (head === undefined || head.status < 100 || head.status === 101) return none
    const framing = framingOf(head, isHead)
    if (framing === undefined) return none
    rest = rest.slice(end + 4)
    if (head.status >= 200)
      return { kind: 'answer', status: head.status, ...readBody(rest, framing) }
  }
  return none
}

function readHead(text: string): Head | undefined {
  const [first = '', ...lines] = text.split('\r\n')
  const [, minor, status] = statusLine.exec(first) ?? []
  const fields = lines.map((line) => fieldLine.exec(line))
  if (minor === undefined || fields.includes(null) || fields.length > 500) return undefined
  const named = fields.map((match) => [match?.[1]?.toLowerCase() ?? '', match?.[2] ?? ''] as const)
  return { isHttp10: minor === '0', status: Number(status), fields: named }
}

type Framing = 'none' | 'close' | 'chunked' | number

function framingOf({ fields, isHttp10, status }: Head, isHead: boolean): Framing | undefined {
  const all = (name: string): string[] => fields.filter(([n]) => n === name).map(([, v]) => v)
  const lengths = all('content-length')
  const codings = all('transfer-encoding')
  const options = all('connection').join(',').split(',')
  if (!options.every((one) => one.trim() === '' || token.test(one.trim()))) return undefined
  if (lengths.length + codings.length > 1) return undefined
  if (!lengths.every((one) => /^\d{1,15}$/.test(one))) return undefined
  if (!codings.every((one) => one.toLowerCase() === 'chunked' && !isHttp10)) return undefined
  if (isHead || status < 200 || status === 204 || status === 304) return 'none'
  if (codings.length > 0) return 'chunked'
  return lengths[0] === undefined ? 'close' : Number(lengths[0])
}

function readBody(text: string, framing: Framing): { body: string; isCut: boolean } {
  if (framing === 'none') return { body: '', isCut: false }
  if (framing === 'close') return { body: text, isCut: false }
  if (framing !== 'chunked') return { body: text.slice(0, framing), isCut: text.length < framing }
  let body = ''
  let rest = text
  for (;;) {
    const [line, digits] = /^([0-9A-Fa-f]{1,12})(?:;[\t -~\x80-\xff]{0,4000})?\r\n/.exec(rest) ?? []
    if (line === undefined || digits === undefined) return { body, isCut: true }
    const size = Number.parseInt(digits, 16)
    rest = rest.slice(line.length)
    if (size === 0) return { body, isCut: !areTrailers(rest) }
    body += rest.slice(0, size)
    if (rest.slice(size, size + 2) !== '\r\n') return { body, isCut: true }
    rest = rest.slice(size + 2)
  }
}

function areTrailers(text: string): boolean {
  if (text.startsWith('\r\n')) return true
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return false
  return text
    .slice(0, end)
    .split('\r\n')
    .every((line) => fieldLine.test(line))
}
