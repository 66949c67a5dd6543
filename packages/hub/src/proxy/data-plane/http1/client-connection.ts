import type { Duplex } from 'node:stream'
import { receiveData, receiver, releaseMemory } from './bytes.ts'
import type { ReceivingSocket } from './bytes.ts'
import type { AnswerHead } from './answer-head.ts'
import { writeUpgradeHead } from './answer-writer.ts'
import type { Asker, Peer, ProxyFailure } from './asker.ts'
import type { Located } from '../forward.ts'
import { BodyPace } from '../limits/body-pace.ts'
import { ChunkedBody, tooMuchData } from './chunked.ts'
import { ClientAnswer } from './client-answer.ts'
import { nowMs } from './deadlines.ts'
import type { Exchange } from './exchange.ts'
import { Fields } from './fields.ts'
import type { FrontServices, Opened, Rewrite } from './front-services.ts'
import { HalfClosed } from './half-closed.ts'
import { HeadReader, needsMore, tooLarge } from './head-reader.ts'
import type { LocalAnswer } from './local-answer.ts'
import { chunkedLength, parseRequestHead } from './request-head.ts'
import type { RequestHead } from './request-head.ts'

const state = {
  /** Between requests, or inside a head. */
  head: 0,
  /** The request's body comes. */
  body: 1,
  /** The request is complete, its answer is not. */
  answer: 2,
  /** What still comes is thrown away until the client closes. */
  closing: 3,
  /** The socket is closed or belongs to somebody else. */
  gone: 4,
} as const

/** Bytes of further requests that are kept while one is answered. */
const maxStashBytes = 64 * 1024
/** For a client to read the last answer before the connection is closed. */
const lingerMs = 2000
/** A client that takes nothing of its last answer for so long is given up. */
const stallMs = 30_000
const fields = new Fields()

const owner = Symbol('owner')
interface OwnedSocket extends ReceivingSocket {
  [owner]?: ClientConnection | undefined
  /** Of sockets; other duplexes have none. */
  setTimeout?(ms: number): unknown
}

/**
 * A client's HTTP/1.1 connection: reads requests one after another, hands each to an exchange and
 * writes its answer. Works on any duplex of bytes: TCP, TLS, behind a PROXY header.
 * Hot path: row P9 of the bench (docs/decisions/0005-own-http1-path.md).
 */
export class ClientConnection implements Asker {
  deadlineMs: number
  readonly peer: Peer
  readonly #socket: OwnedSocket
  readonly #services: FrontServices
  readonly #reader = new HeadReader()
  readonly #answer: ClientAnswer
  #state: number = state.head
  #isPumping = false
  #hasAsked = false
  /** The client ended its side. */
  #halfClosed: HalfClosed | undefined
  /** The client does not read its answers: no further request is taken until it does. */
  #isBlocked = false
  #stash: Buffer | undefined
  /** What the socket held when a deadline struck. */
  #unsentBytes = 0
  // Of the request under way.
  #request: RequestHead | undefined
  #exchange: Exchange | undefined
  #rewrite: Rewrite | undefined
  #bodyLeft = 0
  #chunks: ChunkedBody | undefined
  #pace: BodyPace | undefined
  #wants100 = false
  #isBodyPaused = false

  constructor(socket: Duplex, peer: Peer, services: FrontServices) {
    this.#socket = socket
    this.#socket[owner] = this
    this.#socket[receiver] = this
    this.peer = peer
    this.#services = services
    this.#answer = new ClientAnswer(socket, services, peer.isTls)
    this.deadlineMs = nowMs() + services.headTimeoutMs
    socket.on('data', receiveData).on('drain', onDrain)
    socket.on('end', onEnd).on('error', onError).on('close', onClose).on('timeout', onTimeout)
  }

  /** No request is under way. */
  get isIdle(): boolean {
    return this.#state === state.head && !this.#reader.isPartial
  }

  /** It has not asked for anything yet: what it sends may be on its way. */
  get isFresh(): boolean {
    return this.isIdle && !this.#hasAsked
  }

  get takesChunks(): boolean {
    return this.#request?.isHttp10 !== true
  }

  destroy(): void {
    this.#socket.destroy()
  }

