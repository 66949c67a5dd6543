import fc from 'fast-check'
import { METHODS, createServer } from 'node:http'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect, test, vi } from 'vitest'
import { addRoute, cleanups, edge as startEdge, patience } from '../edge-test-kit.ts'
import { fuzz, fuzzTimeoutMs } from '../fuzz-test-kit.ts'
import { parseAnswerHead } from './answer-head.ts'
import { ChunkedBody } from './chunked.ts'
import { Fields } from './fields.ts'
import { HeadReader } from './head-reader.ts'
import { readRequests } from './read-requests-test-kit.ts'
import type { ReadRequest } from './read-requests-test-kit.ts'
import { refusedBodies, refusedHeads } from './smuggling-corpus-test-kit.ts'

const name = fc
  .stringMatching(/^[A-Za-z!#$%&'*+.^_`|~0-9-]{1,12}$/)
  .filter((n) => n !== '__proto__')
const value = fc.stringMatching(/^[!-~]([ -~\t]{0,20}[!-~])?$/)
const odd = fc.constantFrom(
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  ' ',
  '\t',
  '\0',
  ':',
  '0\r\n\r\n',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Host: y\r\n',
  ' HTTP/1.1\r\n',
  'GET / HTTP/1.1\r\n',
  '5\r\nhello\r\n',
  '\xff',
  ';',
  ',',
  '\r\n ',
  'Connection: close\r\n',
  'Expect: 100-continue\r\n',
)

/** A well-formed request. */
const request = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'),
    path: fc.stringMatching(/^\/[a-z0-9/]{0,3}[a-z]$/),
    fields: fc.array(
      fc.tuple(
        name.map((n) => `X-${n}`),
        value,
      ),
      { maxLength: 4 },
    ),
    body: fc.string({
      unit: fc.constantFrom('\0', '\r', '\n', ' ', '0', ':', 'a', '\xff'),
      maxLength: 30,
    }),
    pieces: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }),
    framing: fc.constantFrom('length', 'chunked', 'none'),
  })
  .map(({ method, path, fields, body, pieces, framing }) => {
    let text = `${method} ${path} HTTP/1.1\r\nHost: x\r\n`
    for (const [n, v] of fields) text += `${n}: ${v}\r\n`
    if (framing === 'length') return `${text}Content-Length: ${body.length}\r\n\r\n${body}`
    if (framing === 'none') return `${text}\r\n`
    text += 'Transfer-Encoding: chunked\r\n\r\n'
    for (let at = 0, i = 0; at < body.length; i += 1) {
      const part = body.slice(at, at + (pieces[i % pieces.length] ?? 1))
      text += `${part.length.toString(16)}\r\n${part}\r\n`
      at += part.length
    }
    return `${text}0\r\n\r\n`
  })
const requests = fc.array(request, { minLength: 1, maxLength: 4 }).map((all) => all.join(''))
/** A stream of requests with something cut out, put in or doubled. */
const mutated = fc
  .tuple(
    fc.oneof(
      requests,
      fc.constantFrom(
        ...[...refusedHeads, ...refusedBodies].map((r) => r.bytes).filter((b) => b.length < 4000),
      ),
    ),
    fc.array(
      fc.record({ at: fc.nat(), cut: fc.nat({ max: 4 }), put: fc.oneof(odd, fc.constant('')) }),
      { maxLength: 3 },
    ),
  )
  .map(([text, edits]) =>
    edits.reduce((was, { at, cut, put }) => {
      const i = at % (was.length + 1)
      return was.slice(0, i) + put + was.slice(i + cut)
    }, text),
  )
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
const cuts = (bytes: Buffer) => fc.array(fc.nat({ max: bytes.length }), { maxLength: 12 })

test('well-formed requests are all read', () => {
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 4 }), (all) => {
      const read = readRequests(latin1(all.join('')))
      expect(read.end).toBe('open')
      expect(read.requests).toHaveLength(all.length)
    }),
  )
})

test('however the bytes are cut, the same is read', () => {
  const text = fc.oneof(requests, mutated).map(latin1)
  fc.assert(
    fc.property(
      text.chain((bytes) => fc.tuple(fc.constant(bytes), cuts(bytes))),
      ([bytes, at]) => {
        const [whole, inParts] = [readRequests(bytes), readRequests(bytes, at)]
        expect(inParts.requests).toEqual(whole.requests)
        // A head is refused as soon as a lone CR or LF shows, which may be before its end.
        if (whole.end !== 'partial') expect(typeof inParts.end).toBe(typeof whole.end)
      },
    ),
    fuzz(1000),
  )
})

