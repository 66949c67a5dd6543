import { beforeEach, expect, test } from 'vitest'
import { addRoute, edge } from '../edge-test-kit.ts'
import { serveBytes } from '../http1/wire-test-kit.ts'
import type { WireServer } from '../http1/wire-test-kit.ts'
import { hasOpenssl } from '../tls/certificates-for-tests.ts'
import { ask, sendFrames } from './h2-frames-test-kit.ts'
import type { Sent } from './h2-frames-test-kit.ts'
import { http2Options } from './h2-test-kit.ts'

const canMake = hasOpenssl()
beforeEach((context) => {
  if (!canMake) context.skip('no openssl on this machine')
})

async function send(request: Sent): Promise<WireServer> {
  const target = await serveBytes('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  const e = await edge(await http2Options())
  await addRoute(e, '/', target.url)
  await sendFrames(e, request)
  return target
}

const hidden = 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n'

/** What a target saw of it, without the fields that the edge adds. */
const seenBy = (target: WireServer): string =>
  target.connections.map(({ got }) => got.replace(/X-Forwarded-[^\n]*\n/g, '')).join('|')

test.each<[string, Sent]>([
  ['a line in a name', { fields: ask({}, [['x: y\r\nhidden', 'z']]) }],
  ['a colon in a name', { fields: ask({}, [['hidden: y', 'z']]) }],
  ['a space in a name', { fields: ask({}, [['hid den', 'z']]) }],
  ['lines in a value', { fields: ask({}, [['x', 'y\r\nhidden: z']]) }],
  ['a request in a value', { fields: ask({}, [['x', `y\r\n\r\n${hidden}`]]) }],
  ['a bare LF in a value', { fields: ask({}, [['x', 'y\nhidden: z']]) }],
  ['a NUL in a value', { fields: ask({}, [['x', 'hidden\0']]) }],
])('%s does not reach the target', async (_name, sent) => {
  const target = await send(sent)
  expect(seenBy(target)).not.toMatch(/hid/)
  // One request at most, with nothing behind it.
  expect(seenBy(target)).toMatch(
    /^(?:POST \/x HTTP\/1\.1\r\nhost: hub\.test\r\nContent-Length: 0\r\n\r\n)?$/,
  )
})

test.each<[string, Sent]>([
  ['an upper-case name', { fields: ask({}, [['X', 'y']]) }],
  ['a space in the path', { fields: ask({ ':path': '/a b' }) }],
  ['a line in the path', { fields: ask({ ':path': `/a HTTP/1.1\r\nx: y` }) }],
  ['an absolute path of another host', { fields: ask({ ':path': 'http://other.test/' }) }],
  ['an empty path', { fields: ask({ ':path': '' }) }],
  ['no path', { fields: ask({ ':path': undefined }) }],
  ['two paths', { fields: ask({}, [[':path', '/y']]) }],
  [
    'a path behind fields',
    { fields: [...ask({ ':path': undefined }), ['x', 'y'], [':path', '/']] },
  ],
  ['a request line in the method', { fields: ask({ ':method': 'GET / HTTP/1.1\r\n\r\nGET' }) }],
  ['CONNECT', { fields: ask({ ':method': 'CONNECT', ':path': undefined, ':scheme': undefined }) }],
  ['an extended CONNECT', { fields: ask({ ':method': 'CONNECT', ':protocol': 'websocket' }) }],
  ['OPTIONS *', { fields: ask({ ':method': 'OPTIONS', ':path': '*' }) }],
  ['an unknown pseudo field', { fields: ask({ ':hidden': 'x' }) }],
  ['lines in the authority', { fields: ask({ ':authority': 'a\r\nhidden: b' }) }],
  ['somebody in the authority', { fields: ask({ ':authority': 'ada@hub.test' }) }],
  ['another Host', { fields: ask({}, [['host', 'other.test']]) }],
  [
    'two Hosts',
    {
      fields: ask({ ':authority': undefined }, [
        ['host', 'a'],
        ['host', 'b'],
      ]),
    },
  ],
  ['Transfer-Encoding', { fields: ask({}, [['transfer-encoding', 'chunked']]), body: '0\r\n\r\n' }],
  ['Connection', { fields: ask({}, [['connection', 'host']]) }],
  ['Upgrade', { fields: ask({}, [['upgrade', 'websocket']]) }],
  ['a length without a body', { fields: ask({}, [['content-length', '5']]) }],
  [
    'a length twice',
    {
      fields: ask({}, [
        ['content-length', '0'],
        ['content-length', '0'],
      ]),
    },
  ],
  ['a list of lengths', { fields: ask({}, [['content-length', '0, 0']]) }],
  ['a signed length', { fields: ask({}, [['content-length', '+0']]) }],
])('%s is refused', async (_name, sent) => {
  expect(seenBy(await send(sent))).toBe('')
})

test.each<[string, Sent]>([
  [
    'more body than its length',
    { fields: ask({}, [['content-length', '3']]), body: `abc${hidden}` },
  ],
  ['a body where its length is none', { fields: ask({}, [['content-length', '0']]), body: hidden }],
  ['less body than its length', { fields: ask({}, [['content-length', '50']]), body: 'abc' }],
  [
    'framing among the trailers',
    { fields: ask({}), body: 'a', trailers: [['transfer-encoding', 'chunked']] },
  ],
])('%s never is a whole request', async (_name, sent) => {
  const target = await send(sent)
  expect(seenBy(target)).not.toMatch(/hidden|\r\n0\r\n\r\n/)
})

test('a body without a length stays inside its chunks', async () => {
  const target = await send({ fields: ask({ ':method': 'GET' }), body: hidden })
  const size = hidden.length.toString(16)
  expect(seenBy(target)).toMatch(
    new RegExp(`Transfer-Encoding: chunked\r\n\r\n${size}\r\n${hidden}\r\n0\r\n\r\n$`),
  )
})
