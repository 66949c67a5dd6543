import { expect, test } from 'vitest'
import { formatLine } from './logger.ts'

test('a record becomes a line with its details', () => {
  const line = formatLine(
    JSON.stringify({ level: 40, time: 0, msg: 'slow start', server: 'ada/', note: 'a b' }),
    false,
  )
  expect(line).toMatch(
    /^\[W \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} Orrery\] slow start server=ada\/ note="a b"\n$/,
  )
})
