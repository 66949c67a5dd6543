import { constants } from 'node:http2'
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { bodyFraming } from '../http1/answer-head.ts'
import type { AnswerHead } from '../http1/answer-head.ts'
import type { Asker, Peer, ProxyFailure } from '../http1/asker.ts'
import type { FrontServices, Opened } from '../http1/front-services.ts'
import type { Exchange } from '../http1/exchange.ts'
import { nowMs } from '../http1/deadlines.ts'
import type { Deadlines, Waiting } from '../http1/deadlines.ts'
import { fieldKind, Fields } from '../http1/fields.ts'
import { refusalOf } from '../http1/local-answer.ts'
import type { LocalAnswer } from '../http1/local-answer.ts'
import { BodyPace } from '../limits/body-pace.ts'
import { allowedTrailers } from '../http1/chunked.ts'
import { chunkedLength, parseRequestHead } from '../http1/request-head.ts'
import type { RequestHead } from '../http1/request-head.ts'
import { add, headerOf, linesOf, noHeaders, parseTrailers, toHttp1 } from './h2-heads.ts'

export type StreamServices = Pick<
  FrontServices,
  'open' | 'locate' | 'failurePage' | 'onRefused' | 'onBug' | 'tlsAnswerFields' | 'pace'
> & {
  /** A client that takes nothing of the rest of its answer for so long is given up. */
  readonly untakenMs: number
}

const fields = new Fields()
/** Others are invalid, and Node does not send them. Source: RFC 9110 §15. */
const maxStatus = 599
/** For a client to end a body that was answered before its end. */
const lingerMs = 2000
const isPerConnection: ReadonlySet<number> = new Set([
  fieldKind.hopByHop,
  fieldKind.connection,
  fieldKind.keepAlive,
  fieldKind.transferEncoding,
  fieldKind.upgrade,
])

/**
 * One request of an HTTP/2 connection. It goes to its target as the HTTP/1.1 request that says the
 * same, through the parser that every request goes through, so that both fronts accept the same.
 * Source: RFC 9113 §8.
 */
export class StreamAsker implements Asker {
  readonly takesChunks = false
  readonly #stream: ServerHttp2Stream
  readonly #services: StreamServices
  readonly #accept: string
  readonly #isForHead: boolean
  #request: RequestHead | undefined
  #exchange: Exchange | undefined
  #rewrite: ((location: string, status: number) => string) | undefined
  #trailers: OutgoingHttpHeaders = {}
  #isBodyPaused = false
  #pace: BodyPace | undefined
  #bodyBytes = 0
  /** The answer has no body here, whatever the target sends. */
  #isBodiless = false

  constructor(stream: ServerHttp2Stream, services: StreamServices, rawHeaders: readonly string[]) {
    this.#stream = stream
    this.#services = services
    this.#accept = headerOf(rawHeaders, 'accept')
    this.#isForHead = headerOf(rawHeaders, ':method') === 'HEAD'
  }

