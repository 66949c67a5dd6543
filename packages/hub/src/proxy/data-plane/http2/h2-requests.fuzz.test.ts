import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addRoute, edge } from '../edge-test-kit.ts'
import { fuzz, fuzzTimeoutMs } from '../fuzz-test-kit.ts'
import { readRequests } from '../http1/read-requests-test-kit.ts'
import { serveBytes } from '../http1/wire-test-kit.ts'
import { hasOpenssl } from '../tls/certificates-for-tests.ts'
import { ask, sendFrames } from './h2-frames-test-kit.ts'
import type { Field } from './h2-frames-test-kit.ts'
import { http2Options } from './h2-test-kit.ts'

/** Of a name, a path or a value: usual text, with bytes in it that mean something to HTTP/1.1. */
const odd = fc.constantFrom(
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  ':',
  '\t',
  '\x7f',
  '\xff',
  '#',
  '?',
  '%',
  '\\',
  '..',
  'X',
)
const piece = (usual: RegExp): fc.Arbitrary<string> =>
  fc.oneof({ weight: 12, arbitrary: fc.stringMatching(usual) }, { weight: 1, arbitrary: odd })
const text = (usual: RegExp): fc.Arbitrary<string> =>
  fc.array(piece(usual), { minLength: 1, maxLength: 3 }).map((all) => all.join('').slice(0, 100))
const known = fc.constantFrom<Field>(
  ['content-length', '0'],
  ['content-length', '4'],
  ['transfer-encoding', 'chunked'],
  ['connection', 'close'],
  ['host', 'hub.test'],
  ['host', 'x'],
  ['te', 'trailers'],
  ['expect', '100-continue'],
  ['cookie', 'a=b'],
  ['upgrade', 'h2c'],
  [':path', '/hidden'],
  ['x-forwarded-for', '192.0.2.9'],
)
const field = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(text(/^[a-z-]{1,8}$/), text(/^[!-~]{0,8}$/)) },
  { weight: 1, arbitrary: known },
)
const request = fc.record(
  {
    method: fc.oneof(fc.constantFrom('GET', 'POST', 'HEAD', 'DELETE'), text(/^[A-Z]{1,5}$/)),
    path: text(/^\/[a-z/]{0,6}$/),
    authority: fc.oneof(fc.constant('hub.test'), text(/^[a-z.]{1,8}$/)),
    fields: fc.array(field, { maxLength: 4 }),
    body: fc.option(fc.stringMatching(/^[a-z\r\n0:]{0,40}$/), { nil: undefined }),
    trailers: fc.option(fc.array(field, { maxLength: 2 }), { nil: undefined }),
  },
  { requiredKeys: ['method', 'path', 'authority', 'fields', 'body', 'trailers'] },
)

test(
  'whatever comes by HTTP/2, a target reads one request and nothing behind it',
  async ({ skip }) => {
    if (!hasOpenssl()) return skip('no openssl on this machine')
    const target = await serveBytes(
      'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    )
    const e = await edge(await http2Options())
    await addRoute(e, '/', target.url)
    let asked = 0
    let passed = 0
    await fc.assert(
      fc.asyncProperty(request, async ({ method, path, authority, fields, body, trailers }) => {
        const name = `case-${asked++}`
        const pseudo = { ':method': method, ':path': path, ':authority': authority }
        const sent = {
          fields: ask(pseudo, [...fields, ['x-case', name]]),
          ...(body !== undefined && { body }),
        }
        const isTrailed = body !== undefined && trailers !== undefined
        await sendFrames(e, { ...sent, ...(isTrailed && { trailers }) })
        const seen = target.connections.filter(({ got }) => got.includes(`x-case: ${name}\r\n`))
        expect(seen.length).toBeLessThanOrEqual(1)
        const [one] = seen
        if (one === undefined) return
        const { requests, end } = readRequests(Buffer.from(one.got, 'latin1'))
        expect(requests.length).toBeLessThanOrEqual(1)
        expect(['open', 'partial']).toContain(end)
        const [got] = requests
        if (got === undefined) return
        passed += 1
        expect([got.method, got.body]).toEqual([method, body ?? ''])
        const names = got.fields.map((line) => line.slice(0, line.indexOf(':')))
        expect(names.filter((name) => name === 'host')).toHaveLength(1)
        expect(names.filter((name) => name === 'content-length').length).toBeLessThanOrEqual(1)
        // Every field is one that was sent, or of the edge.
        const sentNames = new Set([
          ...fields.map(([name]) => name),
          'host',
          'transfer-encoding',
          'x-case',
        ])
        const ours = /^(?:x-forwarded-(?:for|port|proto|host)|content-length)$/
        expect(names.filter((name) => !sentNames.has(name) && !ours.test(name))).toEqual([])
      }),
      fuzz(150),
    )
    expect(passed).toBeGreaterThan(10)
  },
  fuzzTimeoutMs,
)
