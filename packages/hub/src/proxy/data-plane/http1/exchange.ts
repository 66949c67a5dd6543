import type { Duplex } from 'node:stream'
import type { Route } from '../../route.ts'
import type { Target } from '../../target.ts'
import type { AnswerHead } from './answer-head.ts'
import type { Asker, ProxyFailure } from './asker.ts'
import { writeAround } from './bytes.ts'
import { nowMs } from './deadlines.ts'
import type { EdgeCounts } from '../metrics/counts.ts'
import type { Fields } from './fields.ts'
import { startTunnel } from './tunnel.ts'
import type { Tunnels } from './tunnel.ts'
import { reasonOfFailure, UpstreamError } from './upstream-error.ts'
import type { UpstreamConnection } from './upstream-connection.ts'
import type { UpstreamPool } from './upstream-pool.ts'

/** A request as it goes to its target. */
export interface UpstreamRequest {
  readonly route: Route
  /** The target is the hub. */
  readonly isHub: boolean
  readonly target: Target
  /** With its empty line. */
  readonly head: string
  readonly isHead: boolean
  readonly hasBody: boolean
  /** May be sent twice: its method is idempotent and it has no body. */
  readonly canRepeat: boolean
  readonly isUpgrade: boolean
  readonly isWebSocket: boolean
  /** Called when it has ended, or the tunnel that it began. */
  readonly release: (() => void) | undefined
}

const shortages: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL'])

/** What all exchanges of a server share. */
export interface ExchangeHooks {
  readonly pool: UpstreamPool
  readonly tunnels: Tunnels
  readonly counts: EdgeCounts
  /** No answer for so long is a failure; 0 waits for ever. */
  readonly proxyTimeoutMs: number
  /** A client that takes nothing of an answer, or a target of a body, for so long is given up. */
  readonly stallMs: number
  /** Called for what counts as use of the route. Source: contract proxy §6. */
  readonly onActivity: (route: Route) => void
  /** Nothing was answered. @returns what the asker is told */
  onFailure(exchange: Exchange, error: Error): ProxyFailure
}

/**
 * One request to a target and its answer, whoever asked. The asker sends the body, in the framing
 * that the head announces, and takes the answer.
 */
export class Exchange {
  readonly request: UpstreamRequest
  readonly asker: Asker
  /** The whole request was handed to the connection. */
  isBodySent: boolean
  deadlineMs = 0
  readonly #hooks: ExchangeHooks
  #connection: UpstreamConnection | undefined
  #heldHead = ''
  #status = 0
  #isOver = false
  #wantsDrain = false
  /** Bytes of the body were handed to the connection, which keeps them. */
  #hasSentBody = false
  #isAnswerPaused = false
  /** Has a deadline, or had one. */
  #isWatched = false

  constructor(request: UpstreamRequest, asker: Asker, hooks: ExchangeHooks) {
    this.request = request
    this.asker = asker
    this.#hooks = hooks
    this.isBodySent = !request.hasBody
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Sends the request; a head with a body behind it waits for the body's first bytes. */
  start(): void {
    const { pool, proxyTimeoutMs } = this.#hooks
    if (proxyTimeoutMs > 0) this.#expireIn(proxyTimeoutMs)
    const { target, canRepeat, isUpgrade } = this.request
    this.#send(isUpgrade ? pool.open(target) : pool.take(target, canRepeat))
  }

  #send(connection: UpstreamConnection): void {
    this.#connection = connection
    connection.begin(this)
    if (this.request.hasBody) {
      this.#heldHead = this.request.head
      if (connection.isConnected) this.asker.ready()
    } else connection.socket.write(this.request.head, 'latin1')
  }

