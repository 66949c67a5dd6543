import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { HubError } from '../domain/errors.ts'

const keepAliveMs = 8_000
/** How often a stream asks whether its reader may still read. */
const recheckMs = 2_000
/** One user's share; services, which watch for many, have none of their own. */
const maxPerUser = 200

/** Bounds how many streams one hub keeps open, and ends them when it closes. */
export class StreamRegistry {
  readonly #open = new Set<AbortController>()
  readonly #perUser = new Map<number, number>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#open.size
  }

  /**
   * A controller that aborts when the client goes, when the hub closes, when told to, or within
   * seconds of `isAllowed` resolving to `false` (or failing).
   * Fails with `too_many_requests` at the limit, that of all or that of `userId`.
   */
  open(
    reply: FastifyReply,
    options: { readonly isAllowed?: () => Promise<boolean>; readonly userId?: number } = {},
  ): AbortController {
    const { userId } = options
    const ofUser = userId === undefined ? 0 : (this.#perUser.get(userId) ?? 0)
    if (this.#open.size >= this.#limit || ofUser >= maxPerUser) {
      throw new HubError('too_many_requests', {
        message: 'Too many streams are open',
        headers: { 'retry-after': '5' },
      })
    }
    const controller = new AbortController()
    this.#open.add(controller)
    controller.signal.addEventListener('abort', () => this.#open.delete(controller))
    if (userId !== undefined) this.#count(userId, controller.signal)
    reply.raw.once('close', () => controller.abort())
    if (options.isAllowed !== undefined) abortOnceRefused(controller, options.isAllowed)
    return controller
  }

  #count(userId: number, signal: AbortSignal): void {
    const add = (change: number) => {
      const count = (this.#perUser.get(userId) ?? 0) + change
      if (count > 0) this.#perUser.set(userId, count)
      else this.#perUser.delete(userId)
    }
    add(1)
    signal.addEventListener('abort', () => add(-1), { once: true })
  }

  closeAll(): void {
    for (const controller of this.#open) controller.abort()
  }
}

function abortOnceRefused(controller: AbortController, isAllowed: () => Promise<boolean>): void {
  let isAsking = false
  const ask = async () => {
    const isRefused = !(await isAllowed().catch(() => false))
    if (isRefused) controller.abort()
    isAsking = false
  }
  const timer = setInterval(() => {
    if (isAsking) return
    isAsking = true
    void ask()
  }, recheckMs)
  controller.signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

/**
 * Sends values as an event stream: `data: <JSON>` and a blank line each, blank lines at once and
 * every 8 s in between, closed after the last value. Other fields than `data` are never sent.
 * Source: contract rest-api §8.8.
 */
export function sendEventStream(
  reply: FastifyReply,
  events: AsyncIterable<unknown>,
  signal: AbortSignal,
): FastifyReply {
  void reply.header('content-type', 'text/event-stream').header('cache-control', 'no-cache')
  // Nginx would otherwise collect the events of a start and deliver them at its end.
  void reply.header('x-accel-buffering', 'no')
  return reply.send(Readable.from(frames(events, signal), { objectMode: false }))
}

async function* frames(
  events: AsyncIterable<unknown>,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const iterator = events[Symbol.asyncIterator]()
  try {
    yield '\n\n'
    let next = iterator.next()
    while (!signal.aborted) {
      const result = await orSilence(next, signal)
      if (result === 'silence') {
        yield '\n\n'
        continue
      }
      if (result === 'aborted' || result.done === true) return
      yield `data: ${JSON.stringify(result.value)}\n\n`
      next = iterator.next()
    }
  } finally {
    // Not awaited: it waits for the event under way, which an aborted generator ends by itself.
    void iterator.return?.()?.catch(() => undefined)
  }
}

/** The next event, or word that 8 s have passed or that nobody listens any more. */
async function orSilence<T>(
  next: Promise<T>,
  signal: AbortSignal,
): Promise<T | 'silence' | 'aborted'> {
  let stop: () => void = () => undefined
  const pause = new Promise<'silence' | 'aborted'>((resolve) => {
    const timer = setTimeout(() => resolve('silence'), keepAliveMs)
    const onAbort = () => resolve('aborted')
    signal.addEventListener('abort', onAbort, { once: true })
    stop = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
    if (signal.aborted) onAbort()
  })
  try {
    return await Promise.race([next, pause])
  } finally {
    stop()
  }
}
