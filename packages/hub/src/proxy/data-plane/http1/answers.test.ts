import { expect, test, describe } from 'vitest'
import { addRoute, api, baseForward, edge } from '../edge-test-kit.ts'
import type { Edge } from '../edge.ts'
import { get, serveBytes, serveWire, wire } from './wire-test-kit.ts'

async function edgeTo(url: string): Promise<Edge> {
  const e = await edge()
  await addRoute(e, '/', url)
  return e
}

const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4)
const ok = 'HTTP/1.1 200 OK\r\n'

describe('answers that pass', () => {
  // Name, what the target sends before it closes, what the client's body is on the wire.
  test.each([
    ['a length', `${ok}Content-Length: 2\r\n\r\nhi`, 'hi'],
    ['no body at all', `${ok}Content-Length: 0\r\n\r\n`, ''],
    [
      'chunks',
      `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
      '2\r\nhi\r\n0\r\n\r\n',
    ],
    [
      'an extension, left out',
      `${ok}Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0;x\r\n\r\n`,
      '2\r\nhi\r\n0\r\n\r\n',
    ],
    [
      'trailers',
      `${ok}Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n`,
      '0\r\nX-Sum: 1\r\n\r\n',
    ],
    [
      'forbidden trailers, left out',
      `${ok}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\nSet-Cookie: a\r\nX: y\r\n\r\n`,
      '0\r\nX: y\r\n\r\n',
    ],
    ['until the close', `${ok}\r\nhi`, '2\r\nhi\r\n0\r\n\r\n'],
    ['until the close, nothing', `${ok}\r\n`, '0\r\n\r\n'],
    ['of HTTP/1.0, until the close', 'HTTP/1.0 200 OK\r\n\r\nhi', '2\r\nhi\r\n0\r\n\r\n'],
    ['of HTTP/1.0 with a length', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi', 'hi'],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
    ['204 with a length, left out', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', ''],
    [
      '304 with the length of what it stands for',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
      '',
    ],
    ['a reason that is empty', 'HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi', 'hi'],
    ['a reason that is missing', 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi', 'hi'],
    ['an odd status', 'HTTP/1.1 799 Odd \xe9\r\nContent-Length: 2\r\n\r\nhi', 'hi'],
    [
      'a 100 nobody waits for, left out',
      `HTTP/1.1 100 Continue\r\n\r\n${ok}Content-Length: 2\r\n\r\nhi`,
      'hi',
    ],
  ])('%s', async (_name, answer, body) => {
    const target = await serveBytes(answer, (one) => one.socket.end())
    const client = wire((await edgeTo(target.url)).port).send(get('/', 'Connection: close\r\n'))
    const got = await client.ended()
    expect(got).toMatch(/^HTTP\/1\.1 \d{3} /)
    expect(bodyOf(got)).toBe(body)
    expect(got).not.toMatch(/HTTP\/1.1 204[^]*Content-Length/)
    expect(target.connections).toHaveLength(1)
  })

  test('hints come before the answer, to clients of HTTP/1.1', async () => {
    const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: X\r\nX: y\r\n\r\n'
    const target = await serveBytes(`${hints}${ok}Content-Length: 2\r\n\r\nhi`)
    const e = await edgeTo(target.url)
    const got = await wire(e.port).send(get('/')).until('hi')
    expect(got).toMatch(/^HTTP\/1.1 103 Early Hints\r\nLink: <\/a.css>\r\n\r\nHTTP\/1.1 200 OK\r\n/)
    const old = await wire(e.port).send('GET / HTTP/1.0\r\n\r\n').until('hi')
    expect(old).toMatch(/^HTTP\/1.1 200/)
  })

  test('a client of HTTP/1.0 gets the payload of chunks until the close', async () => {
    const target = await serveBytes(
      `${ok}Transfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n0\r\nX: y\r\n\r\n`,
    )
    const e = await edgeTo(target.url)
    const got = await wire(e.port).send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n').ended()
    expect(got).not.toMatch(/Transfer-Encoding/i)
    expect(got).toMatch(/Connection: close\r\n\r\nhi$/)
  })

  test('a client of HTTP/1.0 that asks for it may go on', async () => {
    const target = await serveBytes(`${ok}Content-Length: 2\r\n\r\nhi`)
    const client = wire((await edgeTo(target.url)).port)
    const request = 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'
    expect(await client.send(request).until('hi')).toMatch(/Connection: keep-alive\r\n/)
    await client.send(request).until(/hi[^]*hi/)
    expect(client.hasEnded).toBe(false)
  })

  test('HEAD has the fields of a body and none', async () => {
    const target = await serveBytes(`${ok}Content-Length: 5\r\n\r\n`)
    const client = wire((await edgeTo(target.url)).port)
    const head = get('/').replace('GET', 'HEAD')
    await client.send(head + head).until(/Content-Length: 5[^]*Content-Length: 5[^]*\r\n\r\n/)
    expect(target.connections).toHaveLength(1)
  })

  test('fields of the connection stay on theirs, others pass as they are', async () => {
    const fields =
      'connection: X-Hop\r\nKeep-Alive: timeout=9\r\nX-Hop: 1\r\nProxy-Connection: a\r\nUpgrade: h2c\r\nX-Odd:  a\tb \r\nSet-Cookie: a\r\nset-cookie: b\r\n'
    const target = await serveBytes(`${ok}${fields}Content-Length: 2\r\n\r\nhi`)
    const got = await wire((await edgeTo(target.url)).port)
      .send(get('/'))
      .until('hi')
    expect(got).toContain(
      '\r\nX-Odd:  a\tb \r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 2\r\n',
    )
    expect(got).not.toMatch(/x-hop|proxy-connection|h2c|timeout=9/i)
    expect(got).toMatch(/\r\nDate: \w{3}, /)
  })
})

describe('answers that are no answers are 503, and their connection is not used again', () => {
  test.each([
    ['nothing', ''],
    ['no HTTP', 'hello\r\n\r\n'],
    ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nhi'],
    ['a bare LF in a field', `${ok}X: a\nContent-Length: 0\r\n\r\n`],
    ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n'],
    ['no status', 'HTTP/1.1 OK\r\n\r\n'],
    ['a short status', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a long status', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['status 099', 'HTTP/1.1 099 OK\r\n\r\n'],
    ['a folded field', `${ok}X: a\r\n b\r\n\r\n`],
    ['a field without a colon', `${ok}nonsense\r\n\r\n`],
    ['a space before the colon', `${ok}Content-Length : 2\r\n\r\nhi`],
    [
      'a length and chunks',
      `${ok}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['two lengths', `${ok}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi`],
    ['a length that is none', `${ok}Content-Length: 2x\r\n\r\nhi`],
    ['another coding', `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['chunks of HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['an unasked 101', 'HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
    ['hints without end', 'HTTP/1.1 103 H\r\n\r\n'.repeat(100)],
    ['half a head', `${ok}X: `],
    ['a head without end', `${ok}${'X: y\r\n'.repeat(20_000)}`],
    ['a NUL', `${ok}X: a\0b\r\nContent-Length: 0\r\n\r\n`],
  ])('%s', async (_name, answer) => {
    const target = await serveBytes(answer, (one) => one.socket.end())
    const client = wire((await edgeTo(target.url)).port).send(get('/'))
    expect((await client.until(/<\/html>/)).replace(/^(HTTP\/1.1 103[^]*?\r\n\r\n)+/, '')).toMatch(
      /^HTTP\/1.1 503 /,
    )
    expect(target.connections).toHaveLength(1)
  })
})

describe('answers that break off are cut', () => {
  test.each([
    ['before the length', `${ok}Content-Length: 5\r\n\r\nhi`],
    ['inside a chunk', `${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhi`],
    ['between chunks', `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n`],
  ])('%s', async (_name, answer) => {
    const target = await serveBytes(answer, (one) => one.socket.end())
    const client = wire((await edgeTo(target.url)).port).send(get('/'))
    const got = await client.ended()
    expect(got).toContain('hi')
    expect(got).not.toContain('0\r\n\r\n')
  })

  test.each([
    ['a chunk', '2\r\nhiX\r\n'],
    ['a size', 'z\r\n'],
    ['a bare LF', '2\nhi\r\n0\r\n\r\n'],
    ['a trailer', '0\r\nX : y\r\n\r\n'],
  ])('by %s that is malformed', async (_name, bytes) => {
    const target = await serveBytes(`${ok}Transfer-Encoding: chunked\r\n\r\n`)
    const client = wire((await edgeTo(target.url)).port).send(get('/'))
    await client.until('\r\n\r\n')
    ;(await target.connection(0)).send(`2\r\nhi\r\n`)
    await client.until('hi')
    ;(await target.connection(0)).send(bytes)
    expect(await client.ended()).not.toContain('0\r\n\r\n')
  })

  test('unless the client has not seen their head', async () => {
    const target = await serveBytes(`${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nhiX\r\n`)
    const client = wire((await edgeTo(target.url)).port).send(get('/'))
    expect(await client.until('</html>')).toMatch(/^HTTP\/1.1 503 /)
  })

  test('a reset while an answer goes on until the close is no end', async () => {
    const target = await serveBytes(`${ok}\r\nhi`, (one) =>
      setTimeout(() => one.socket.resetAndDestroy(), 50),
    )
    const client = wire((await edgeTo(target.url)).port).send(get('/'))
    expect(await client.ended()).not.toContain('0\r\n\r\n')
  })
})

test('bytes behind an answer are not taken for the next one', async () => {
  const stray = `${ok}Content-Length: 5\r\n\r\nstray`
  const target = await serveBytes(`${ok}Content-Length: 2\r\n\r\nhi${stray}`)
  const client = wire((await edgeTo(target.url)).port)
  await client.send(get('/1')).until('hi')
  await client.send(get('/2')).until(/hi[^]*hi/)
  expect(client.got).not.toContain('stray')
  expect(target.connections).toHaveLength(2)
})

test('a connection that gets bytes while it is idle is dropped', async () => {
  const target = await serveBytes(`${ok}Content-Length: 2\r\n\r\nhi`)
  const client = wire((await edgeTo(target.url)).port)
  await client.send(get('/1')).until('hi')
  const first = await target.connection(0)
  await first.send(`${ok}Content-Length: 5\r\n\r\nstray`).ended()
  await client.send(get('/2')).until(/hi[^]*hi/)
  expect(client.got).not.toContain('stray')
})

test('connections are used again, the one used last first, unless the target closes soon', async () => {
  const keeps = await serveBytes(`${ok}Content-Length: 2\r\n\r\nhi`)
  const e = await edgeTo(keeps.url)
  const client = wire(e.port)
  for (let i = 1; i <= 3; i += 1) await client.send(get('/')).until(new RegExp(`(hi[^]*){${i}}`))
  expect(keeps.connections).toHaveLength(1)
  const closes = await serveBytes(`${ok}Keep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nho`)
  await addRoute(e, '/soon', closes.url)
  for (let i = 1; i <= 2; i += 1)
    await client.send(get('/soon')).until(new RegExp(`(ho[^]*){${i}}`))
  expect(closes.connections).toHaveLength(2)
})

test('connections are those of a route as it is: a port that became another’s is asked anew', async () => {
  const target = await serveBytes(`${ok}Content-Length: 2\r\n\r\nhi`)
  const e = await edge()
  const client = wire(e.port)
  let asked = 0
  const ask = async (path: string): Promise<number> => {
    asked += 1
    await client.send(get(path)).until(new RegExp(`(hi[^]*){${asked}}`))
    return target.connections.length
  }
  await addRoute(e, '/user/ada', target.url, { user: 'ada' })
  expect(await ask('/user/ada/')).toBe(1)
  await addRoute(e, '/user/ada', target.url, { user: 'ada' })
  expect(await ask('/user/ada/'), 'said again').toBe(1)
  await addRoute(e, '/user/bob', target.url, { user: 'bob' })
  expect(await ask('/user/bob/'), 'of another user').toBe(2)
  await addRoute(e, '/user/ada', target.url, { user: 'ada', server_name: 'x' })
  expect(await ask('/user/ada/'), 'of another server').toBe(3)
  await api(e, '/user/ada', { method: 'DELETE' })
  await addRoute(e, '/user/ada', target.url, { user: 'ada', server_name: 'x' })
  expect(await ask('/user/ada/'), 'after it was gone').toBe(4)
})

describe('a connection that the target closed while it was idle', () => {
  const answer = `${ok}Content-Length: 2\r\n\r\nhi`

  /** The first connection answers once and is reset by the second request. */
  async function serveStale() {
    return serveWire((one, index) => {
      let requests = 0
      one.socket.on('data', () => {
        requests += 1
        if (index === 0 && requests === 2) one.socket.resetAndDestroy()
        else one.send(answer)
      })
    })
  }

  test.each(['GET', 'PUT', 'DELETE', 'OPTIONS'])(
    'is replaced for %s without a body',
    async (method) => {
      const target = await serveStale()
      const client = wire((await edgeTo(target.url)).port)
      await client.send(get('/')).until('hi')
      await client.send(get('/').replace('GET', method)).until(/hi[^]*hi/)
      expect(target.connections).toHaveLength(2)
    },
  )

  test.each([
    ['a part of a head', 'HTTP/1.1 200 OK\r\nContent-', /HTTP\/1.1 503/],
    [
      'a head',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n',
      /Content-Length: 9\r\n[^]*\r\n\r\n$/,
    ],
    ['a part of a body', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf', /half$/],
  ])('is not replaced once %s came', async (_what, part, got) => {
    const target = await serveWire((one, index) => {
      let requests = 0
      one.socket.on('data', () => {
        requests += 1
        one.send(index === 0 && requests === 2 ? part : answer)
      })
    })
    const client = wire((await edgeTo(target.url)).port)
    await client.send(get('/')).until('hi')
    client.send(get('/second'))
    const first = await target.connection(0)
    await first.until('/second')
    // A head passes before anything of its body comes.
    if (/\r\n\r\n/.test(part)) await client.until(got)
    first.socket.end()
    if (part.endsWith('-')) await client.until(got)
    else expect(await client.ended()).toMatch(got)
    expect(target.connections).toHaveLength(1)
  })

  test.each([
    ['POST', 'Content-Length: 0\r\n\r\n'],
    ['PATCH', '\r\n'],
    ['PUT', 'Content-Length: 1\r\n\r\na'],
  ])('is a 503 for %s %j: it might be done twice', async (method, rest) => {
    const target = await serveStale()
    const client = wire((await edgeTo(target.url)).port)
    await client.send(get('/')).until('hi')
    await client.send(`${method} / HTTP/1.1\r\nHost: x\r\n${rest}`).until('HTTP/1.1 503')
    expect(target.connections).toHaveLength(1)
  })
})

test('a target on a unix socket is spoken to on connections that are used again', async () => {
  const { createServer } = await import('node:http')
  const { temporaryFolder, cleanups } = await import('../edge-test-kit.ts')
  const path = `${await temporaryFolder()}/s`
  let connections = 0
  const server = createServer((req, res) => void res.end(`at ${req.url}`)).on(
    'connection',
    () => (connections += 1),
  )
  await new Promise<void>((resolve) => server.listen(path, resolve))
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const e = await edgeTo(`http+unix://${encodeURIComponent(path)}`)
  const client = wire(e.port)
  await client.send(get('/a')).until('at /a')
  await client.send(get('/b')).until('at /b')
  expect(connections).toBe(1)
})

test.each([
  ['redirect', 'http://TARGET/a', 'https://x/a'],
  ['redirect elsewhere', 'http://other/a', 'http://other/a'],
  ['relative redirect', '/a', '/a'],
])('Location is rewritten when asked for: %s', async (_name, location, expected) => {
  const forward = { ...baseForward, autoRewrite: true, protocolRewrite: 'https' }
  const e = await edge({ forward })
  const target = await serveWire((one) => {
    one.socket.on('data', () =>
      one.send(
        `HTTP/1.1 302 F\r\nLocation: ${location.replace('TARGET', new URL(target.url).host)}\r\nContent-Length: 2\r\n\r\nhi`,
      ),
    )
  })
  await addRoute(e, '/', target.url)
  expect(await wire(e.port).send(get('/')).until('hi')).toContain(`\r\nLocation: ${expected}\r\n`)
})
