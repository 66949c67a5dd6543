import stringWidth from 'string-width'

export interface Column<T> {
  readonly title: string
  /** `undefined` where there is nothing, or nothing that the caller may see. */
  readonly value: (item: T) => string | undefined
}

const gap = '  '

/** Rows below their titles, as wide as they are on screen; `heading` dresses the title line. */
export function formatTable<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  heading: (text: string) => string = (text) => text,
): string {
  const rows = items.map((item) => columns.map(({ value }) => toCell(value(item))))
  const titles = columns.map(({ title }) => title)
  const widths = titles.map((title, index) => {
    return Math.max(stringWidth(title), ...rows.map((row) => stringWidth(row[index] ?? '')))
  })
  const toLine = (cells: readonly string[]) =>
    cells
      .map((cell, index) => padEnd(cell, widths[index] ?? 0))
      .join(gap)
      .trimEnd()
  return [heading(toLine(titles)), ...rows.map(toLine)].join('\n')
}

/** One thing, a line for each of its fields. */
export function formatFields<T>(item: T, columns: readonly Column<T>[]): string {
  const width = Math.max(...columns.map(({ title }) => stringWidth(title)))
  return columns
    .map(({ title, value }) => `${padEnd(title, width)}${gap}${toCell(value(item))}`)
    .join('\n')
}

function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stringWidth(text)))
}

function toCell(value: string | undefined): string {
  return value === undefined || value === '' ? '-' : printable(value)
}

/**
 * Names and messages come from anybody: what would steer a terminal, or turn the reading direction
 * around, is shown as an escape.
 */
export function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (char) => {
      return `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
    },
  )
}

/** `2026-01-31 12:00Z`. */
export function formatTime(text: string | null | undefined): string | undefined {
  if (text === null || text === undefined) return undefined
  const at = new Date(text)
  if (Number.isNaN(at.getTime())) return text
  return `${at.toISOString().slice(0, 16).replace('T', ' ')}Z`
}

export function formatFlag(value: boolean | undefined): string | undefined {
  if (value === undefined) return undefined
  return value ? 'yes' : 'no'
}
