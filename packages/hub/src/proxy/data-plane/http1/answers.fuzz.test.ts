import fc from 'fast-check'
import { connect } from 'node:http2'
import { expect, test, vi } from 'vitest'
import { readAnswer } from '../../../../test/proxy/differential-kit.ts'
import { addRoute, edge, patience } from '../edge-test-kit.ts'
import { fuzz, fuzzTimeoutMs } from '../fuzz-test-kit.ts'
import { http2Options } from '../http2/h2-test-kit.ts'
import { hasOpenssl } from '../tls/certificates-for-tests.ts'
import { modelAnswer } from './answer-model-test-kit.ts'
import { get, serveWire, wire } from './wire-test-kit.ts'

const value = fc.stringMatching(/^[!-~]([ -~\t]{0,10}[!-~])?$/)
const name = fc.stringMatching(/^[A-Za-z!#$%&'*+.^_`|~0-9-]{1,8}$/)
const odd = fc.constantFrom(
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  ' ',
  '\0',
  ':',
  ';',
  ';x=y',
  '0\r\n\r\n',
  '5\r\nhello\r\n',
  'Content-Length: 3\r\n',
  'Content-Length: 0\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip\r\n',
  'Connection: close\r\n',
  'Connection: (\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 Hint\r\nLink: x\r\n\r\n',
  'HTTP/1.1 101 Yes\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison',
  'X-Trailer: yes\r\n',
  'ffffffffffff\r\n',
  '\xff',
  '1.0',
)

const answer = fc
  .record({
    status: fc.constantFrom(200, 201, 204, 206, 302, 304, 404, 500, 599),
    fields: fc.array(
      fc.tuple(
        name.map((n) => `X-${n}`),
        value,
      ),
      { maxLength: 3 },
    ),
    body: fc.string({ unit: fc.constantFrom('\r', '\n', '0', 'a', ';', '\xff'), maxLength: 40 }),
    piece: fc.integer({ min: 1, max: 9 }),
    framing: fc.constantFrom('length', 'chunked', 'close'),
  })
  .map(({ status, fields, body, piece, framing }) => {
    let text = `HTTP/1.1 ${status} Some Words\r\n`
    for (const [n, v] of fields) text += `${n}: ${v}\r\n`
    if (framing === 'length') return `${text}Content-Length: ${body.length}\r\n\r\n${body}`
    if (framing === 'close') return `${text}Connection: close\r\n\r\n${body}`
    text += 'Transfer-Encoding: chunked\r\n\r\n'
    for (let at = 0; at < body.length; at += piece) {
      const part = body.slice(at, at + piece)
      text += `${part.length.toString(16)}\r\n${part}\r\n`
    }
    return `${text}0\r\n\r\n`
  })

/** What a hostile server says, and where its bytes are cut. */
const hostile = fc
  .tuple(
    answer,
    fc.array(
      fc.record({ at: fc.nat(), cut: fc.nat({ max: 4 }), put: fc.oneof(odd, fc.constant('')) }),
      { maxLength: 3 },
    ),
    fc.array(fc.nat({ max: 200 }), { maxLength: 3 }),
  )
  .map(([text, edits, cuts]) => ({
    text: edits.reduce((was, { at, cut, put }) => {
      const i = at % (was.length + 1)
      return was.slice(0, i) + put + was.slice(i + cut)
    }, text),
    cuts,
  }))

const good = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood'

/** A server that answers `/bad` as it is told to and then closes, and `/good` well. */
async function serveHostile() {
  const now = { text: '', cuts: [] as readonly number[] }
  const target = await serveWire((one) => {
    let read = 0
    one.socket.on('data', () => {
      for (;;) {
        const end = one.got.indexOf('\r\n\r\n', read)
        if (end === -1) return
        const isBad = one.got.slice(read, end).includes('/bad ')
        read = end + 4
        if (!isBad) {
          one.send(good)
          continue
        }
        let from = 0
        for (const to of [...now.cuts, now.text.length].toSorted((a, b) => a - b)) {
          one.send(now.text.slice(from, to))
          from = Math.max(from, to)
        }
        one.socket.end()
      }
    })
  })
  return { target, now }
}

test(
  'what hostile servers answer is read as the model reads it, and never by another request',
  async () => {
    const { target, now } = await serveHostile()
    const e = await edge()
    await addRoute(e, '/', target.url)
    await fc.assert(
      fc.asyncProperty(hostile, fc.constantFrom('GET', 'HEAD'), async (said, method) => {
        Object.assign(now, said)
        const expected = modelAnswer(said.text, method === 'HEAD')
        const client = wire(e.port)
        client.send(get('/good')).send(get('/bad').replace('GET', method)).send(get('/good'))
        client.send(get('/good', 'Connection: close\r\n'))
        await vi.waitUntil(() => client.hasEnded || client.socket.closed, {
          ...patience,
          interval: 1,
        })
        client.socket.destroy()
        const first = readAnswer(client.got, false)
        expect(first.answer.body).toBe('good')
        const second = skipInterim(first.rest)
        if (expected.kind === 'none') {
          const { answer: got, rest } = readAnswer(second, method === 'HEAD')
          expect(got.line).toMatch(/^HTTP\/1\.1 503 /)
          expectGood(rest, 2)
          return
        }
        // Cut off before its head was sent on it is a 503, else the connection ends in it.
        if (expected.isCut) {
          if (second.startsWith('HTTP/1.1 503 ')) return
          expect(() => readAnswer(second, false)).toThrow()
          return
        }
        const { answer: got, rest } = readAnswer(second, method === 'HEAD')
        expect([got.line.slice(9, 12), got.body]).toEqual([String(expected.status), expected.body])
        expectGood(rest, 2)
      }),
      fuzz(300),
    )
  },
  fuzzTimeoutMs,
)

function skipInterim(text: string): string {
  let rest = text
  while (/^HTTP\/1\.1 1\d\d /.test(rest)) rest = rest.slice(rest.indexOf('\r\n\r\n') + 4)
  return rest
}

function expectGood(text: string, count: number): void {
  let rest = text
  for (let i = 0; i < count; i += 1) {
    const { answer: got, rest: behind } = readAnswer(rest, false)
    expect(got.body).toBe('good')
    rest = behind
  }
  expect(rest).toBe('')
}

test(
  'over HTTP/2 too, and its connection goes on',
  async ({ skip }) => {
    if (!hasOpenssl()) return skip('no openssl on this machine')
    const { target, now } = await serveHostile()
    const e = await edge(await http2Options())
    await addRoute(e, '/', target.url)
    const session = connect(`https://127.0.0.1:${e.port}`, { rejectUnauthorized: false })
    const ask = async (path: string, method = 'GET'): Promise<{ status: number; body: string }> => {
      const stream = session.request({ ':path': path, ':method': method, ':authority': 'hub.test' })
      let status = 0
      let body = ''
      stream.on('response', (headers) => (status = Number(headers[':status'])))
      stream.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')))
      stream.on('error', () => (status = -1))
      stream.end()
      await new Promise((resolve) => stream.once('close', resolve))
      return { status, body }
    }
    try {
      await fc.assert(
        fc.asyncProperty(hostile, fc.constantFrom('GET', 'HEAD'), async (said, method) => {
          Object.assign(now, said)
          const expected = modelAnswer(said.text, method === 'HEAD')
          const got = await ask('/bad', method)
          if (expected.kind === 'none') expect(got.status).toBe(503)
          else if (expected.isCut) expect([-1, 503]).toContain(got.status)
          else if (expected.status > 599) expect(got.status).toBe(503)
          else {
            const body = expected.status === 205 ? '' : expected.body
            expect(got).toEqual({ status: expected.status, body })
          }
          expect(await ask('/good')).toEqual({ status: 200, body: 'good' })
        }),
        fuzz(200),
      )
    } finally {
      session.destroy()
    }
  },
  fuzzTimeoutMs,
)
