import type { Call } from '../call.ts'
import type { ProxyRoute } from '../generated.ts'
import {
  eachPage,
  type Envelope,
  type Page,
  type PageQuery,
  paginationType,
  toPage,
} from '../pages.ts'
import { type Result, succeed } from '../result.ts'
import type { CallOptions } from '../transport.ts'

/** The proxy's routing table. */
export function createRoutesResource(call: Call) {
  const list = async (
    query: PageQuery = {},
    options?: CallOptions,
  ): Promise<Result<Page<ProxyRoute>>> => {
    const result = await call('getProxyRoutes', { query }, { ...options, accept: paginationType })
    return result.ok ? succeed(toPage(inEnvelope(result.value)), result.status) : result
  }
  return {
    /** One page of the routes, by routespec. */
    list,
    /** Page after page from `offset` on; a failure is the last value. */
    pages: (query: PageQuery = {}, options?: CallOptions) =>
      eachPage((offset) => list({ ...query, offset }, options), query.offset),
    /** Brings the table in line with what runs. */
    check: (options?: CallOptions) => call('checkProxyRoutes', {}, options),
  }
}

type Routes = Readonly<Record<string, ProxyRoute>>

/** This list's items are an object. Routespecs hold a slash, so that no route looks like an envelope. */
function inEnvelope(answer: Routes | (Omit<Envelope<never>, 'items'> & { items: Routes })) {
  if ('_pagination' in answer && 'items' in answer) {
    const envelope = answer as Omit<Envelope<never>, 'items'> & { items: Routes } // no route has these keys
    return { ...envelope, items: Object.values(envelope.items) }
  }
  const items = Object.values(answer)
  const { length } = items
  return { items, _pagination: { offset: 0, limit: length, total: length, next: null } }
}
