import type { Result } from './result.ts'

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[]
  /** Index of the first item among all. */
  readonly offset: number
  /** Items a page holds at most, as the hub decided. */
  readonly limit: number
  /** Items of all pages. */
  readonly total: number
  /** Where the next page begins; `undefined` on the last. */
  readonly nextOffset: number | undefined
}

/** Which page. The hub bounds `limit`. */
export interface PageQuery {
  readonly offset?: number | undefined
  readonly limit?: number | undefined
}

export const paginationType = 'application/jupyterhub-pagination+json'

/** The envelope that lists come in. Source: contract rest-api §5. */
export interface Envelope<T> {
  readonly items: readonly T[]
  readonly _pagination: {
    readonly offset: number
    readonly limit: number
    readonly total: number
    readonly next: { readonly offset: number } | null
  }
}

export function toPage<T>({ items, _pagination }: Envelope<T>): Page<T> {
  const { offset, limit, total, next } = _pagination
  return { items, offset, limit, total, nextOffset: next?.offset }
}

/**
 * Every page after the other, until the last, or a failure, which comes as the last value.
 * Items that are created or deleted meanwhile may be missed or come twice, as pages go by index.
 */
export async function* eachPage<T>(
  load: (offset: number) => Promise<Result<Page<T>>>,
  offset = 0,
): AsyncGenerator<Result<Page<T>>, void, void> {
  let next: number | undefined = offset
  while (next !== undefined) {
    const result: Result<Page<T>> = await load(next)
    yield result
    // A page that leads backwards would lead around in circles.
    const following: number | undefined = result.ok ? result.value.nextOffset : undefined
    next = following !== undefined && following > next ? following : undefined
  }
}
