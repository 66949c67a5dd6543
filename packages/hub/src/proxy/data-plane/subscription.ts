import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, buildConnector, request } from 'undici'
import {
  EdgeProtocolError,
  edgePaths,
  maxActivityRoutes,
  maxLineBytes,
  parseEdgeMessage,
  silenceTimeoutMs,
} from '../edge-protocol.ts'
import type {
  DeleteMessage,
  EdgeMessage,
  ResumeMessage,
  RoutesMessage,
  SetMessage,
} from '../edge-protocol.ts'
import { Slices } from '../../util/slices.ts'
import type { UnreportedActivity } from '../route.ts'
import type { RoutingTable } from '../routing-table.ts'
import type { EdgeLog } from './context.ts'
import { HubRoutes } from './hub-routes.ts'
import { lookupName } from './name-lookup.ts'
import type { Position } from './snapshot-format.ts'
import type { LiveTls } from './tls/live-tls.ts'

export interface SubscriptionOptions {
  /** Hubs of one store, tried in turn; each ends in `/`. */
  readonly hubUrls: readonly string[]
  readonly token: string
  readonly edgeId: string
  readonly table: RoutingTable
  /** Where the table kept on disk stood. */
  readonly position: Position | undefined
  readonly log: EdgeLog
  /** For hubs by HTTPS. */
  readonly tls?: LiveTls | undefined
  readonly onChange: () => void
  readonly activityIntervalMs?: number
  readonly silenceTimeoutMs?: number
}

/** What a hub was told on one stream; it knows nothing of what was acknowledged on an earlier one. */
interface Stream {
  readonly ended: AbortController
  acked: number
  isAcking: boolean
}

const firstDelayMs = 50
const lastDelayMs = 2000
const postTimeoutMs = 10_000
const connectTimeoutMs = 5_000

/**
 * Follows the routes of the hubs and reports back. While no hub answers, the table stays as it is.
 * Owns its background loops from `start` to `close`.
 */
export class HubSubscription {
  readonly #options: SubscriptionOptions
  readonly #stop = new AbortController()
  readonly #agent: Agent
  #loops: Promise<unknown> = Promise.resolve()
  #hubUrl: string
  #position: Position | undefined
  /** Where the table will stand whose first pieces are there. */
  #arriving: Position | undefined
  readonly #routes: HubRoutes
  #stream = newStream()

