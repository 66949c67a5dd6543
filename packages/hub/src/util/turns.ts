/** Runs work with the same key one after another; work with different keys side by side. */
export class Turns {
  readonly #maxWaiting: number
  readonly #queues = new Map<string, { last: Promise<unknown>; length: number }>()

  constructor(options: { readonly maxWaiting: number }) {
    this.#maxWaiting = options.maxWaiting
  }

  /** @throws what `tooMany` makes when the queue of the key is full */
  async run<T>(key: string, work: () => Promise<T>, tooMany: () => Error): Promise<T> {
    const queue = this.#queues.get(key) ?? { last: Promise.resolve(), length: 0 }
    if (queue.length > this.#maxWaiting) throw tooMany()
    const done = queue.last.then(work)
    queue.last = done.catch(() => undefined)
    queue.length += 1
    this.#queues.set(key, queue)
    try {
      return await done
    } finally {
      queue.length -= 1
      if (queue.length === 0) this.#queues.delete(key)
    }
  }
}
