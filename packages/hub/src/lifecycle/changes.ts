import type { ChangeTopic } from '../storage/bus.ts'
import type { Store } from '../storage/store.ts'

/** A bus message may be lost: whoever waits for a change looks again after this long. */
const lookAgainMs = 1_000

/**
 * Resolves when one of `ids` changes in one of `topics`, when messages may have been missed, after
 * a second, or when the signal aborts; the caller then looks at the store. Subscribe (call) first,
 * then read, then await: no change falls in between.
 */
export function nextChange(
  store: Store,
  watched: { topics: readonly ChangeTopic[]; ids: readonly number[]; signal?: AbortSignal },
): { readonly changed: Promise<void>; stop(): void } {
  let finish: () => void = () => undefined
  const changed = new Promise<void>((resolve) => {
    const timer = setTimeout(() => finish(), lookAgainMs)
    const off = store.bus.on(watched.topics, (change) => {
      if (change === undefined || watched.ids.includes(Number(change.id))) finish()
    })
    finish = () => {
      clearTimeout(timer)
      off()
      watched.signal?.removeEventListener('abort', finish)
      resolve()
    }
    watched.signal?.addEventListener('abort', finish, { once: true })
    if (watched.signal?.aborted === true) finish()
  })
  return { changed, stop: () => finish() }
}
