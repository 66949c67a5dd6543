import type { StoredRoute } from '../domain/records.ts'

/** What changed. `id` is the row's id, or a name where a row has none. */
export interface Change {
  readonly topic: ChangeTopic
  readonly id: number | string
  /** What a route has become. Of this hub's own changes only: it is not told to others. */
  readonly route?: StoredRoute
}

export const changeTopics = [
  'user',
  'group',
  'role',
  'service',
  'share',
  'token',
  'client',
  'session',
  'server',
  'operation',
  'progress',
  'route',
] as const
export type ChangeTopic = (typeof changeTopics)[number]

export type ChangeListener = (change: Change | undefined) => void

/**
 * Tells the parts of a hub, and through the store the other hubs, what has been committed.
 * Listeners get `undefined` when messages may have been missed: they forget what they cache.
 * A lost message costs time, never correctness.
 */
export class Bus {
  readonly #listeners = new Map<ChangeTopic, Set<ChangeListener>>()

  /** Returns the function that ends the subscription. */
  on(topics: readonly ChangeTopic[], listener: ChangeListener): () => void {
    for (const topic of topics) {
      const set = this.#listeners.get(topic) ?? new Set()
      this.#listeners.set(topic, set.add(listener))
    }
    return () => {
      for (const topic of topics) this.#listeners.get(topic)?.delete(listener)
    }
  }

  emit(change: Change): void {
    for (const listener of this.#listeners.get(change.topic) ?? []) listener(change)
  }

  /** Everything may have changed. */
  emitMissed(): void {
    const all = new Set([...this.#listeners.values()].flatMap((set) => [...set]))
    for (const listener of all) listener(undefined)
  }
}

export function formatChanges(hub: string, changes: readonly Change[]): string {
  return JSON.stringify({ hub, changes: changes.map(({ topic, id }) => [topic, id]) })
}

/** Reads another hub's announcement; `undefined` for what this version does not understand. */
export function parseChanges(text: string): { hub: string; changes: Change[] } | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (!('hub' in value) || !('changes' in value)) return undefined
  if (typeof value.hub !== 'string' || !Array.isArray(value.changes)) return undefined
  return { hub: value.hub, changes: value.changes.flatMap(parseChange) }
}

function parseChange(item: unknown): Change[] {
  if (!Array.isArray(item)) return []
  const [topic, id] = item as readonly unknown[]
  const known = changeTopics.find((name) => name === topic)
  if (known === undefined || (typeof id !== 'number' && typeof id !== 'string')) return []
  return [{ topic: known, id }]
}