  constructor(options: SubscriptionOptions) {
    this.#options = options
    this.#agent = new Agent({
      allowH2: false,
      bodyTimeout: 0,
      connect: createConnector(options.tls),
    })
    this.#routes = new HubRoutes(options)
    this.#position = options.position
    this.#hubUrl = options.hubUrls[0] ?? ''
  }

  get position(): Position | undefined {
    return this.#position
  }

  start(): void {
    this.#loops = Promise.all([this.#follow(), this.#reportForEver()])
  }

  /** Reports activity once more, within a second, and ends. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#loops
    await this.#report(AbortSignal.timeout(1000)).catch(() => undefined)
    await this.#agent.destroy()
  }

  async #follow(): Promise<void> {
    const { hubUrls, log } = this.#options
    const signal = this.#stop.signal
    let failures = 0
    /** Why a hub was lost, told once until one is followed again. */
    const said = new Map<string, string>()
    while (!signal.aborted) {
      const before = this.#position
      try {
        await this.#readStream(() => {
          if (failures > 0) log('info', `following the hub at ${this.#hubUrl}`)
          failures = 0
          said.clear()
        })
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof EdgeProtocolError) this.#position = undefined
        const reason = String(error)
        if (said.get(this.#hubUrl) !== reason)
          log('warn', `lost the hub at ${this.#hubUrl}: ${reason}`)
        said.set(this.#hubUrl, reason)
      }
      if (before === this.#position || failures > 0) failures += 1
      const index = hubUrls.indexOf(this.#hubUrl)
      this.#hubUrl = hubUrls[(index + 1) % hubUrls.length] ?? this.#hubUrl
      const delayMs = Math.min(lastDelayMs, firstDelayMs * 2 ** Math.min(failures, 10))
      await sleep(delayMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined)
    }
  }

  async #readStream(onFirst: () => void): Promise<void> {
    const quiet = new AbortController()
    const limitMs = this.#options.silenceTimeoutMs ?? silenceTimeoutMs
    const timer = setTimeout(() => quiet.abort(new Error('silence')), limitMs)
    try {
      const url = new URL(edgePaths.routes, this.#hubUrl)
      url.searchParams.set('edge', this.#options.edgeId)
      url.searchParams.set('pieces', '1')
      if (this.#position !== undefined) {
        url.searchParams.set('since', String(this.#position.seq))
        url.searchParams.set('epoch', this.#position.epoch)
      }
      const answer = await request(url, {
        dispatcher: this.#agent,
        headers: { authorization: `token ${this.#options.token}` },
        signal: AbortSignal.any([quiet.signal, this.#stop.signal]),
      })
      if (answer.statusCode !== 200) {
        await answer.body.dump()
        throw new Error(describeRefusal(answer.statusCode))
      }
      let isFirst = true
      for await (const line of readLines(answer.body)) {
        timer.refresh()
        await this.#apply(parseEdgeMessage(line), isFirst)
        if (isFirst) onFirst()
        isFirst = false
      }
      throw new Error('the hub closed the stream')
    } finally {
      clearTimeout(timer)
      this.#arriving = undefined
      this.#stream.ended.abort()
    }
  }

  async #apply(message: EdgeMessage, isFirst: boolean): Promise<void> {
    if (isFirst && message.type !== 'snapshot' && message.type !== 'resume') {
      throw new EdgeProtocolError('the stream does not begin with a snapshot')
    }
    switch (message.type) {
      case 'ping':
        return
      case 'snapshot':
        // Of a table that is mixed from two nothing can go on: what breaks off is sent as a whole.
        this.#position = undefined
        this.#arriving = { epoch: message.epoch, seq: message.seq }
        this.#routes.begin()
        return this.#take(message)
      case 'routes':
        return this.#take(message)
      case 'resume':
        return this.#resume(message, isFirst)
      default:
        return this.#change(message)
    }
  }

  async #take({ routes, more }: Pick<RoutesMessage, 'routes' | 'more'>): Promise<void> {
    if (this.#arriving === undefined) throw new EdgeProtocolError('a piece of no snapshot')
    await this.#routes.add(routes)
    if (more === true) return
    await this.#routes.finish()
    const position = this.#arriving
    this.#arriving = undefined
    this.#begin(position)
  }

  #resume({ epoch, seq }: ResumeMessage, isFirst: boolean): void {
    const before = this.#position
    if (!isFirst || before?.epoch !== epoch || seq < before.seq) throw notGrowing()
    this.#begin({ epoch, seq })
  }

  #change(message: SetMessage | DeleteMessage): void {
    const before = this.#position
    // Without one, a snapshot is on its way.
    if (before === undefined || message.seq <= before.seq) throw notGrowing()
    if (message.type === 'set') this.#routes.set(message)
    else this.#routes.delete(message.routespec)
    this.#moveTo({ epoch: before.epoch, seq: message.seq })
  }

  /** A snapshot or `resume`: acknowledged even at a number that an earlier stream had reached. */
  #begin(position: Position): void {
    this.#stream.ended.abort()
    this.#stream = newStream()
    this.#moveTo(position)
  }

  #moveTo(position: Position): void {
    this.#position = position
    this.#options.onChange()
    if (!this.#stream.isAcking) void this.#acknowledge(this.#stream)
  }

  /** At most one in flight; ends with the stream, so that a hub that hangs delays no other; never rejects. */
  async #acknowledge(stream: Stream): Promise<void> {
    stream.isAcking = true
    const signal = AbortSignal.any([this.#stop.signal, stream.ended.signal])
    let delayMs = firstDelayMs
    while (!signal.aborted && this.#position !== undefined && stream.acked !== this.#position.seq) {
      const { seq } = this.#position
      try {
        await this.#post(edgePaths.ack, { seq }, signal)
        stream.acked = seq
        delayMs = firstDelayMs
      } catch {
        delayMs = Math.min(lastDelayMs, delayMs * 2)
        await sleep(delayMs, undefined, { signal }).catch(() => undefined)
      }
    }
    stream.isAcking = false
  }

  async #reportForEver(): Promise<void> {
    const signal = this.#stop.signal
    while (!signal.aborted) {
      const intervalMs = this.#options.activityIntervalMs ?? 10_000
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined)
      // What could not be reported stays unreported and goes with the next report.
      if (!signal.aborted) await this.#report(signal).catch(() => undefined)
    }
  }

  async #report(signal: AbortSignal): Promise<void> {
    const { table } = this.#options
    const slices = new Slices()
    const due: UnreportedActivity[] = []
    for (const some of table.listUnreported()) {
      due.push(...some)
      if (due.length >= maxActivityRoutes) {
        await this.#tell(due.splice(0, maxActivityRoutes), signal)
      }
      if (slices.isOver) await slices.next()
    }
    if (due.length > 0) await this.#tell(due, signal)
  }

  async #tell(batch: readonly UnreportedActivity[], signal: AbortSignal): Promise<void> {
    const routes = Object.fromEntries(batch.map(({ routespec, atMs }) => [routespec, atMs]))
    await this.#post(edgePaths.activity, { routes }, signal)
    for (const activity of batch) this.#options.table.markReported(activity)
  }

  async #post(path: string, body: object, signal: AbortSignal): Promise<void> {
    const answer = await request(new URL(path, this.#hubUrl), {
      method: 'POST',
      dispatcher: this.#agent,
      headers: {
        authorization: `token ${this.#options.token}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ edge: this.#options.edgeId, ...body }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(postTimeoutMs)]),
    })
    await answer.body.dump()
    if (answer.statusCode >= 300) throw new Error(`the hub answered ${answer.statusCode}`)
  }
}

/** Connects with the files as they are by then. */
function createConnector(tls: LiveTls | undefined): buildConnector.connector {
  const options = { allowH2: false, timeout: connectTimeoutMs, lookup: lookupName }
  const build = () => buildConnector({ ...tls?.current, ...options })
  let connector = build()
  tls?.onChange(() => (connector = build()))
  return (to, callback) => connector(to, callback)
}

function newStream(): Stream {
  return { ended: new AbortController(), acked: -1, isAcking: false }
}

function notGrowing(): EdgeProtocolError {
  return new EdgeProtocolError('the numbers of changes do not grow')
}

async function* readLines(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let parts: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    let start = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end))
      const line = Buffer.concat(parts).toString('utf8')
      parts = []
      size = 0
      start = end + 1
      if (line.trim() !== '') yield line
    }
    parts.push(chunk.subarray(start))
    size += chunk.length - start
    if (size > maxLineBytes) throw new EdgeProtocolError('a line is too long')
  }
}

function describeRefusal(status: number): string {
  const told = `the hub answered ${status}`
  if (status === 403)
    return `${told}: CONFIGPROXY_AUTH_TOKEN here is not its ConfigurableHTTPProxy.auth_token`
  if (status >= 300 && status < 500) return `${told}: --hub-url is http://HOST:PORT/hub/`
  return told
}
