/** Samples by round, or a text. */
export type Cell = string | { readonly samples: readonly number[]; readonly digits: number }

export interface Row {
  readonly name: string
  readonly cells: readonly Cell[]
}

export interface Goal {
  readonly text: string
  readonly isMet: boolean
  /** What came out, to be read after the goal. */
  readonly found: string
}

/** What a row of the table of goals came to. */
export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly Row[]
  readonly goals: readonly Goal[]
}

/** Samples of every round by what was measured; those of one round share an index. */
export type Samples<T> = ReadonlyMap<string, readonly T[]>

export const cell = (samples: readonly number[], digits: number): Cell => ({ samples, digits })

/** The samples of one kind of figure. */
export function pick<T>(samples: Samples<T>, name: string, of: (sample: T) => number): number[] {
  return (samples.get(name) ?? []).map(of)
}

/** Cells of one proxy: each is a figure of its samples and how many digits it has. */
export const cellsOf = <T>(
  samples: Samples<T>,
  name: string,
  figures: readonly (readonly [of: (sample: T) => number, digits: number])[],
): Cell[] => figures.map(([of, digits]) => cell(pick(samples, name, of), digits))

/** Ours to theirs, round by round; none without both. */
export function ratios<T>(
  samples: Samples<T>,
  names: readonly [ours: string, theirs: string],
  of: (sample: T) => number,
): number[] {
  const [ours, theirs] = names.map((name) => pick(samples, name, of))
  return (ours ?? []).flatMap((value, round) => {
    const other = theirs?.[round]
    return other === undefined ? [] : [value / other]
  })
}

/** Met when the worst round meets it. Without samples there is nothing to say. */
export function atLeast(
  text: string,
  values: readonly number[],
  limit: { readonly least: number; readonly digits: number },
): Goal[] {
  const worst = Math.min(...values)
  return judged(text, values, {
    isMet: worst >= limit.least,
    by: limit.least / worst - 1,
    ...limit,
  })
}

/** Met when the worst round meets it. */
export function atMost(
  text: string,
  values: readonly number[],
  limit: { readonly most: number; readonly digits: number },
): Goal[] {
  const worst = Math.max(...values)
  return judged(text, values, { isMet: worst <= limit.most, by: worst / limit.most - 1, ...limit })
}

function judged(
  text: string,
  values: readonly number[],
  { isMet, by, digits }: { readonly isMet: boolean; readonly by: number; readonly digits: number },
): Goal[] {
  if (values.length === 0 || values.some(Number.isNaN)) return []
  const missed = isMet ? 'met' : `missed by ${(by * 100).toFixed(0)} %`
  const found = `${missed}: ${spread(values, digits)}, median ${median(values).toFixed(digits)}`
  return [{ text, isMet, found }]
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = Number.NaN, high = Number.NaN] = [
    sorted[Math.ceil(sorted.length / 2) - 1],
    sorted[middle],
  ]
  return (low + high) / 2
}

/** As Markdown. */
export function tableText({ title, columns, rows, goals }: Table): string {
  const lines = [
    `\n${title}\n`,
    `| ${columns.join(' | ')} |`,
    `|${'---|'.repeat(columns.length)}`,
    ...rows.map(({ name, cells }) => `| ${[name, ...cells.map(cellText)].join(' | ')} |`),
    '',
    ...goals.map((goal) => `- ${goal.text}: ${goal.found}`),
  ]
  return `${lines.join('\n')}\n`
}

function cellText(one: Cell): string {
  return typeof one === 'string' ? one : spread(one.samples, one.digits)
}

function spread(values: readonly number[], digits: number): string {
  if (values.length === 0 || values.some(Number.isNaN)) return ''
  const [low, high] = [Math.min(...values).toFixed(digits), Math.max(...values).toFixed(digits)]
  return low === high ? low : `${low} to ${high}`
}
