import { array, assert, constantFrom, integer, property, string, tuple } from 'fast-check'
import { expect, test } from 'vitest'
import { EventStreamError, EventStreamParser } from './event-stream.ts'

const encoder = new TextEncoder()

function parse(bytes: Uint8Array, cuts: readonly number[]): string[] {
  const parser = new EventStreamParser()
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b)
  const pieces = [...ends, bytes.length].map((end, index) => {
    return bytes.subarray(index === 0 ? 0 : ends[index - 1], end)
  })
  return pieces.flatMap((piece) => parser.push(piece))
}

const lineEnd = constantFrom('\n', '\r\n', '\r')
const line = constantFrom(
  '',
  'data: x',
  'data:{"a":1}',
  'data',
  'data:',
  ': comment',
  'id: 1',
  'datax: no',
  'data: é',
  'data: 🚀 start',
  'data:  two',
)

test('a stream gives the same events in whatever pieces it arrives', () => {
  const stream = array(tuple(line, lineEnd), { maxLength: 30 })
  assert(
    property(stream, array(integer({ min: 0, max: 400 }), { maxLength: 40 }), (lines, cuts) => {
      const bytes = encoder.encode(lines.flat().join(''))
      expect(parse(bytes, cuts)).toEqual(parse(bytes, []))
    }),
    { numRuns: 500 },
  )
})

test('every text comes out as it went in, byte by byte', () => {
  const text = string({ unit: 'grapheme' }).filter((value) => !/[\r\n]/.test(value))
  assert(
    property(array(text, { maxLength: 10 }), lineEnd, (texts, end) => {
      const bytes = encoder.encode(texts.map((value) => `data: ${value}${end}${end}`).join(''))
      const everyByte = Array.from(bytes, (_byte, index) => index)
      expect(parse(bytes, everyByte)).toEqual(texts)
    }),
  )
})

test.each<[string, string[]]>([
  ['data: a\n\n', ['a']],
  ['data: a\ndata: b\n\n', ['a\nb']],
  ['data: a\r\n\r\ndata: b\r\r', ['a', 'b']],
  ['\n\n\n: ping\n\ndata: a\n\n', ['a']],
  ['data: not ended\n', []],
  ['id: 7\nevent: x\ndata: a\n\n', ['a']],
])('%j holds %j', (text, events) => {
  expect(parse(encoder.encode(text), [])).toEqual(events)
})

test.each([
  ['a line', 'data: xxxxxxxxxxxxxxxxxxxxxxxxxxx'],
  ['an event of many lines', 'data: xxxxx\n'.repeat(5)],
])('%s beyond the bound is an error', (_what, text) => {
  const parser = new EventStreamParser({ maxChars: 20 })
  expect(() => parser.push(encoder.encode(text))).toThrow(EventStreamError)
})
