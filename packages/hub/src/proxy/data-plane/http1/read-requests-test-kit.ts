import { ChunkedBody } from './chunked.ts'
import { Fields } from './fields.ts'
import { HeadReader, needsMore, tooLarge } from './head-reader.ts'
import { chunkedLength, parseRequestHead } from './request-head.ts'
import type { RequestHead } from './request-head.ts'

export interface ReadRequest {
  readonly method: string
  readonly target: string
  readonly fields: readonly string[]
  readonly body: string
}

/** All requests of a stream of bytes, and how the stream ended: `open`, or the status that refused it. */
export interface Reading {
  readonly requests: readonly ReadRequest[]
  readonly end: 'open' | 'partial' | number
}

/** Reads requests as a connection does, with the same parts, in chunks cut at `cuts`. */
export function readRequests(bytes: Buffer, cuts: readonly number[] = []): Reading {
  const requests: ReadRequest[] = []
  const reader = new HeadReader()
  const fields = new Fields()
  let head: RequestHead | undefined
  let lines: string[] = []
  let body = ''
  let left = 0
  let chunks: ChunkedBody | undefined
  const finish = (): void => {
    if (head !== undefined) {
      requests.push({ method: head.method, target: head.target, fields: lines, body })
    }
    head = undefined
    chunks = undefined
  }
  const ends = [...new Set([...cuts, bytes.length])].toSorted((a, b) => a - b)
  let start = 0
  for (const end of ends) {
    const chunk = bytes.subarray(start, end)
    start = end
    for (let at = 0; at < chunk.length; ) {
      if (head === undefined) {
        at = reader.push(chunk, at)
        if (at === needsMore) break
        if (at < 0) return { requests, end: at === tooLarge ? 431 : 400 }
        const parsed = parseRequestHead(reader.text, reader.end, fields)
        if (typeof parsed === 'number') return { requests, end: parsed }
        head = parsed
        lines = Array.from(
          { length: fields.count },
          (_, i) => `${fields.name(i)}: ${fields.value(i)}`,
        )
        body = ''
        left = head.bodyLength
        if (left === chunkedLength) {
          chunks = new ChunkedBody({
            output: 'payload',
            allowExtensions: false,
            sink: (part, from, to) => (body += part.toString('latin1', from, to)),
          })
        } else if (left === 0) finish()
      } else if (chunks !== undefined) {
        at = chunks.push(chunk, at)
        if (at === -1) return { requests, end: 400 }
        if (chunks.isDone) finish()
      } else {
        const to = Math.min(chunk.length, at + left)
        body += chunk.toString('latin1', at, to)
        left -= to - at
        at = to
        if (left === 0) finish()
      }
    }
  }
  return { requests, end: head !== undefined || reader.isPartial ? 'partial' : 'open' }
}
