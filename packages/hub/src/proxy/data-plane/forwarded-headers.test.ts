import { connect as connectHttp2 } from 'node:http2'
import { expect, test, vi } from 'vitest'
import {
  addRoute,
  ask,
  edge,
  serve,
  baseForward,
  cleanups,
  patience,
  raw,
  temporaryFolder,
} from './edge-test-kit.ts'
import type { Edge, EdgeOptions } from './edge.ts'
import { serveBytes, wire } from './http1/wire-test-kit.ts'
import { hasOpenssl, makeCertificate } from './tls/certificates-for-tests.ts'

const forged = {
  'X-Forwarded-For': '1.2.3.4',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'forged.test',
  'X-Forwarded-Port': '444',
  'X-Real-Ip': '1.2.3.4',
  'X-Scheme': 'https',
  Forwarded: 'for=1.2.3.4;proto=https',
}

const own = (host: string) => ({
  'x-forwarded-for': '127.0.0.1',
  'x-forwarded-proto': 'http',
  'x-forwarded-host': host,
  'x-forwarded-port': host.split(':')[1],
})

/** The headers with which a target gets a request, those of identity only. */
async function identityAt(options: Partial<EdgeOptions>): Promise<[Edge, object]> {
  const target = await serve((req, res) => void res.end(JSON.stringify(req.headers)))
  const e = await edge(options)
  await addRoute(e, '/', target.url)
  const headers = (await (await ask(e, '/', { headers: forged })).json()) as object
  const names = /^(x-forwarded-.*|x-real-ip|x-scheme|forwarded)$/
  return [e, Object.fromEntries(Object.entries(headers).filter(([name]) => names.test(name)))]
}

test.each([[[]], [['192.0.2.0/24', '::1']]])(
  'with %j as trusted proxies, what another peer says of the client is replaced',
  async (ranges) => {
    const [e, headers] = await identityAt({ trustedProxies: ranges })
    expect(headers).toEqual(own(`127.0.0.1:${e.port}`))
  },
)

