import type { Socket } from 'node:net'
import type { Target } from '../../target.ts'
import { receiveData, receiver, releaseMemory } from './bytes.ts'
import type { ReceivingSocket } from './bytes.ts'
import { bodyFraming, parseAnswerHead } from './answer-head.ts'
import type { AnswerHead } from './answer-head.ts'
import { ChunkedBody } from './chunked.ts'
import { nowMs } from './deadlines.ts'
import type { Exchange } from './exchange.ts'
import { Fields } from './fields.ts'
import { HeadReader, needsMore } from './head-reader.ts'
import { UpstreamError } from './upstream-error.ts'
import type { UpstreamPool } from './upstream-pool.ts'

const fields = new Fields()
const maxInterimAnswers = 32

/** Listeners are shared by all connections and find theirs here: a closure each would cost memory. */
const owner = Symbol('owner')
interface OwnedSocket extends Socket, Pick<ReceivingSocket, typeof receiver> {
  [owner]?: UpstreamConnection | undefined
}

/**
 * A connection to a target. Reads answers and hands them to the exchange under way; bytes that no
 * exchange asked for end it. Hot path: row P9 of the bench.
 */
export class UpstreamConnection {
  readonly target: Target
  readonly socket: OwnedSocket
  idleSinceMs = 0
  idleLimitMs = 0
  /** Limit of the attempt to connect. */
  deadlineMs = 0
  isConnected = false
  /** An answer was read from it: the target may have closed it since. */
  isReused = false
  readonly #pool: UpstreamPool
  readonly #reader = new HeadReader()
  #exchange: Exchange | undefined
  #head: AnswerHead | undefined
  #left = 0
  #chunks: ChunkedBody | undefined
  #interimAnswers = 0
  #hasBytes = false

  constructor(pool: UpstreamPool, target: Target, socket: Socket) {
    this.#pool = pool
    this.target = target
    this.socket = socket
    this.socket[owner] = this
    this.socket[receiver] = this
    this.deadlineMs = nowMs() + pool.options.connectTimeoutMs
    pool.options.deadlines.add(this)
    socket.on('encrypted' in socket ? 'secureConnect' : 'connect', onConnect)
    socket.on('data', receiveData).on('drain', onDrain)
    socket.on('end', onEnd).on('error', onError).on('close', onClose)
  }

  begin(exchange: Exchange): void {
    this.#exchange = exchange
    this.#head = undefined
    this.#interimAnswers = 0
    this.#hasBytes = false
  }

  onDeadline(): void {
    this.fail(new UpstreamError('timeout', 'no connection in time'))
  }

  connected(): void {
    this.isConnected = true
    this.deadlineMs = 0
    this.#pool.options.deadlines.delete(this)
    this.#exchange?.onConnect()
  }

  drained(): void {
    this.#exchange?.onDrain()
  }

  destroy(): void {
    this.#exchange = undefined
    this.socket.destroy()
    this.#pool.forget(this)
  }

