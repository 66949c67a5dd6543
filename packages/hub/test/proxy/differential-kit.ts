import { once } from 'node:events'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'

/** A request or an answer: fields in lower case, sorted by name, those of a name in order. */
export interface Message {
  readonly line: string
  readonly fields: readonly (readonly [string, string])[]
  readonly body: string
  readonly trailers: readonly (readonly [string, string])[]
}

export interface Recorder {
  readonly port: number
  /** What came for a case last. */
  readonly seen: Map<string, Message>
  stop(): void
}

function pairs(raw: readonly string[]): [string, string][] {
  const all: [string, string][] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    all.push([(raw[i] ?? '').toLowerCase(), raw[i + 1] ?? ''])
  }
  return all.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/** Writes down what it gets, and answers in a way that the number of the case says. */
export async function startRecorder(): Promise<Recorder> {
  const seen = new Map<string, Message>()
  const server = createServer({ maxHeaderSize: 64 * 1024 }, (req, res) => {
    let body = ''
    req.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')))
    req.on('end', () => {
      const name = String(req.headers['x-case'])
      seen.set(name, {
        line: `${req.method ?? ''} ${req.url ?? ''} ${req.httpVersion}`,
        fields: pairs(req.rawHeaders),
        body,
        trailers: pairs(req.rawTrailers),
      })
      answer(res, Number(name), req.headers['x-plain'] !== undefined)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = (): void => {
    server.closeAllConnections()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, seen, stop }
}

/** Each case gets one of ten kinds of answers. */
function answer(res: ServerResponse, index: number, isPlain: boolean): void {
  const text = 'answer '.repeat(1 + (index % 700))
  switch (index % 10) {
    case 0:
      res.writeHead(200, { 'Content-Length': text.length, 'X-Kind': 'length' }).end(text)
      break
    case 1:
      res.writeHead(200, { 'X-Kind': 'chunked', ETag: '"x"' }).write(text)
      res.end(text)
      break
    case 2:
      res.writeHead(204, { 'X-Kind': 'nothing' }).end()
      break
    case 3:
      res.writeHead(304, { ETag: '"x"', 'X-Kind': 'unchanged' }).end()
      break
    case 4:
      res.writeHead(206, { 'Content-Range': 'bytes 2-5/10', 'Content-Length': 4 }).end('cdef')
      break
    case 5:
      res.writeHead(302, { Location: '/hub/login?next=%2F', 'Set-Cookie': ['a=1', 'b=2; Path=/'] })
      res.end('moved')
      break
    case 6:
      res.writeHead(404, 'Gone Fishing', ['X-Odd', 'caf\xe9', 'Content-Length', '2']).end('no')
      break
    case 7:
      res.writeHead(500, { Server: 'recorder', Via: '1.1 it' }).end(isPlain ? undefined : text)
      break
    case 8:
      res.writeHead(200, { 'Content-Length': 0, 'Cache-Control': 'no-store' }).end()
      break
    default:
      res.writeHead(200, isPlain ? {} : { Trailer: 'X-End' }).write('part')
      if (!isPlain) res.addTrailers({ 'X-End': 'yes' })
      res.end()
  }
}

/** Sends bytes on a connection of its own. @returns all that came until its end, as Latin-1 text */
export function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let got = ''
    socket.setTimeout(15_000, () => socket.destroy(new Error(`no end after ${got.slice(0, 200)}`)))
    socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
    socket.once('error', reject).once('close', () => resolve(got))
    socket.write(text, 'latin1')
  })
}

/** Reads one answer off the front of a text, strictly. @returns it and what is behind it */
export function readAnswer(given: string, isHead: boolean): { answer: Message; rest: string } {
  // Interim answers have heads alone.
  const text = given.replace(/^(?:HTTP\/1\.1 1\d\d [^]*?\r\n\r\n)+/, '')
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) throw new Error(`no answer in ${JSON.stringify(text.slice(0, 300))}`)
  const [line = '', ...lines] = text.slice(0, end).split('\r\n')
  const raw = lines.flatMap((one) => {
    const colon = one.indexOf(':')
    return [one.slice(0, colon), one.slice(colon + 1).trim()]
  })
  const fields = pairs(raw)
  const find = (name: string): string | undefined => fields.find(([one]) => one === name)?.[1]
  const behind = text.slice(end + 4)
  const status = Number(line.slice(9, 12))
  const length = find('content-length')
  const none = { line, fields, body: '', trailers: [] }
  if (isHead || status === 204 || status === 304) return { answer: none, rest: behind }
  if (find('transfer-encoding') === 'chunked') return readChunks(none, behind)
  const size = length === undefined ? behind.length : Number(length)
  if (behind.length < size) throw new Error('the body broke off')
  return { answer: { ...none, body: behind.slice(0, size) }, rest: behind.slice(size) }
}

function readChunks(head: Message, text: string): { answer: Message; rest: string } {
  let at = 0
  let body = ''
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at)
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    if (lineEnd === -1 || Number.isNaN(size)) throw new Error('the chunks broke off')
    at = lineEnd + 2
    if (size === 0) break
    body += text.slice(at, at + size)
    at += size + 2
  }
  const isBare = text.startsWith('\r\n', at)
  if (!isBare && !text.includes('\r\n\r\n', at)) throw new Error('the trailers broke off')
  const end = isBare ? at : text.indexOf('\r\n\r\n', at) + 2
  const raw = isBare
    ? []
    : text
        .slice(at, end - 2)
        .split('\r\n')
        .flatMap((one) => one.split(': '))
  return { answer: { ...head, body, trailers: pairs(raw) }, rest: text.slice(end + 2) }
}
