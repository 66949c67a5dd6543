/** Conversions between columns and what the rest of the hub sees. */

export function toDate(ms: number): Date {
  return new Date(ms)
}

export function toDateOrNull(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms)
}

export function toFlag(value: boolean): 0 | 1 {
  return value ? 1 : 0
}

/** Escapes LIKE's wildcards; the clause must say `escape '\'`. */
export function likePattern(text: string): string {
  return `%${text.replace(/[\\%_]/g, (character) => `\\${character}`)}%`
}
