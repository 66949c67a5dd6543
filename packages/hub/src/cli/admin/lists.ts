import { type Page, type Result, unwrap } from '@orrery/client'

export interface Collected<T> {
  readonly items: readonly T[]
  /** `undefined` where pages do not tell, as for servers of users. */
  readonly total: number | undefined
}

/** Items of pages, up to a limit; 0 is none. @throws HubRequestError */
export async function collectPages<T>(
  pages: AsyncIterable<Result<Page<T>>>,
  limit: number,
): Promise<Collected<T>> {
  const items: T[] = []
  let total = 0
  for await (const result of pages) {
    const page = unwrap(result)
    items.push(...page.items)
    total = page.total
    if (limit > 0 && items.length >= limit) break
  }
  return { items: limit > 0 ? items.slice(0, limit) : items, total }
}

/** What one request should ask for. */
export function pageLimit(limit: number): { limit?: number } {
  return limit > 0 ? { limit } : {}
}
