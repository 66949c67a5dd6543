import { expect, test } from 'vitest'
import { type Column, formatFields, formatTable, formatTime, printable } from './table.ts'

interface Row {
  readonly name: string
  readonly note?: string
}
const columns: readonly Column<Row>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'NOTE', value: ({ note }) => note },
]

test('columns are aligned by what characters take on screen', () => {
  const rows = [{ name: 'ada', note: 'first' }, { name: '玲玲', note: 'wide' }, { name: 'é👩‍🚀' }]
  expect(formatTable(rows, columns)).toBe(
    ['NAME  NOTE', 'ada   first', '玲玲  wide', 'é👩‍🚀   -'].join('\n'),
  )
})

test('a table without rows has its titles', () => {
  expect(formatTable([], columns, (text) => `<${text}>`)).toBe('<NAME  NOTE>')
})

test('one thing has a line for each field', () => {
  expect(formatFields({ name: 'ada' }, columns)).toBe('NAME  ada\nNOTE  -')
})

test.each([
  ['\u001b[31mred', '\\u001b[31mred'],
  ['a\nb', '\\u000a'],
  ['\u202eevil', '\\u202eevil'],
  ['\u009b2J', '\\u009b2J'],
])('%j cannot steer a terminal', (text, shown) => {
  expect(printable(text)).toContain(shown)
  expect(formatTable([{ name: text }], columns).split('\n')).toHaveLength(2)
})

test.each([
  ['2026-01-31T12:00:59.5Z', '2026-01-31 12:00Z'],
  [null, undefined],
  ['soon', 'soon'],
])('the time %j is %j', (text, shown) => {
  expect(formatTime(text)).toBe(shown)
})