  /** Reads the request and sends it on its way. */
  begin(peer: Peer, rawHeaders: readonly string[]): void {
    const stream = this.#stream
    stream.on('error', () => undefined) // its 'close' says the same
    stream.on('close', () => this.#closed()).on('drain', () => this.#exchange?.resumeAnswer())
    stream.on('wantTrailers', () => this.#tell(() => stream.sendTrailers(this.#trailers)))
    const text = toHttp1(rawHeaders, !stream.endAfterHeaders)
    const head = text === undefined ? 400 : parseRequestHead(text, text.length, fields)
    if (typeof head === 'number') {
      this.#answerLocally(refusalOf(head))
      return
    }
    this.#request = head
    const { locate } = this.#services
    if (locate === undefined || text === undefined) {
      this.#open({ head, fields, peer, asker: this })
      return
    }
    locate(head).then(
      (located) => {
        if (stream.destroyed || stream.closed) return
        // The fields may be another's by now.
        parseRequestHead(text, text.length, fields)
        this.#open({ head, fields, peer, asker: this, located })
      },
      () => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
    )
  }

  #open(request: Parameters<StreamServices['open']>[0]): void {
    let opened: Opened
    try {
      opened = this.#services.open(request)
    } catch (error) {
      this.#services.onBug(error)
      this.fail({ code: 500, isHubDown: false })
      return
    }
    switch (opened.kind) {
      case 'exchange':
        this.#exchange = opened.exchange
        this.#rewrite = opened.rewrite
        this.#takeBody(request.head, opened.maxBodyBytes)
        opened.exchange.start()
        break
      case 'answer':
        this.#answerLocally(opened.answer)
        break
      case 'failure':
        this.fail(opened.failure)
        break
      case 'cut':
        this.#stream.close(constants.NGHTTP2_REFUSED_STREAM)
        break
    }
  }

  #takeBody(head: RequestHead, maxBodyBytes: number): void {
    if (head.bodyLength === 0) {
      this.#stream.resume()
      return
    }
    const isChunked = head.bodyLength === chunkedLength
    const { pace } = this.#services
    let trailers: string | undefined = ''
    if (pace.bytesPerSecond > 0) this.#pace = new BodyPace(pace, () => this.#cutBody(408))
    this.#stream
      .on('data', (chunk: Buffer) => {
        this.#pace?.took(chunk.length)
        this.#bodyBytes += chunk.length
        if (maxBodyBytes > 0 && this.#bodyBytes > maxBodyBytes) this.#cutBody(413)
        else this.#sendBody(isChunked ? framed(chunk) : chunk)
      })
      .on('trailers', (_named, _flags, rawTrailers: readonly string[]) => {
        const text = linesOf(rawTrailers)
        trailers = allowedTrailers(text, text.length)
      })
      .on('end', () => {
        this.#endPace()
        if (trailers === undefined) return this.#cutBody(400)
        if (isChunked) this.#sendBody(Buffer.from(`0\r\n${trailers}\r\n`, 'latin1'))
        this.#exchange?.endBody()
      })
      .pause()
  }

  #sendBody(chunk: Buffer): void {
    if (this.#exchange?.sendBody(chunk, 0, chunk.length) !== false) return
    this.#isBodyPaused = true
    this.#pace?.pause()
    this.#stream.pause()
  }

  /** Gives up a request whose body cannot be taken to its end. */
  #cutBody(status: 400 | 408 | 413): void {
    if (status !== 400) this.#services.onRefused(status === 408 ? 'body_rate' : 'body_size')
    const exchange = this.#exchange
    this.#exchange = undefined
    this.#endPace()
    exchange?.abort()
    this.#answerLocally(refusalOf(status))
    this.#stream.close(constants.NGHTTP2_NO_ERROR)
  }