test('byte by byte, the same is read', () => {
  fc.assert(
    fc.property(requests.map(latin1), (bytes) => {
      expect(readRequests(bytes, [...bytes.keys()])).toEqual(readRequests(bytes))
    }),
    fuzz(50),
  )
})

test('any bytes are read to an end, in requests, answers and chunks', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(odd), (bytes, more) => {
      const all = Buffer.concat([bytes, latin1(more.join(''))])
      expect(readRequests(all).end).toBeDefined()
      const reader = new HeadReader()
      if (reader.push(Buffer.concat([latin1('HTTP/1.1 200'), all, latin1('\r\n\r\n')]), 0) > 0) {
        parseAnswerHead(reader.text, reader.end, new Fields(), false)
      }
      for (const allowExtensions of [true, false]) {
        const chunks = new ChunkedBody({ output: 'wire', allowExtensions, sink: () => undefined })
        expect(chunks.push(all, 0)).toBeLessThanOrEqual(all.length)
      }
    }),
  )
})

test('chunks go out as they came but for extensions, and are read the same again', () => {
  const body = fc.array(
    fc.tuple(fc.stringMatching(/^[a-z\r\n;]{1,20}$/), fc.stringMatching(/^(;[a-z=]{0,5})?$/)),
  )
  fc.assert(
    fc.property(body, fc.array(fc.nat({ max: 200 })), (parts, at) => {
      const wire = (withExtensions: boolean): string =>
        [...parts, ['', ''] as const]
          .map(
            ([data, ext]) =>
              `${data.length.toString(16)}${withExtensions ? ext : ''}\r\n${data}${data === '' ? '' : '\r\n'}`,
          )
          .join('') + '\r\n'
      const bytes = latin1(wire(true))
      let out = ''
      const sink = (part: Buffer, from: number, to: number): void => {
        out += part.toString('latin1', from, to)
      }
      const chunks = new ChunkedBody({ output: 'wire', allowExtensions: true, sink })
      let start = 0
      for (const end of [...at.filter((i) => i < bytes.length), bytes.length].toSorted(
        (a, b) => a - b,
      )) {
        expect(chunks.push(bytes.subarray(start, end), 0)).toBe(end - start)
        start = end
      }
      expect([chunks.isDone, out]).toEqual([true, wire(false)])
    }),
  )
})

test(
  'what reaches a strict server behind the edge is what the edge read',
  async () => {
    const seen: Pick<ReadRequest, 'method' | 'target' | 'body'>[] = []
    const target = createServer({ keepAliveTimeout: 0 }, (req, res) => {
      let body = ''
      req.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')))
      req.on('error', () => undefined)
      req.on('end', () => {
        seen.push({ method: req.method ?? '', target: req.url ?? '', body })
        res.end('ok')
      })
    })
    target.listen(0, '127.0.0.1')
    await once(target, 'listening')
    cleanups.push(() => {
      target.closeAllConnections()
      target.close()
    })
    const e = await startEdge()
    await addRoute(e, '/', `http://127.0.0.1:${(target.address() as AddressInfo).port}`)
    const isUsual = (text: string): boolean => !/upgrade|%/i.test(text)
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, requests).filter(isUsual), async (text) => {
        seen.length = 0
        const read = readRequests(latin1(text))
        const closing = 'GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
        const socket = connect(e.port, '127.0.0.1')
        let got = ''
        socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
        socket.on('error', () => undefined)
        if (read.end === 'open') socket.write(latin1(text + closing))
        else socket.end(latin1(text))
        await vi.waitUntil(() => socket.closed, { ...patience, interval: 1 })
        const passed = seen.filter((one) => one.target !== '/last')
        // A server need not know every method: what it refuses itself it does not see.
        const known = read.requests.filter(({ method }) => METHODS.includes(method))
        const expected = known.slice(0, passed.length)
        const told = (all: typeof seen): string[][] => all.map(({ method, body }) => [method, body])
        expect(told(passed)).toEqual(told(expected))
        // Behind a request that asks to close, or that is answered before its end, nothing is read.
        if (read.end === 'open' && !/connection|http\/1\.0/i.test(text)) {
          expect(passed).toHaveLength(known.length)
          expect(got.match(/HTTP\/1.1 200/g)).toHaveLength(known.length + 1)
        }
      }),
      // What earlier runs found.
      {
        ...fuzz(250),
        examples: [['PATCH /\u00FFa HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n']],
      },
    )
  },
  fuzzTimeoutMs,
)
