import type { SpawnProgress } from '../plugin-api/spawner.ts'
import { appendProgress } from '../storage/operations.ts'
import type { Store } from '../storage/store.ts'

/** Messages that may wait for the store; a spawner that reports more loses the oldest of them. */
const maxWaiting = 100
const maxMessageLength = 4_000

/**
 * Writes a spawner's messages to the store, in order, without making the spawner wait. A message
 * that cannot be written is dropped: progress is a courtesy and never fails a start.
 */
export class ProgressRecorder implements AsyncDisposable {
  readonly #store: Store
  readonly #operationId: number
  readonly #now: () => Date
  #waiting: SpawnProgress[] = []
  #writing: Promise<void> | undefined

  constructor(store: Store, operationId: number, now: () => Date) {
    this.#store = store
    this.#operationId = operationId
    this.#now = now
  }

  report(event: SpawnProgress): void {
    this.#waiting.push(event)
    if (this.#waiting.length > maxWaiting) this.#waiting.shift()
    this.#writing ??= this.#write()
  }

  /** Resolves when everything reported so far is written or dropped. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.flush()
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const events = this.#waiting
      this.#waiting = []
      await this.#store
        .write(async (tx) => {
          for (const event of events) {
            const { progress, message, htmlMessage } = event
            await appendProgress(tx, {
              operationId: this.#operationId,
              at: this.#now(),
              data: {
                ...(progress !== undefined && { progress: Math.min(Math.max(progress, 0), 99) }),
                message: message.slice(0, maxMessageLength),
                ...(htmlMessage !== undefined && {
                  html_message: htmlMessage.slice(0, maxMessageLength),
                }),
              },
            })
          }
        })
        .catch(() => undefined)
    }
    this.#writing = undefined
  }
}
