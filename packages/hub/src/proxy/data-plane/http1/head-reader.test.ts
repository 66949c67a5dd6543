import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { HeadReader, needsMore } from './head-reader.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void // a function of V8

test('a head that comes byte by byte takes no more memory than its bytes', () => {
  const [readers, bytes] = [40, 60_000]
  const letter = Buffer.from('a')
  const before = heapBytes()
  const all = Array.from({ length: readers }, () => {
    const reader = new HeadReader()
    for (let i = 0; i < bytes; i += 1)
      if (reader.push(letter, 0) !== needsMore) throw new Error('ended')
    return reader
  })
  const each = (heapBytes() - before) / all.length
  expect(each).toBeLessThan(2 * bytes)
  const last = all.at(-1)
  expect(last?.push(Buffer.from('\r\n\r\n'), 0)).toBe(4)
  expect(last?.text).toBe(`${'a'.repeat(bytes)}\r\n\r\n`)
})

function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}