  #endPace(): void {
    this.#pace?.end()
    this.#pace = undefined
  }

  ready(): void {
    const isAwaited = this.#request?.expectsContinue === true && this.#bodyBytes === 0
    if (isAwaited && this.#canAnswer) {
      this.#tell(() => this.#stream.additionalHeaders({ ':status': 100 }))
    }
    if (!this.#isBodyPaused) this.#stream.resume()
  }

  interim(head: AnswerHead, answerFields: Fields): void {
    if (!this.#canAnswer) return
    this.#tell(() => this.#stream.additionalHeaders(this.#headers(head, answerFields)))
  }

  answer(head: AnswerHead, answerFields: Fields): void {
    const stream = this.#stream
    this.#endPace()
    if (!this.#canAnswer) return
    if (head.status > maxStatus) {
      this.#exchange?.abort()
      this.fail({ code: 503, isHubDown: false })
      return
    }
    const headers = this.#headers(head, answerFields)
    Object.assign(headers, this.#services.tlsAnswerFields)
    const endStream = head.framing === bodyFraming.none || head.status === 205
    this.#isBodiless = endStream
    // Whoever sends trailers need not say so before.
    const waitForTrailers = !endStream && head.framing === bodyFraming.chunked
    this.#tell(() => stream.respond(headers, { endStream, waitForTrailers }))
  }

  bytes(chunk: Buffer, from: number, to: number): boolean {
    if (this.#isBodiless || this.#stream.destroyed || this.#stream.writableEnded) return true
    return this.#stream.write(Buffer.from(chunk.subarray(from, to)))
  }

  flush(): void {
    // HTTP/2 gathers frames by itself.
  }

  end(trailers: string): void {
    this.#exchange = undefined
    this.#trailers = parseTrailers(trailers)
    this.#stream.end()
    this.#linger()
  }

  /**
   * The rest of a body that nobody wanted is thrown away, and not waited for; nor is a client that
   * does not take the rest of its answer.
   */
  #linger(): void {
    const stream = this.#stream
    if (stream.destroyed) return
    const { pace, untakenMs } = this.#services
    giveUpUntaken(stream, pace.deadlines, untakenMs)
    stream.resume()
    if (stream.endAfterHeaders || stream.readableEnded) return
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), lingerMs)
    timer.unref()
    stream.once('close', () => clearTimeout(timer))
  }

  fail(failure: ProxyFailure): void {
    this.#exchange = undefined
    const request = this.#request
    if (request === undefined) return
    this.#stream.resume()
    this.#services.failurePage(failure, request, this.#accept).then(
      (answer) => this.#answerLocally(answer),
      () => this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR),
    )
  }

  cut(): void {
    this.#exchange = undefined
    // `close` would end the stream before it resets it: half an answer would seem to be all of it.
    this.#stream.destroy(new Error('the answer broke off'))
  }

  resumeBody(): void {
    this.#isBodyPaused = false
    this.#pace?.resume()
    this.#stream.resume()
  }

  upgrade(): { socket: Duplex } {
    throw new TypeError('a stream of HTTP/2 asks for no upgrade')
  }

  #answerLocally(answer: LocalAnswer): void {
    const stream = this.#stream
    if (!this.#canAnswer) return
    const { status, headers, body } = answer
    const named = headers.map(([name, value]) => [name.toLowerCase(), value] as const)
    this.#tell(() => {
      stream.respond({
        ':status': status,
        ...Object.fromEntries(named),
        ...this.#services.tlsAnswerFields,
        'content-length': body.length,
      })
      stream.end(this.#isForHead ? undefined : body)
      this.#linger()
    })
  }

  /** A stream that the client took back is closed before it is destroyed. */
  get #canAnswer(): boolean {
    const stream = this.#stream
    return !stream.destroyed && !stream.closed && !stream.headersSent
  }

  /** What a target answers must end no more than its stream, whatever Node refuses to send of it. */
  #tell(send: () => void): void {
    try {
      send()
    } catch (error) {
      this.#services.onBug(error)
      this.cut()
    }
  }

  #headers(head: AnswerHead, answerFields: Fields): OutgoingHttpHeaders {
    const headers = noHeaders()
    headers[':status'] = head.status
    const { nominated } = head.connection
    const isEmpty = head.status < 200 || head.status === 204 || head.status === 205
    for (let i = 0; i < answerFields.count; i += 1) {
      const kind = answerFields.kind[i] ?? 0
      const name = answerFields.name(i)
      if (isPerConnection.has(kind) || nominated?.has(name) === true) continue
      if (isEmpty && kind === fieldKind.contentLength) continue
      const value = answerFields.value(i)
      const isMoved = kind === fieldKind.location && this.#rewrite !== undefined
      add(headers, name, isMoved ? (this.#rewrite?.(value, head.status) ?? value) : value)
    }
    return headers
  }

  #closed(): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    this.#endPace()
    exchange?.abort()
  }
}

/** Ends a stream when nothing of what waits for its client is taken for so long. */
function giveUpUntaken(stream: ServerHttp2Stream, deadlines: Deadlines, limitMs: number): void {
  let unsentBytes = stream.writableLength
  const waiting: Waiting = {
    deadlineMs: nowMs() + limitMs,
    onDeadline() {
      const isStuck = stream.writableLength === unsentBytes
      unsentBytes = stream.writableLength
      if (isStuck) stream.destroy(new Error('the client takes nothing of its answer'))
      else waiting.deadlineMs = nowMs() + limitMs
    },
  }
  deadlines.add(waiting)
  stream.once('close', () => deadlines.delete(waiting))
}

function framed(chunk: Buffer): Buffer {
  if (chunk.length === 0) return chunk
  return Buffer.concat([
    Buffer.from(`${chunk.length.toString(16)}\r\n`),
    chunk,
    Buffer.from('\r\n'),
  ])
}
