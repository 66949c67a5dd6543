import { randomBytes } from 'node:crypto'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'

/** How often the connection is asked to say something, and how long it may take. */
const beatIntervalMs = 2_000
const beatDeadlineMs = 2_500
const connectTimeoutMs = 3_000
const reconnectMinMs = 100
const reconnectMaxMs = 2_000

/** Payload of an announcement; `undefined` when some may have been missed. */
export type Hear = (payload: string | undefined) => void

interface Listener {
  readonly client: Client
  /** Channel that nobody else uses, to hear oneself. */
  readonly beatChannel: string
}

/**
 * Hears what other hubs announce on a channel, over a connection of its own. Resolves once the
 * subscription stands; the returned function ends it.
 *
 * A connection can die without a word. It therefore has to repeat what it is told every other
 * second; when it does not, and as long as there is none, the listener is told that announcements
 * may be missing. So nothing that another hub committed stays unknown for longer than about
 * `beatIntervalMs` + `beatDeadlineMs`, or `reconnectMaxMs` + `connectTimeoutMs`: 5 s each.
 */
export async function listenOnPostgres(
  options: { readonly url: string; readonly channel: string },
  hear: Hear,
): Promise<() => Promise<void>> {
  const ending = new AbortController()
  const first = await connect(options, hear)
  const running = keepListening({ ...options, hear, first, signal: ending.signal })
  return async () => {
    ending.abort()
    await running
  }
}

async function connect(
  options: { readonly url: string; readonly channel: string },
  hear: Hear,
): Promise<Listener> {
  const client = new Client({
    connectionString: options.url,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: connectTimeoutMs,
    keepAlive: true,
  })
  const beatChannel = `${options.channel}_${randomBytes(8).toString('hex')}`
  client.on('error', () => undefined) // the next beat finds out
  client.on('notification', (message) => {
    if (message.channel === options.channel) hear(message.payload ?? undefined)
  })
  try {
    await client.connect()
    await client.query(`listen ${options.channel}`)
    await client.query(`listen ${beatChannel}`)
  } catch (error) {
    destroy(client)
    throw error
  }
  return { client, beatChannel }
}

/** Owns the listening connection and replaces it when it does not answer any more. */
async function keepListening(options: {
  url: string
  channel: string
  hear: Hear
  first: Listener
  signal: AbortSignal
}): Promise<void> {
  const { hear, signal } = options
  let listener: Listener | undefined = options.first
  let waitMs = reconnectMinMs
  while (!signal.aborted) {
    if (listener !== undefined) {
      await untilSilent(listener, signal)
      if (signal.aborted) break
      destroy(listener.client)
      waitMs = reconnectMinMs
    }
    hear(undefined)
    await pause(waitMs * (0.5 + Math.random() / 2), signal)
    if (signal.aborted) return
    waitMs = Math.min(waitMs * 2, reconnectMaxMs)
    listener = await connect(options, hear).catch(() => undefined)
    if (listener !== undefined) hear(undefined)
  }
  if (listener !== undefined) await close(listener.client)
}

async function untilSilent({ client, beatChannel }: Listener, signal: AbortSignal): Promise<void> {
  let beats = 0
  let sent = 0
  let isOver = false
  client.on('notification', (message) => {
    if (message.channel === beatChannel) beats += 1
  })
  client.once('end', () => (isOver = true))
  const ended = new AbortController()
  client.once('end', () => ended.abort())
  const either = AbortSignal.any([signal, ended.signal])
  while (!signal.aborted && !isOver) {
    sent += 1
    // A failure shows as a beat that is not heard.
    client.query('select pg_notify($1, $2)', [beatChannel, '']).catch(() => undefined)
    await pause(beatIntervalMs, either)
    if (beats < sent) await pause(beatDeadlineMs - beatIntervalMs, either)
    // A busy event loop is not a dead connection: what has arrived is looked at first.
    if (beats < sent) await nextTurn().then(() => nextTurn())
    if (beats < sent) return
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined) // woken early
}

async function close(client: Client): Promise<void> {
  await Promise.race([client.end().catch(() => undefined), delay(1_000, undefined, { ref: false })])
  destroy(client)
}

/** A dead connection does not take part in its own end. */
function destroy(client: Client): void {
  client.connection.stream.destroy()
}
