import type { StoredRoute } from '../../domain/records.ts'
import type { Bus } from '../../storage/bus.ts'

/** Newest are kept. An edge that is further behind reads the table. */
const maxKept = 256

/**
 * Changes of routes that this hub has committed lately: an edge is told of them without a query.
 * Numbers are given without a gap and in the order of commits, so one that follows on what an edge
 * has is the next one, whatever other hubs write.
 */
export class RecentRoutes {
  readonly #bySeq = new Map<number, StoredRoute>()
  readonly #off: () => void

  constructor(bus: Bus) {
    this.#off = bus.on(['route'], (change) => {
      if (change?.route !== undefined) this.#keep(change.route)
    })
  }

  /** The changes right after number `since`, up to the first that is not known here. */
  after(since: number): readonly StoredRoute[] {
    const routes: StoredRoute[] = []
    for (let seq = since + 1; ; seq += 1) {
      const route = this.#bySeq.get(seq)
      if (route === undefined) return routes
      routes.push(route)
    }
  }

  close(): void {
    this.#off()
  }

  #keep(route: StoredRoute): void {
    this.#bySeq.set(route.seq, route)
    if (this.#bySeq.size <= maxKept) return
    for (const oldest of this.#bySeq.keys()) {
      this.#bySeq.delete(oldest)
      return
    }
  }
}