  /** The connection broke, or what came is not HTTP. */
  fail(error: Error): void {
    const exchange = this.#exchange
    this.destroy()
    exchange?.onBroken(error, this.isReused && !this.#hasBytes)
  }

  ended(): void {
    if (this.#exchange !== undefined && this.#head?.framing === bodyFraming.close) {
      this.#finish('', false)
    } else this.fail(new UpstreamError('reset', 'the target closed the connection'))
  }

  closed(): void {
    this.#pool.options.deadlines.delete(this)
    this.fail(new UpstreamError('reset', 'the connection to the target was closed'))
  }

  received(chunk: Buffer): void {
    this.#hasBytes = true
    let at = 0
    while (at < chunk.length) {
      const exchange = this.#exchange
      if (exchange === undefined)
        return this.fail(new UpstreamError('malformed', 'bytes that nobody asked for'))
      if (this.#head === undefined) {
        at = this.#reader.push(chunk, at)
        if (at === needsMore) return
        if (at < 0)
          return this.fail(
            new UpstreamError('malformed', 'the answer is not HTTP/1.1, or its head too large'),
          )
        if (!this.#takeHead(exchange, chunk, at)) return
        if (this.#head === undefined) continue
      } else at = this.#takeBody(exchange, this.#head, chunk, at)
      if (at < 0) return this.fail(new UpstreamError('malformed', 'the answer is not well chunked'))
      const head = this.#head
      if (this.#exchange !== exchange) continue
      if (
        head.framing === bodyFraming.none ||
        (head.framing === bodyFraming.length && this.#left === 0) ||
        this.#chunks?.isDone === true
      ) {
        this.#finish(this.#chunks?.trailers ?? '', at === chunk.length)
      }
    }
    this.#exchange?.asker.flush()
  }

  /** @returns false when the connection has nothing more to read */
  #takeHead(exchange: Exchange, chunk: Buffer, at: number): boolean {
    const { text, end } = this.#reader
    const head = parseAnswerHead(text, end, fields, exchange.request.isHead)
    if (head === undefined) {
      this.fail(new UpstreamError('malformed', 'the head of the answer is malformed'))
      return false
    }
    if (head.status === 101) return this.#upgrade(exchange, head, chunk.subarray(at))
    if (head.status < 200) {
      this.#interimAnswers += 1
      if (this.#interimAnswers > maxInterimAnswers) {
        this.fail(new UpstreamError('malformed', 'too many interim answers'))
        return false
      }
      if (head.status !== 100) exchange.asker.interim(head, fields)
      return this.#exchange === exchange
    }
    this.#head = head
    this.#left = head.length
    this.#chunks =
      head.framing === bodyFraming.chunked
        ? new ChunkedBody({
            output: exchange.asker.takesChunks ? 'wire' : 'payload',
            allowExtensions: true,
            sink: (bytes, from, to) => this.#pass(bytes, from, to),
          })
        : undefined
    exchange.onAnswer(head, fields)
    return this.#exchange === exchange
  }

  #upgrade(exchange: Exchange, head: AnswerHead, early: Buffer): boolean {
    if (!exchange.request.isUpgrade) {
      this.fail(new UpstreamError('malformed', 'the target changed the protocol unasked'))
      return false
    }
    this.#exchange = undefined
    const { socket } = this
    socket[owner] = undefined
    socket[receiver] = undefined
    socket.off('connect', onConnect).off('secureConnect', onConnect)
    socket.off('data', receiveData).off('drain', onDrain)
    socket.off('end', onEnd).off('error', onError).off('close', onClose)
    this.#pool.forget(this)
    exchange.onUpgrade(head, fields, { socket, early: Buffer.from(early) })
    return false
  }

  #takeBody(exchange: Exchange, head: AnswerHead, chunk: Buffer, from: number): number {
    if (head.framing === bodyFraming.chunked) return this.#chunks?.push(chunk, from) ?? -1
    const to =
      head.framing === bodyFraming.close ? chunk.length : Math.min(chunk.length, from + this.#left)
    this.#left -= to - from
    exchange.onBytes(chunk, from, to)
    return to
  }

  #pass(bytes: Buffer, from: number, to: number): void {
    this.#exchange?.onBytes(bytes, from, to)
  }

  #finish(trailers: string, isClean: boolean): void {
    const exchange = this.#exchange
    const head = this.#head
    if (exchange === undefined || head === undefined) return
    this.#exchange = undefined
    this.#head = undefined
    this.#chunks = undefined
    this.isReused = true
    if (isClean && head.keepAlive && exchange.isBodySent) this.#pool.release(this, head.keepAliveMs)
    else this.socket.destroy()
    exchange.onEnd(trailers)
  }
}

function onConnect(this: OwnedSocket): void {
  this[owner]?.connected()
}
function onDrain(this: OwnedSocket): void {
  this[owner]?.drained()
}
function onEnd(this: OwnedSocket): void {
  this[owner]?.ended()
}
function onError(this: OwnedSocket, error: Error): void {
  this[owner]?.fail(error)
}
function onClose(this: OwnedSocket): void {
  releaseMemory(this)
  this[owner]?.closed()
}
