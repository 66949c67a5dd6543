/** How many failures are let through before one key has to wait. */
const maxFailures = 20
const windowMs = 60_000
/** Keys remembered; above it the oldest are forgotten, which only ever lets somebody try again. */
const maxKeys = 10_000

/** Counts failures per key and says when a key has had too many: bounded, in memory. */
export interface FailureLimit {
  /** Whole seconds to wait; 0 when the key may try. */
  waitSeconds(key: string): number
  fail(key: string): void
  succeed(key: string): void
}

export function createFailureLimit(now: () => Date): FailureLimit {
  const windows = new Map<string, { failures: number; endsAt: number }>()
  return {
    waitSeconds(key) {
      const window = windows.get(key)
      const leftMs = window === undefined ? 0 : window.endsAt - now().getTime()
      if (window === undefined || leftMs <= 0 || window.failures < maxFailures) return 0
      return Math.ceil(leftMs / 1000)
    },
    fail(key) {
      const at = now().getTime()
      const window = windows.get(key)
      if (window !== undefined && window.endsAt > at) {
        window.failures += 1
        return
      }
      windows.delete(key)
      windows.set(key, { failures: 1, endsAt: at + windowMs })
      const oldest = windows.keys().next().value
      if (windows.size > maxKeys && oldest !== undefined) windows.delete(oldest)
    },
    succeed(key) {
      windows.delete(key)
    },
  }
}