  // --- What comes from the client ---

  received(chunk: Buffer): void {
    const mustWait = this.#state === state.answer || this.#isBlocked || this.#stash !== undefined
    if (mustWait && this.#state < state.closing) this.#keep(chunk)
    else if (this.#state < state.closing) this.#pump(chunk)
  }

  #keep(chunk: Buffer): void {
    this.#stash = Buffer.concat([this.#stash ?? Buffer.alloc(0), chunk])
    if (this.#stash.length > maxStashBytes) this.#socket.pause()
  }

  #pump(chunk: Buffer): void {
    let at = 0
    this.#isPumping = true
    while (at < chunk.length && this.#state < state.answer && !this.#isBlocked) {
      at = this.#state === state.head ? this.#takeHead(chunk, at) : this.#takeBody(chunk, at)
    }
    this.#isPumping = false
    if (this.#state === state.body) this.#exchange?.flush()
    if (this.#state <= state.answer && at < chunk.length) this.#keep(chunk.subarray(at))
  }

  #takeHead(chunk: Buffer, from: number): number {
    const wasPartial = this.#reader.isPartial
    const at = this.#reader.push(chunk, from)
    if (at === needsMore) {
      if (!wasPartial) this.deadlineMs = nowMs() + this.#services.headTimeoutMs
      return chunk.length
    }
    if (at < 0) {
      const isLine = at === tooLarge && this.#reader.isFirstLineOpen
      this.#refuse(at === tooLarge ? (isLine ? 414 : 431) : 400)
      return chunk.length
    }
    const head = parseRequestHead(this.#reader.text, this.#reader.end, fields)
    if (typeof head === 'number') {
      this.#refuse(head)
      return chunk.length
    }
    this.#begin(head)
    return at
  }

  #begin(head: RequestHead): void {
    this.deadlineMs = 0
    this.#request = head
    this.#hasAsked = true
    this.#answer.prepare(head)
    this.#bodyLeft = head.bodyLength
    this.#chunks = undefined
    this.#isBodyPaused = false
    this.#state = head.bodyLength === 0 ? state.answer : state.body
    if (head.bodyLength === chunkedLength) {
      this.#chunks = new ChunkedBody({
        output: 'wire',
        allowExtensions: false,
        sink: (bytes, from, to) => this.#sendBody(bytes, from, to),
      })
    }
    this.#wants100 = head.expectsContinue
    const { locate } = this.#services
    if (locate === undefined) this.#open(head)
    else this.#openLater(head, locate(head))
  }

