/** Parts of the generated reference pages. */

export const madeBy = '<!-- Made by `npm run generate`; changes here are lost. -->'

/** A table, aligned for those who read the source. */
export function toTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(toCell))
  const widths = titles.map((title, index) => {
    return Math.max(title.length, 3, ...cells.map((row) => row[index]?.length ?? 0))
  })
  const line = (row: readonly string[]) =>
    `| ${titles.map((_title, index) => (row[index] ?? '').padEnd(widths[index] ?? 0)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  return [line(titles), rule, ...cells.map(line)].join('\n')
}

export function code(text: string): string {
  return text === '' ? '' : `\`${text}\``
}

export function codes(texts: readonly string[]): string {
  return texts.map(code).join(', ')
}

/** Paragraphs with a blank line between them, and one at the end. */
export function toPage(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function toCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
