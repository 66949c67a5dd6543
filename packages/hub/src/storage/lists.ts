/** Databases bind some 32,000 values in one statement; longer lists are not lengthened. */
const maxPadded = 16_384

/**
 * A list for `in (...)`, lengthened to a power of two by repeating its last element, so that lists
 * of every length share a few prepared statements. An empty list matches nothing: `in ()` is not
 * SQL, and `nothing` is a value that no row has.
 */
export function toInList<T>(values: Iterable<T>, nothing: T): T[] {
  const list = [...new Set(values)]
  if (list.length > maxPadded) return list
  const filler = list.at(-1) ?? nothing
  const length = 2 ** Math.ceil(Math.log2(Math.max(list.length, 1)))
  while (list.length < length) list.push(filler)
  return list
}