  /** Bytes that come before it is known where the request goes are kept. */
  #openLater(head: RequestHead, locating: Promise<Located>): void {
    const next = this.#state
    this.#state = state.answer
    locating.then(
      (located) => {
        if (this.#request !== head || this.#state !== state.answer) return
        this.#state = next
        // The head is still where it was read, the fields may be another's.
        parseRequestHead(this.#reader.text, this.#reader.end, fields)
        this.#open(head, located)
        if (this.#request === head && this.#state === state.body) this.#takeStash()
      },
      () => this.#socket.destroy(),
    )
  }

  #open(head: RequestHead, located?: Located): void {
    let opened: Opened
    try {
      const request = { head, fields, peer: this.peer, asker: this }
      opened = this.#services.open(located === undefined ? request : { ...request, located })
    } catch (error) {
      this.#services.onBug(error)
      this.fail({ code: 500, isHubDown: false })
      return
    }
    switch (opened.kind) {
      case 'exchange':
        this.#exchange = opened.exchange
        this.#rewrite = opened.rewrite
        if (this.#chunks !== undefined && opened.maxBodyBytes > 0)
          this.#chunks.maxBytes = opened.maxBodyBytes
        if (this.#state === state.body && this.#services.pace.bytesPerSecond > 0) {
          this.#pace = new BodyPace(this.#services.pace, () => this.#cutBody(408))
        }
        opened.exchange.start()
        break
      case 'answer':
        this.#answerLocally(opened.answer)
        break
      case 'failure':
        this.fail(opened.failure)
        break
      case 'cut':
        this.#socket.destroy()
        break
    }
  }

  #takeBody(chunk: Buffer, from: number): number {
    this.#pace?.took(chunk.length - from)
    if (this.#chunks !== undefined) {
      const at = this.#chunks.push(chunk, from)
      if (at < 0) {
        this.#cutBody(at === tooMuchData ? 413 : 400)
        return chunk.length
      }
      if (this.#chunks.isDone) this.#endBody()
      return at
    }
    const to = Math.min(chunk.length, from + this.#bodyLeft)
    this.#bodyLeft -= to - from
    this.#sendBody(chunk, from, to)
    if (this.#bodyLeft === 0) this.#endBody()
    return to
  }

  #sendBody(bytes: Buffer, from: number, to: number): void {
    if (this.#exchange?.sendBody(bytes, from, to) !== false) return
    this.#isBodyPaused = true
    this.#pace?.pause()
    this.#socket.pause()
  }

  /** Gives up a request whose body cannot be taken to its end. */
  #cutBody(status: 400 | 408 | 413): void {
    if (status !== 400) this.#services.onRefused(status === 408 ? 'body_rate' : 'body_size')
    this.#exchange?.abort()
    this.#exchange = undefined
    if (this.#answer.hasBegun) this.#socket.destroy()
    else this.#refuse(status)
  }

  #endPace(): void {
    this.#pace?.end()
    this.#pace = undefined
  }

  #endBody(): void {
    if (this.#state !== state.body) return
    this.#endPace()
    this.#state = state.answer
    this.#exchange?.endBody()
  }

  // --- What comes from the exchange ---

  ready(): void {
    if (!this.#wants100 || this.#answer.hasBegun) return
    this.#wants100 = false
    this.#answer.goOn()
  }

  interim(head: AnswerHead, answerFields: Fields): void {
    this.#answer.interim(head, answerFields)
  }

  answer(head: AnswerHead, answerFields: Fields): void {
    // Whoever answers a body before its end may want to talk both ways, at any pace.
    this.#endPace()
    this.#answer.begin(head, answerFields, { rewrite: this.#rewrite, mayStay: this.#mayStay() })
    this.#watchHalfClosed()
  }

  bytes(chunk: Buffer, from: number, to: number): boolean {
    this.#watchHalfClosed()
    return this.#answer.bytes(chunk, from, to)
  }

  flush(): void {
    this.#answer.flush()
  }

  end(trailers: string): void {
    this.#answer.end(trailers)
    this.#finish()
  }

  fail(failure: ProxyFailure): void {
    const request = this.#request
    this.#exchange = undefined
    if (request === undefined) return
    // A client that waits to be told to go on is told the failure instead.
    this.#wants100 = false
    if (request.upgrade !== '') {
      this.#refuse(failure.code)
      return
    }
    // The rest of the body is thrown away meanwhile.
    if (this.#isBodyPaused) this.resumeBody()
    // The head is still where it was read, the fields may be another's.
    parseRequestHead(this.#reader.text, this.#reader.end, fields)
    this.#services.failurePage(failure, request, fields.find('accept') ?? '').then(
      (answer) => {
        if (this.#request === request && this.#state < state.closing) this.#answerLocally(answer)
      },
      () => this.#socket.destroy(),
    )
  }

  cut(): void {
    this.#exchange = undefined
    if (this.#answer.takeBack()) this.fail({ code: 503, isHubDown: false })
    else this.#socket.destroy()
  }

  resumeBody(): void {
    this.#isBodyPaused = false
    this.#pace?.resume()
    this.#socket.resume()
  }

  upgrade(head: AnswerHead, answerFields: Fields): { socket: Duplex; early?: Buffer } {
    const socket = this.#socket
    const early = this.#stash
    this.#release()
    socket.off('data', receiveData).off('drain', onDrain).off('end', onEnd)
    socket.off('error', onError).off('close', onClose).off('timeout', onTimeout)
    socket[owner] = undefined
    socket[receiver] = undefined
    socket.setTimeout?.(0)
    socket.write(writeUpgradeHead(head, answerFields), 'latin1')
    return { socket, ...(early === undefined ? {} : { early }) }
  }

  // --- Ends ---

  #mayStay(): boolean {
    // Bytes of a body that is not read to its end would be taken for a request.
    const isAhead = this.#halfClosed !== undefined && this.#stash === undefined
    return this.#state === state.answer && !isAhead && !this.#services.isDraining
  }

  #answerLocally(answer: LocalAnswer): void {
    this.#answer.whole(answer, this.#mayStay())
    this.#finish()
  }

  #refuse(status: number): void {
    this.#answer.refuse(status, this.#request?.method === 'HEAD')
    this.#linger()
  }

  #finish(): void {
    this.#exchange = undefined
    this.#rewrite = undefined
    if (this.#state >= state.closing) return
    if (!this.#answer.keepAlive || this.#state !== state.answer || this.#services.isDraining) {
      this.#linger()
      return
    }
    this.#request = undefined
    this.#reader.text = ''
    this.#state = state.head
    // The answer may come before the target's socket has told that it took the last of the body.
    if (this.#isBodyPaused) this.resumeBody()
    this.#isBlocked = this.#socket.writableNeedDrain
    this.deadlineMs = deadlineIn(this.#services.keepAliveTimeoutMs)
    if (!this.#isPumping && !this.#isBlocked) this.#takeStash()
  }

  #takeStash(): void {
    const stash = this.#stash
    if (stash !== undefined) {
      this.#stash = undefined
      this.#socket.resume()
      this.#pump(stash)
    }
    if (this.#halfClosed === undefined) return
    if (this.#state === state.head) this.#linger()
    // What is left of its body will never come.
    else if (this.#state === state.body) this.#socket.destroy()
    else if (this.#state === state.answer) this.#watchHalfClosed()
  }

  /** Ends our side and throws away what still comes, so that the last answer is not lost in a reset. */
  #linger(): void {
    this.#endPace()
    this.#state = state.closing
    this.#stash = undefined
    this.deadlineMs = nowMs() + lingerMs
    if (this.#halfClosed !== undefined) this.#socket.end(() => this.#socket.destroy())
    else this.#socket.end()
    this.#socket.resume()
  }

  onDeadline(): void {
    if (this.#state === state.answer && this.#halfClosed?.goesOn === true)
      return this.#watchHalfClosed()
    if (this.#state === state.head && this.#reader.isPartial) {
      this.#services.onRefused('head_time')
      this.#refuse(408)
      return
    }
    // A client that reads its answer slowly is neither idle nor gone.
    const unsent = this.#socket.writableLength
    if (unsent === 0 || unsent === this.#unsentBytes) this.#socket.destroy()
    else this.deadlineMs = nowMs() + stallMs
    this.#unsentBytes = unsent
  }

  drained(): void {
    this.#exchange?.resumeAnswer()
    if (!this.#isBlocked) return
    this.#isBlocked = false
    this.#takeStash()
  }

  /** The client ended its side. */
  halfClosed(): void {
    this.#halfClosed = new HalfClosed(this.#socket, this.#answer)
    if (this.#state === state.answer) this.#watchHalfClosed()
    else if (this.#state !== state.head || this.#reader.isPartial) this.#socket.destroy()
    // Requests that wait until it reads its answers are still served.
    else if (!this.#isBlocked) this.#linger()
  }

  /** One that ended its side is there as far as it can be told. */
  #watchHalfClosed(): void {
    if (this.#halfClosed !== undefined) this.deadlineMs = deadlineIn(this.#halfClosed.look())
  }

  /** The socket is closed. */
  closed(): void {
    const exchange = this.#exchange
    this.#release()
    exchange?.abort()
  }

  #release(): void {
    if (this.#state === state.gone) return
    this.#state = state.gone
    this.#endPace()
    this.#exchange = undefined
    this.#stash = undefined
    this.deadlineMs = 0
    this.#services.onGone(this)
  }
}

function deadlineIn(ms: number): number {
  return ms === 0 ? 0 : nowMs() + ms
}

function onDrain(this: OwnedSocket): void {
  this[owner]?.drained()
}
function onEnd(this: OwnedSocket): void {
  this[owner]?.halfClosed()
}
function onError(this: OwnedSocket): void {
  this.destroy()
}
function onClose(this: OwnedSocket): void {
  releaseMemory(this)
  this[owner]?.closed()
}
function onTimeout(this: OwnedSocket): void {
  this.destroy()
}
