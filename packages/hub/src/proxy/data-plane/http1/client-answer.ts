import type { Duplex } from 'node:stream'
import { bodyFraming } from './answer-head.ts'
import type { AnswerHead } from './answer-head.ts'
import { writeAnswerHead } from './answer-writer.ts'
import { writeAround } from './bytes.ts'
import type { Fields } from './fields.ts'
import type { FrontServices, Rewrite } from './front-services.ts'
import { reasonOf, refusalOf } from './local-answer.ts'
import type { LocalAnswer } from './local-answer.ts'
import type { RequestHead } from './request-head.ts'

const answerFraming = { none: 0, raw: 1, chunk: 2 } as const

/**
 * What a client's connection is told, one answer after another: heads, the framing of bodies, and
 * whether the connection may be used again. Hot path: row P9 of the bench.
 */
export class ClientAnswer {
  /** The final answer has begun. */
  hasBegun = false
  /** The client knows no interim answers. */
  isHttp10 = false
  /** The client may ask again on this connection. */
  keepAlive = false
  readonly #socket: Duplex
  /** Lines that every answer over TLS has. */
  readonly #tlsLines: string
  /** The last lines of an answer on a connection that stays. */
  readonly #stayLines: string
  #isForHead = false
  #framing: number = answerFraming.none
  /** Text that waits to share a write with what follows. */
  #held = ''

  constructor(socket: Duplex, services: FrontServices, isTls: boolean) {
    this.#socket = socket
    this.#tlsLines = isTls ? services.tlsAnswerLines : ''
    const seconds = Math.trunc(services.keepAliveTimeoutMs / 1000)
    const hint = seconds > 0 ? `Keep-Alive: timeout=${seconds}\r\n` : ''
    this.#stayLines = `Connection: keep-alive\r\n${hint}\r\n`
  }

  /** A request wants an answer. */
  prepare(request: RequestHead): void {
    this.hasBegun = false
    this.keepAlive = request.keepAlive && request.upgrade === ''
    this.isHttp10 = request.isHttp10
    this.#isForHead = request.method === 'HEAD'
  }

  goOn(): void {
    this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
  }

  interim(head: AnswerHead, fields: Fields): void {
    if (this.isHttp10) return
    this.#socket.write(`${writeAnswerHead(head, fields, undefined)}\r\n`, 'latin1')
  }

  /** Begins the answer of a target. @param mayStay - whether the connection can be kept at all. */
  begin(
    head: AnswerHead,
    fields: Fields,
    { rewrite, mayStay }: { readonly rewrite: Rewrite | undefined; readonly mayStay: boolean },
  ): void {
    this.hasBegun = true
    this.#framing = answerFraming.none
    let framingLine = ''
    if (head.framing === bodyFraming.length) this.#framing = answerFraming.raw
    else if (head.framing !== bodyFraming.none) {
      if (this.isHttp10) {
        this.#framing = answerFraming.raw
        this.keepAlive = false
      } else {
        const isChunked = head.framing === bodyFraming.chunked
        this.#framing = isChunked ? answerFraming.raw : answerFraming.chunk
        framingLine = 'Transfer-Encoding: chunked\r\n'
      }
    }
    const text = this.#withTlsLines(writeAnswerHead(head, fields, rewrite))
    this.#held = text + framingLine + this.#lastLines(mayStay)
  }

  /** @returns false when the socket has enough for now */
  bytes(chunk: Buffer, from: number, to: number): boolean {
    const before = this.#held
    this.#held = ''
    if (this.#framing !== answerFraming.chunk) {
      return writeAround(this.#socket, before, { chunk, from, to }, '')
    }
    const size = `${(to - from).toString(16)}\r\n`
    return writeAround(this.#socket, before + size, { chunk, from, to }, '\r\n')
  }

  flush(): void {
    if (this.#held === '') return
    this.#socket.write(this.#held, 'latin1')
    this.#held = ''
  }

  /** @param trailers - lines, unless chunks come with their framing */
  end(trailers: string): void {
    if (this.#framing === answerFraming.chunk) this.#held += `0\r\n${trailers}\r\n`
    this.flush()
  }

  /** Takes a head back that the client has not seen. @returns false when it has. */
  takeBack(): boolean {
    if (this.#held === '') return false
    this.#held = ''
    this.hasBegun = false
    return true
  }

  /** An answer of the edge itself, as a whole. */
  whole({ status, headers, body }: LocalAnswer, mayStay: boolean): void {
    this.hasBegun = true
    let head = `HTTP/1.1 ${status} ${reasonOf(status)}\r\n`
    for (const [name, value] of headers) head += `${name}: ${value}\r\n`
    head = this.#withTlsLines(head)
    head += `Content-Length: ${body.length}\r\n${this.#lastLines(mayStay)}`
    if (this.#isForHead) this.#socket.write(head, 'latin1')
    else this.#socket.write(head + body.toString('latin1'), 'latin1')
  }

  /** What cannot be read as a request, or leads nowhere; the connection has to end with it. */
  refuse(status: number, isForHead: boolean): void {
    const { headers, body } = refusalOf(status)
    let head = `HTTP/1.1 ${status} ${reasonOf(status)}\r\nConnection: close\r\n`
    for (const [name, value] of headers) head += `${name}: ${value}\r\n`
    head += `Content-Length: ${body.length}\r\n\r\n`
    this.#socket.write(isForHead ? head : head + body.toString('latin1'), 'latin1')
  }

  /** With the empty line. */
  #lastLines(mayStay: boolean): string {
    if (!mayStay) this.keepAlive = false
    return this.keepAlive ? this.#stayLines : 'Connection: close\r\n\r\n'
  }

  /** They stand before those of the target: of a field said twice browsers take the first. */
  #withTlsLines(head: string): string {
    if (this.#tlsLines === '') return head
    const first = head.indexOf('\r\n') + 2
    return head.slice(0, first) + this.#tlsLines + head.slice(first)
  }
}