  /**
   * Sends bytes of the body.
   * @returns false when the asker should wait for {@link Asker.resumeBody}.
   */
  sendBody(chunk: Buffer, from: number, to: number): boolean {
    const connection = this.#connection
    if (connection === undefined || this.#isOver) return true
    const { socket } = connection
    if (this.deadlineMs !== 0 && this.#status === 0) {
      this.deadlineMs = nowMs() + this.#hooks.proxyTimeoutMs
    }
    this.#hooks.onActivity(this.request.route)
    this.#hasSentBody = true
    const head = this.#heldHead
    this.#heldHead = ''
    const isRoom = writeAround(socket, head, { chunk, from, to }, '')
    // Before it is connected all would be kept in memory.
    this.#wantsDrain = !isRoom || !connection.isConnected
    if (this.#wantsDrain && this.deadlineMs === 0) this.#expireIn(this.#hooks.stallMs)
    return !this.#wantsDrain
  }

  /** The body is complete. */
  endBody(): void {
    this.flush()
    this.isBodySent = true
  }

  /** Sends a head that still waits for its body. */
  flush(): void {
    if (this.#heldHead === '' || this.#isOver) return
    this.#connection?.socket.write(this.#heldHead, 'latin1')
    this.#heldHead = ''
  }

  /** The client left: nothing more is called. */
  abort(): void {
    if (this.#isOver) return
    this.#end()
    this.#connection?.destroy()
  }

  resumeAnswer(): void {
    if (this.#isOver) return
    this.#isAnswerPaused = false
    this.#unstall()
    this.#connection?.socket.resume()
  }

  /** Of the answer's beginning, or of who takes nothing of what waits. */
  onDeadline(): void {
    this.#fail(new UpstreamError('timeout', 'no answer in time'))
  }

  /** Something was taken: the time runs anew for what still waits. The answer's has its own. */
  #unstall(): void {
    if (this.#status === 0 && this.#hooks.proxyTimeoutMs > 0) return
    this.deadlineMs = 0
    if (this.#isAnswerPaused || this.#wantsDrain) this.#expireIn(this.#hooks.stallMs)
  }

  #expireIn(ms: number): void {
    this.deadlineMs = nowMs() + ms
    if (this.#isWatched) return
    this.#isWatched = true
    this.#hooks.pool.options.deadlines.add(this)
  }

  onConnect(): void {
    this.asker.ready()
    if (this.#wantsDrain && this.#connection?.socket.writableNeedDrain === false) this.onDrain()
  }

  onDrain(): void {
    if (!this.#wantsDrain || this.#isOver) return
    this.#wantsDrain = false
    this.#unstall()
    this.asker.resumeBody()
  }

  onAnswer(head: AnswerHead, fields: Fields): void {
    this.#status = head.status
    this.deadlineMs = 0
    // As configurable-http-proxy does: what answers an upgrade is not counted.
    if (!this.request.isUpgrade) this.#hooks.counts.answered('proxied', head.status)
    this.asker.answer(head, fields)
  }

  onBytes(chunk: Buffer, from: number, to: number): void {
    if (this.asker.bytes(chunk, from, to)) return
    this.#connection?.socket.pause()
    this.#isAnswerPaused = true
    if (this.deadlineMs === 0 && !this.#isOver) this.#expireIn(this.#hooks.stallMs)
  }

  onEnd(trailers: string): void {
    // The connection may serve another by now.
    if (this.#isAnswerPaused) this.#connection?.socket.resume()
    this.#end()
    const { route, isUpgrade } = this.request
    if (this.#status < 300 && !isUpgrade) this.#hooks.onActivity(route)
    this.asker.end(trailers)
  }

  onUpgrade(
    head: AnswerHead,
    fields: Fields,
    far: { readonly socket: Duplex; readonly early: Buffer },
  ): void {
    this.#finish()
    const near = this.asker.upgrade(head, fields)
    const { tunnels, onActivity } = this.#hooks
    const { route, isWebSocket, release } = this.request
    startTunnel(tunnels, { near, far, activity: { route, onActivity, release }, isWebSocket })
  }

  /** @param isIdleReset - the connection had been idle and nothing of an answer came. */
  onBroken(error: Error, isIdleReset: boolean): void {
    if (this.#isOver) return
    if ((isIdleReset && this.request.canRepeat) || this.#canMakeRoom(error)) {
      this.#send(this.#hooks.pool.open(this.request.target))
    } else this.#fail(error)
  }

  /** The system has no file or port left for a connection; those that are idle may go for it. */
  #canMakeRoom(error: Error): boolean {
    const isShort = shortages.has((error as NodeJS.ErrnoException).code ?? '')
    const isUnsent = this.#connection?.isConnected === false && !this.#hasSentBody
    return isShort && isUnsent && this.#hooks.pool.dropIdle()
  }

  #fail(error: Error): void {
    this.#end()
    this.#hooks.counts.upstreamFailed(reasonOfFailure(error))
    this.#connection?.destroy()
    if (this.#status === 0) {
      this.asker.fail(this.#hooks.onFailure(this, error))
    } else this.asker.cut()
  }

  #end(): void {
    this.#finish()
    this.request.release?.()
  }

  #finish(): void {
    this.#isOver = true
    if (this.#isWatched) this.#hooks.pool.options.deadlines.delete(this)
  }
}