test('every request of a connection says the host that it asked for', async () => {
  const target = await serveBytes('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  const e = await edge({})
  await addRoute(e, '/', target.url)
  const hosts = ['a.test', 'b.test:8080', 'b.test:8080', 'a.test']
  wire(e.port).send(hosts.map((host) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`).join(''))
  const seen = await (await target.connection(0)).until(/(?:[^]*?\r\n\r\n){4}/)
  const said = (name: string): unknown[] =>
    [...seen.matchAll(new RegExp(`${name}: (.*)\r\n`, 'g'))].map(([, value]) => value)
  expect(said('X-Forwarded-Host')).toEqual(hosts)
  expect(said('X-Forwarded-Port')).toEqual(['80', '8080', '8080', '80'])
})

test('what a trusted proxy says of the client is kept', async () => {
  const [, headers] = await identityAt({ trustedProxies: ['127.0.0.1/32'] })
  expect(headers).toMatchObject({
    'x-forwarded-for': '1.2.3.4,127.0.0.1',
    'x-forwarded-proto': 'https,http',
    'x-forwarded-host': 'forged.test',
    'x-real-ip': '1.2.3.4',
    'x-scheme': 'https',
    forwarded: 'for=1.2.3.4;proto=https',
  })
})

test('without forwarding headers of our own, those of the client pass as they are', async () => {
  const forward = { ...baseForward, xForward: false }
  const [, headers] = await identityAt({ forward, trustedProxies: [] })
  expect(headers).toEqual(
    Object.fromEntries(Object.entries(forged).map(([name, value]) => [name.toLowerCase(), value])),
  )
})

/** The names with which a target gets what is like a forwarding field, in their order. */
async function spelled(lines: string, options: Partial<EdgeOptions> = {}): Promise<string[]> {
  const target = await serve((req, res) => void res.end(JSON.stringify(req.rawHeaders)))
  target.on('upgrade', (req, socket) => {
    socket.end(`HTTP/1.1 403 No\r\nConnection: close\r\n\r\n${JSON.stringify(req.rawHeaders)}`)
  })
  const e = await edge(options)
  await addRoute(e, '/', target.url)
  const text = await raw(e.port, `GET / HTTP/1.1\r\nHost: x\r\n${lines}\r\n`)
  const headers = JSON.parse(/\[.*\]/s.exec(text)?.[0] ?? '[]') as string[]
  const isLike = /^x.(?:forwarded|real|scheme)|^forwarded/i
  return headers.flatMap((name, i) =>
    i % 2 === 0 && isLike.test(name) ? [`${name}: ${headers[i + 1]}`] : [],
  )
}

const ownLines = [
  'X-Forwarded-For: 127.0.0.1',
  'X-Forwarded-Port: 80',
  'X-Forwarded-Proto: http',
  'X-Forwarded-Host: x',
]
const disguises = [
  'X_Forwarded_For: 6.6.6.6',
  'x_forwarded_proto: https',
  'X-Forwarded_For: 6.6.6.6',
  'X_Real_IP: 6.6.6.6',
  'X-Real_Ip: 6.6.6.6',
  'X_SCHEME: https',
  'X_Forwarded_Anything: 6.6.6.6',
]
const strangers = { trustedProxies: [] }
const asLines = (all: readonly string[]): string => all.map((line) => `${line}\r\n`).join('')

test.each([
  ['with underscores', disguises],
  ['said twice', ['X-Forwarded-For: 6.6.6.6', 'x-forwarded-for: 7.7.7.7', 'X-REAL-IP: 6.6.6.6']],
  [
    'that only some servers know',
    ['X-Forwarded-Ssl: on', 'X-Forwarded-Prefix: /', 'x-forwarded-: y'],
  ],
  ['called fields of the connection', ['X-Forwarded-For: 6.6.6.6', 'Forwarded: for=6.6.6.6']],
])('a stranger cannot forge fields %s', async (title, forgedLines) => {
  const nominated = title.endsWith('connection') ? ', X-Forwarded-For, Forwarded' : ''
  const sent = `Connection: close${nominated}\r\n${asLines(forgedLines)}`
  expect(await spelled(sent, strangers)).toEqual(ownLines)
  const upgrade = `Connection: Upgrade${nominated}\r\nUpgrade: websocket\r\n`
  expect(await spelled(upgrade + asLines(forgedLines), strangers)).toEqual([
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-Port: 80',
    'X-Forwarded-Proto: ws',
  ])
})

test('underscores are no way past a trusted proxy either, which passes on what it does not know', async () => {
  const sent = asLines(['Connection: close', ...disguises, 'X-Forwarded-Prefix: /p'])
  expect(await spelled(sent)).toEqual(['X-Forwarded-Prefix: /p', ...ownLines])
})

test('names that are no forwarding fields pass, however like them', async () => {
  const lines = ['X-Forwarded: a', 'X_Schemes: b', 'X-Real-Ips: c', 'XForwarded-For: d']
  const target = await serve((req, res) => void res.end(JSON.stringify(req.rawHeaders)))
  const e = await edge(strangers)
  await addRoute(e, '/', target.url)
  const sent = asLines(['Host: x', 'Connection: close', ...lines])
  const text = await raw(e.port, `GET / HTTP/1.1\r\n${sent}\r\n`)
  const headers = JSON.parse(/\[.*\]/s.exec(text)?.[0] ?? '[]') as string[]
  for (const line of lines) expect(headers).toContain(line.split(': ')[0])
})

test('trailers tell nothing of the client', async () => {
  let trailers: object | undefined
  const target = await serve((req, res) => {
    req.resume().on('end', () => {
      trailers = req.trailers
      res.end()
    })
  })
  const e = await edge()
  await addRoute(e, '/', target.url)
  const head = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n'
  const ended = 'X-Forwarded-For: 6.6.6.6\r\nX_Real_Ip: 6.6.6.6\r\nX-End: yes\r\n'
  expect(await raw(e.port, `${head}\r\n1\r\na\r\n0\r\n${ended}\r\n`)).toMatch(/^HTTP\/1.1 200/)
  expect(trailers).toEqual({ 'x-end': 'yes' })
})

test.skipIf(!hasOpenssl())('a stranger cannot forge them by HTTP/2 either', async () => {
  const { keyPath, certPath } = makeCertificate(await temporaryFolder(), {
    name: 'hub',
    names: ['IP:127.0.0.1'],
  })
  const target = await serve((req, res) => void res.end(JSON.stringify(req.headers)))
  const e = await edge({
    trustedProxies: [],
    tls: {
      files: [{ keyPath, certPath }],
      side: { requestCert: false, rejectUnauthorized: false },
      protocol: { settings: {} },
      hasHttp2: true,
      hstsSeconds: 0,
    },
  })
  await addRoute(e, '/', target.url)
  const session = connectHttp2(`https://127.0.0.1:${e.port}`, { rejectUnauthorized: false })
  cleanups.push(() => session.destroy())
  const lower = Object.fromEntries(Object.entries(forged).map(([n, v]) => [n.toLowerCase(), v]))
  const stream = session.request({ ':path': '/', ...lower, x_forwarded_for: '6.6.6.6' })
  let got = ''
  stream.on('data', (chunk: Buffer) => (got += chunk.toString()))
  await vi.waitUntil(() => stream.closed, patience)
  const headers = JSON.parse(got) as Record<string, string>
  const names = Object.keys(headers).filter((name) => /forwarded|^x.real|^x.scheme/.test(name))
  expect(names.toSorted().map((name) => [name, headers[name]])).toEqual([
    ['x-forwarded-for', '127.0.0.1'],
    ['x-forwarded-host', `127.0.0.1:${e.port}`],
    ['x-forwarded-port', String(e.port)],
    ['x-forwarded-proto', 'https'],
  ])
})
