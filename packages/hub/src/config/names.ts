/** `start_timeout` → `startTimeout`, at the type level. */
export type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name

/** `start_timeout` → `startTimeout`. */
export function toCamelCase(name: string): string {
  return name.replace(/_+([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase())
}

/** Names longer than this are never compared: nothing that long is a slip of the finger. */
const maxComparedLength = 80

/**
 * How many single-character insertions, deletions, replacements and swaps of neighbours turn
 * `from` into `to` (optimal string alignment).
 */
export function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: to.length + 1 }, (_unused, index) => index)
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1]
      let best = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (same ? 0 : 1),
      )
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      if (swapped) best = Math.min(best, at(beforePrevious, column - 2) + 1)
      current.push(best)
    }
    beforePrevious = previous
    previous = current
  }
  return at(previous, to.length)
}

/** The candidate most like `name`, or `undefined` when none is close enough to be meant. */
export function findNearestName(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > maxComparedLength) return undefined
  const wanted = name.toLowerCase()
  let nearest: { candidate: string; distance: number } | undefined
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (nearest === undefined || distance < nearest.distance) nearest = { candidate, distance }
  }
  if (nearest === undefined) return undefined
  const tolerance = Math.max(1, Math.floor(Math.max(name.length, nearest.candidate.length) / 3))
  return nearest.distance <= tolerance ? nearest.candidate : undefined
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY
}
